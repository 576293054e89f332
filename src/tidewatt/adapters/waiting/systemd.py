"""Hands the waiting to the user's systemd: writes the units and enables them."""

import os
import subprocess
from pathlib import Path

from tidewatt.adapters.waiting import units
from tidewatt.errors import TidewattError

_LEFT_OUT = ("STORE", "TOKEN", "KEY", "SECRET", "PASSWORD")
"""What is in the name of a setting that may hold a secret, which has no business in a unit."""


def available() -> bool:
    """Whether this user has a manager that answers."""
    try:
        return _systemctl("show-environment", check=False).returncode == 0
    except OSError:
        return False


def settings() -> tuple[tuple[str, str], ...]:
    """Our settings in the environment that units are to carry; none that may hold a secret."""
    return tuple(
        (name, value)
        for name, value in sorted(os.environ.items())
        if (name.startswith("TIDEWATT_") and not any(part in name for part in _LEFT_OUT))
        or name == "PYTHONPATH"
    )


def folder() -> Path:
    """Where a user's units lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user"


def installed(home: str) -> dict[str, str]:
    """Names and texts of the units of a state folder."""
    name = units.stem(home)
    paths = [folder() / f"{name}{suffix}" for suffix in (".service", ".timer", ".path")]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}


def install(watch: units.Watch) -> bool:
    """See that exactly these units are there and wait; True if folders are now watched that were not.

    Raises:
        TidewattError: systemd refuses them.
    """
    before, wanted = installed(watch.home), units.texts(watch)
    changed = units.stale(before, wanted)
    if not changed:
        return False
    gone = [name for name in before if name not in wanted]
    if starters := [name for name in gone if not name.endswith(".service")]:
        _systemctl("disable", "--now", *starters)
    for name in gone:
        (folder() / name).unlink(missing_ok=True)
    folder().mkdir(parents=True, exist_ok=True)
    for name in changed & wanted.keys():
        (folder() / name).write_text(wanted[name], encoding="utf-8")
    _systemctl("daemon-reload")
    if starters := [name for name in wanted if name in changed and not name.endswith(".service")]:
        _systemctl("enable", *starters)
        _systemctl("restart", *starters)
    return any(name.endswith(".path") for name in changed & wanted.keys())


def _systemctl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - constants and names of our own units
        ["systemctl", "--user", *arguments],  # noqa: S607 - as the user's PATH has it
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise TidewattError(
            f"systemctl --user {' '.join(arguments)} failing: {done.stderr.strip()}",
            "units that are enabled",
            "set TIDEWATT_WAITER=watcher to do without systemd",
        )
    return done

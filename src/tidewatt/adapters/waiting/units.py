"""The text of the systemd units that wait for one state folder: pure, from what to wait for.

The service does its work when it stops, and nothing when it starts. systemd drops a start while a service
is starting, but keeps one that comes while it is stopping: so a file that arrives during a look is looked
for afterwards.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_NEAR = 8
"""So many of the next instants must stand in a timer, or it is written anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What units are made from: whose triggers, what to run, and what to wait for."""

    home: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    instants: tuple[float, ...]
    """Real instants to look at, in order."""
    folders: tuple[str, ...]


def stem(home: str) -> str:
    """The name of all units of a state folder."""
    return f"tidewatt-{hashlib.sha256(home.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def texts(watch: Watch) -> dict[str, str]:
    """File names and texts of the units that are needed."""
    name = stem(watch.home)
    found = {f"{name}.service": _service(watch)} if watch.instants or watch.folders else {}
    if watch.instants:
        found[f"{name}.timer"] = _timer(watch, f"{name}.service")
    if watch.folders:
        found[f"{name}.path"] = _path(watch, f"{name}.service")
    return found


def expressible(folders: Iterable[str]) -> bool:
    """Whether all folders can be written in a unit: one line of UTF-8 without blanks at its end."""
    return all(
        folder == folder.strip() and folder.isprintable() and not folder.endswith("\\") for folder in folders
    )


def stale(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Which units have to be replaced or removed.

    A timer may go on as it is while it holds the next instants: waking once too often does no harm.
    """
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    for name in [name for name in changed if name.endswith(".timer") and name in old and name in new]:
        kept = set(old[name].splitlines())
        if all(line in kept for line in _calendar(new[name])[:_NEAR]):
            changed.remove(name)
    return changed


def _calendar(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("OnCalendar=")]


def _service(watch: Watch) -> str:
    environment = "".join(f"Environment={_quoted(f'{k}={v}')}\n" for k, v in watch.environment)
    return (
        f"[Unit]\nDescription=Tidewatt looks at the triggers of {_literal(watch.home)}\n"
        "StartLimitIntervalSec=0\n\n"
        "[Service]\nType=oneshot\n"
        "# The supervisor that a look starts outlives it.\nKillMode=process\n"
        "TimeoutStopSec=1h\nRestart=on-failure\nRestartSec=5s\n"
        f"{environment}"
        "# The work is done in stopping, so that a start asked for meanwhile is not dropped.\n"
        f"ExecStart=/bin/sh -c :\nExecStopPost=:{' '.join(map(_quoted, watch.command))}\n"
    )


def _timer(watch: Watch, service: str) -> str:
    return (
        f"[Unit]\nDescription=Times of Tidewatt's triggers of {_literal(watch.home)}\n\n"
        f"[Timer]\nUnit={service}\n{''.join(_instant(wall) for wall in watch.instants)}"
        "AccuracySec=1s\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )


def _path(watch: Watch, service: str) -> str:
    return (
        f"[Unit]\nDescription=Files of Tidewatt's triggers of {_literal(watch.home)}\n\n"
        f"[Path]\nUnit={service}\n{_lines('PathChanged', watch.folders)}"
        "\n[Install]\nWantedBy=default.target\n"
    )


def _instant(wall: float) -> str:
    return f"OnCalendar={datetime.fromtimestamp(math.ceil(wall), UTC):%Y-%m-%d %H:%M:%S} UTC\n"


def _lines(key: str, values: Sequence[str]) -> str:
    return "".join(f"{key}={_literal(value)}\n" for value in values)


def _literal(text: str) -> str:
    """A text in which systemd is to see no specifiers."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word of a command line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_literal(escaped)}"'

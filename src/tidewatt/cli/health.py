"""Says what this machine has, what is missing and what that means."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Event

import psutil
from rich.table import Table
from rich.text import Text

from tidewatt import waiting, wiring
from tidewatt.adapters import cgroup, limiting, supervision
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters import calibrate as calibrations
from tidewatt.cli import furnishing, words
from tidewatt.domain.estimate import Tier
from tidewatt.domain.function import Kind
from tidewatt.errors import UsageError

_SIGNS = {"ok": ("✓", "#2ea060"), "missing": ("·", "dim"), "problem": ("✗", "#ce4c3e")}
_EXTRAS = (
    ("torch", "train", "trainings need it: pip install 'tidewatt[train]'"),
    ("pyarrow", "plan", "carbon files in Parquet need it: pip install 'tidewatt[plan]'; CSV works without"),
    ("nvidia-ml-py", "gpu", "energy of NVIDIA GPUs needs it: pip install 'tidewatt[gpu]'"),
    ("psycopg", "postgres", "a store in PostgreSQL needs it: pip install 'tidewatt[postgres]'"),
)
_TIERS = {Tier.COUNTER: "counter", Tier.HYBRID: "hybrid", Tier.MODEL: "MODEL", Tier.DEFAULT: "default"}


def show_health(home: Path | None, *, json: bool) -> None:
    """Print every finding; this starts nothing and writes nothing."""
    place = _place(home)
    findings = [*_software(), *_machine(), *_meters(place), *_state(place), _waiter(place)]
    findings += furnishing.findings()
    if json:
        names = ("what", "state", "found")
        words.print_json([dict(zip(names, finding, strict=True)) for finding in findings])
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for what, state, found in findings:
        sign, style = _SIGNS[state]
        table.add_row(Text(sign, style), Text(what, "bold"), found)
    words.screen().print(table)


def calibrate(
    home: Path | None, seconds: float, idle_watts: float | None, busy_watts: float | None, *, asked: bool
) -> None:
    """Measure what this machine draws, or take the figures of a wall meter, and keep it.

    Raises:
        UsageError: one figure without the other, figures without ``--calibrate``, or nothing to go by.
        Refused: the machine is not at rest, or cannot be brought to full load.
    """
    if not asked or (idle_watts is None) != (busy_watts is None):
        raise UsageError(
            "only some of --calibrate, --idle-watts and --busy-watts",
            "--calibrate alone, or all three",
            "for example: tidewatt doctor --calibrate --idle-watts 40 --busy-watts 95",
        )
    given = None if idle_watts is None or busy_watts is None else (idle_watts, busy_watts)
    place = _place(home)
    place.prepare()
    against = calibrations.Against.found(RealClock(), Event().wait)
    made = against.calibrate(calibrations.next_version(place.calibrations), seconds, given)
    calibrations.save(place.calibrations, made)


def _place(home: Path | None) -> wiring.Home:
    return wiring.Home(home.absolute()) if home is not None else wiring.Home.default()


def _software() -> list[tuple[str, str, str]]:
    findings = [
        ("tidewatt", "ok", version("tidewatt")),
        ("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]
    for package, _, why in _EXTRAS:
        try:
            findings.append((package, "ok", version(package)))
        except PackageNotFoundError:
            findings.append((package, "missing", f"not installed; {why}"))
    return findings


def _machine() -> list[tuple[str, str, str]]:
    cpus = cgroup.processors()
    zone = os.environ.get("TIDEWATT_ZONE")
    forks = hasattr(os, "fork")
    return [
        ("processors", "ok", f"{cpus} for workers"),
        _limits(),
        (
            "engine",
            "ok" if forks else "problem",
            "worker processes of this machine, forked from a zygote"
            if forks
            else "this platform has no fork",
        ),
        (
            "zone",
            "ok" if zone else "missing",
            zone
            or "TIDEWATT_ZONE is not set; name a zone with --zone, or set it (`tidewatt grid` lists them)",
        ),
    ]


def _limits() -> tuple[str, str, str]:
    """How workers are held to what they may take."""
    choice = limiting.found()
    if choice.spot is not None:
        where = choice.spot.path
        return ("limits", "ok", f"{choice.found} of each worker, by a control group of its own in {where}")
    by_itself = "memory of each process by RLIMIT_DATA, processors by the count of threads"
    return ("limits", "missing", f"{by_itself}; no control groups: {choice.found}")


def _meters(place: wiring.Home) -> list[tuple[str, str, str]]:
    findings: list[tuple[str, str, str]] = []
    chosen = False
    for meter in wiring.meters(place):
        used = meter.usable and (meter.beside or not chosen)
        chosen = chosen or (used and not meter.beside)
        label = f"tier {int(meter.tier)}, {_TIERS[meter.tier]}{', in use' if used else ''}"
        found = f"{meter.name} ({label}): {meter.why}" if meter.why else f"{meter.name} ({label})"
        findings.append(("meter", "ok" if meter.usable else "missing", found))
    calibration, told = calibrations.load(place.calibrations)
    return [*findings, ("calibration", "ok" if calibration else "missing", told)]


def _state(place: wiring.Home) -> list[tuple[str, str, str]]:
    there = place.path.exists()
    store = place.store_url
    findings = [
        ("state folder", "ok", f"{place.path}{'' if there else ' (not made yet)'}"),
        ("store", "ok", "PostgreSQL, $TIDEWATT_STORE" if not store.startswith("sqlite") else store),
    ]
    if there and supervision.supervised(place):
        findings.append(("supervisor", "ok", f"at work{_serving(place)}"))
    else:
        findings.append(
            ("supervisor", "ok", "none: nothing of ours is running, and none is needed while idle")
        )
    return findings


def _serving(place: wiring.Home) -> str:
    """Which functions have warm workers at this moment, and are charged for them."""
    store = wiring.open_store(place)
    try:
        crews = [j.id for j in store.jobs_at_hand(0) if j.function.kind is Kind.CALLS]
    finally:
        store.close()
    return f", warm workers for {', '.join(crews)}" if crews else ""


def _memory(number: str) -> str:
    """``", 8.8 MB"``, or nothing of a process that is not there any more or that is not told of."""
    try:
        found = psutil.Process(int(number)).memory_full_info()
    except (psutil.Error, ValueError):
        return ""
    return f", {getattr(found, 'pss', found.uss) / 1e6:.1f} MB"


def _waiter(place: wiring.Home) -> tuple[str, str, str]:
    """Who waits for triggers, if anybody has to."""
    waiter = waiting.waiter(place)
    if waiter.kind == "watcher":
        return ("triggers", "ok", f"a watcher sleeps for them, process {waiter.name}{_memory(waiter.name)}")
    if waiter.kind == "systemd":
        return ("triggers", "ok", f"systemd waits for them: systemctl --user status '{waiter.name}.*'")
    if waiter.wanted:
        return (
            "triggers",
            "problem",
            "deployed, and nobody waits for them; `tidewatt triggers` sets it going",
        )
    return ("triggers", "ok", "none that has to be waited for")

"""Other trackers beside our meter: what they cost, and what they say of the same machine at once."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import Figure, median
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters.detect import best_meter
from tidewatt.domain.units import MICROJOULES

_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracker as three programs, each of which ends with one number on standard output.

    ``start`` prints the processor seconds from the interpreter's start to the first reading, ``keep`` the
    percent of a processor that reading once a second takes while nothing runs, and ``work`` the joules that
    it says of some seconds in which it keeps a processor busy. The latter two are given the seconds.
    """

    name: str
    start: str
    keep: str
    work: str


_SPUN = """
until = time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < until:
    sum(range(1000))
"""
_KEPT = """
began, wall = time.process_time(), time.perf_counter()
time.sleep(float(sys.argv[1]))
print(100 * (time.process_time() - began) / (time.perf_counter() - wall), flush=True)
"""

OURS = Tracker(
    "tidewatt",
    start="""
import time
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters.detect import best_meter
best_meter().read(RealClock())
print(time.process_time())
""",
    keep="""
import sys, time
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters.detect import best_meter
meter, clock = best_meter(), RealClock()
meter.read(clock)
began, wall = time.process_time(), time.perf_counter()
for _ in range(int(float(sys.argv[1]))):
    time.sleep(1)
    meter.read(clock)
print(100 * (time.process_time() - began) / (time.perf_counter() - wall))
""",
    work="",
)
_CODECARBON = """
import logging, sys, time
logging.disable(logging.CRITICAL)
from codecarbon import OfflineEmissionsTracker
tracker = OfflineEmissionsTracker(country_iso_code="DEU", save_to_file=False, measure_power_secs=1)
tracker.start()
"""
CODECARBON = Tracker(
    "codecarbon",
    start=_CODECARBON + "print(time.process_time())\n",
    keep=_CODECARBON + _KEPT,
    work=_CODECARBON
    + _SPUN
    + "tracker.stop()\nprint(tracker.final_emissions_data.energy_consumed * 3.6e6)\n",
)
_CARBONTRACKER = """
import os, sys, time
from carbontracker.constants import PUE_2023
from carbontracker.tracker import CarbonTracker
tracker = CarbonTracker(epochs=2, epochs_before_pred=0, update_interval=1, verbose=0)
tracker.epoch_start()
while not any(component.power_usages for component in tracker.tracker.components):
    time.sleep(0.001)
"""
_GONE = "os._exit(0)\n"  # its threads would go on, and print after the number
CARBONTRACKER = Tracker(
    "carbontracker",
    start=_CARBONTRACKER + "print(time.process_time(), flush=True)\n" + _GONE,
    keep=_CARBONTRACKER + _KEPT + _GONE,
    work=_CARBONTRACKER
    + _SPUN
    + "tracker.epoch_end()\n"
    + "print(sum(tracker.tracker.total_energy_per_epoch()) * 3.6e6 / PUE_2023, flush=True)\n"
    + _GONE,
)


class Unfit(Exception):
    """A tracker that cannot work here; the message says why."""


def beside(tracker: Tracker, python: Path, ratio: float, *, quick: bool) -> list[Figure]:
    """What a tracker costs and says, with ours in the same run: ``value`` is ours and ``peer`` is its.

    Args:
        tracker: the peer.
        python: an interpreter that has it.
        ratio: what all accounts of our ledger received over what the machine drew, while two jobs ran.
        quick: few repetitions.

    Raises:
        Unfit: it does not work on this machine.
    """
    repeats, seconds = (1, 2.0) if quick else (5, 10.0)
    joules, said = _work(tracker, python, seconds)
    twice = Figure(
        name=f"two_jobs_beside_{tracker.name}",
        value=ratio,
        unit="x",
        peer=sum(joules) / max(joules),
        source=f"charged over drawn, two jobs at once; peer: two of {tracker.name} over one",
        n=2,
    )
    return [_start(tracker, python, repeats), _keep(tracker, python, seconds), twice, said]


def _start(tracker: Tracker, python: Path, repeats: int) -> Figure:
    mine = [1000 * _told(Path(sys.executable), OURS.start) for _ in range(repeats)]
    value, spread = median(mine, 0)
    peer, _ = median([1000 * _told(python, tracker.start) for _ in range(repeats)])
    return Figure(
        name=f"start_cpu_ms_beside_{tracker.name}",
        value=value,
        unit="ms",
        peer=peer,
        source=f"processor time of interpreter, imports, detection, first reading; peer: {tracker.name}",
        n=repeats,
        spread=spread,
    )


def _keep(tracker: Tracker, python: Path, seconds: float) -> Figure:
    return Figure(
        name=f"keep_cpu_pct_beside_{tracker.name}",
        value=_told(Path(sys.executable), OURS.keep, seconds),
        unit="%",
        peer=_told(python, tracker.keep, seconds),
        source=f"of a processor, one reading a second while nothing runs; peer: {tracker.name}",
        n=round(seconds),
    )


def _work(tracker: Tracker, python: Path, seconds: float) -> tuple[list[float], Figure]:
    """What two trackers say that run at once, each with a busy loop, and our meter of the same time."""
    meter, clock = best_meter(), RealClock()
    meter.read(clock)
    running = [_begun(python, tracker.work, seconds) for _ in range(2)]
    said = [_said(process) for process in running]
    node, joules = meter.read(clock), [_number(each) for each in said]
    if node is None or not max(joules):
        raise Unfit("nothing was read meanwhile")
    return joules, Figure(
        name=f"said_w_beside_{tracker.name}",
        value=node.energy_uj / MICROJOULES / node.wall_s,
        unit="W",
        peer=max(joules) / seconds,
        source=f"the machine under two busy loops by {node.meter}; peer: {tracker.name}, without PUE",
        n=2,
    )


def _told(python: Path, program: str, *given: float) -> float:
    return _number(_said(_begun(python, program, *given)))


def _begun(python: Path, program: str, *given: float) -> "subprocess.Popen[str]":
    command = [str(python), "-c", program, *map(str, given)]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - the peer
    except OSError as error:
        raise Unfit(f"{python} cannot be run: {error.strerror}") from error


def _said(process: "subprocess.Popen[str]") -> tuple[str, str]:
    try:
        return process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "", f"it did not end within {_PATIENCE_S:g} s"


def _number(said: tuple[str, str]) -> float:
    out, err = said
    try:
        return float(out.split()[-1])
    except (IndexError, ValueError) as error:
        raise Unfit((err.strip() or out.strip() or "it said nothing").splitlines()[-1]) from error

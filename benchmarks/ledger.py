"""Whether every joule has one owner, and what keeping the ledger costs: `python -m benchmarks.ledger`."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from sqlalchemy import create_engine

from benchmarks.table import Figure, drawn, median, parser, write
from benchmarks.trackers import CARBONTRACKER, CODECARBON, OURS, Unfit, beside
from tidewatt import wiring
from tidewatt.accounting.allocate import allocate
from tidewatt.adapters import cgroup
from tidewatt.adapters.cgroup import Groups
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.engines.processes import tree_cpu_seconds
from tidewatt.adapters.engines.times import Times
from tidewatt.adapters.meters import nvml
from tidewatt.adapters.meters.calibrate import machine
from tidewatt.adapters.meters.detect import best_meter
from tidewatt.adapters.meters.model import ModelMeter, PowerModel, memory_gb
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.meters.proc import Processors
from tidewatt.adapters.stores import balances, ledger
from tidewatt.adapters.stores.database import Database
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.cli.record import gather
from tidewatt.control.metering import SAVE_EVERY_S
from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import Account, Charge, EnergyReading, Holder, Phase, Usage
from tidewatt.report.receipt import build
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.functions import function

_JOBS = 50
_PHASES = (Phase.COMPUTE, Phase.COMM, Phase.CHECKPOINT, Phase.STALLED)


@function()
def spin(seconds: float) -> None:
    """Keep a processor busy."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))


def _seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same figures each time are what is wanted


def reading(rng: random.Random, at: float) -> EnergyReading:
    """One of a second on a machine of 2 to 64 processors."""
    energy_uj = rng.randrange(10**9)
    cpus = rng.choice((2, 8, 64))
    return EnergyReading(
        meter="benchmark",
        tier=Tier.COUNTER,
        start_at=at,
        end_at=at + 1,
        wall_s=1.0,
        energy_uj=energy_uj,
        static_uj=rng.randrange(energy_uj + 1),
        low_uj=energy_uj,
        high_uj=energy_uj,
        busy_cpu_s=rng.uniform(0, cpus),
        cpus=cpus,
    )


def usages(rng: random.Random, jobs: int) -> list[Usage]:
    """What so many jobs used; together they may claim more than there was."""
    return [
        Usage(
            account=Account(Holder.JOB, f"job-{number}"),
            phase=rng.choice(_PHASES),
            cpu_s=rng.uniform(0, 2),
            reserved_cpu_s=rng.uniform(0, 4),
            zone="DE",
            workers=1,
            token=1,
        )
        for number in range(jobs)
    ]


def conserved(intervals: int) -> Figure:
    """How many microjoules are lost or made over random intervals."""
    rng = _seeded(1)
    lost = 0
    for at in range(intervals):
        read = reading(rng, at)
        lost += abs(sum(a.energy_uj for a in allocate(read, usages(rng, rng.randrange(8)))) - read.energy_uj)
    source = "random readings, up to 7 accounts that may claim more than there is"
    return Figure(name="conservation_error_uj", value=lost, unit="µJ", source=source, n=intervals)


def two_jobs(folder: Path, seconds: float, codecarbon: Path | None) -> Figure:
    """Two jobs at once: what all accounts received over what the machine drew."""
    with Client(folder / "two") as client:
        options = Options(zones=("DE",))
        names = [client.submit(spin, {"seconds": seconds}, options) for _ in range(2)]
        for name in names:
            client.result(name)
        entries = client.store.ledger()
    whole = sum(read.energy_uj for read in {e.reading for e in entries})
    ratio = sum(e.allocation.energy_uj for e in entries) / whole
    peer = None if codecarbon is None else _codecarbon_twice(codecarbon, seconds)
    source = "all accounts over all readings while two jobs ran; peer: two codecarbons over one"
    return Figure(
        name="two_jobs_sum_over_node", value=ratio, unit="x", peer=peer, source=source, n=len(entries)
    )


def _codecarbon_twice(python: Path, seconds: float) -> float:
    command = [str(python), "-c", CODECARBON.work, str(seconds)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603 - the peer
    told = [float(process.communicate()[0].split()[-1]) for process in both]
    return sum(told) / max(told)


def meter_start(repeats: int, codecarbon: Path | None) -> Figure:
    """Processor time from loading the meter to its first reading."""
    value, spread = median([1000 * _told(Path(sys.executable), OURS.start) for _ in range(repeats)], 0)
    peer = None
    if codecarbon is not None:
        peer, _ = median([1000 * _told(codecarbon, CODECARBON.start) for _ in range(repeats)])
    source = "interpreter, imports, detection and first reading; peer: codecarbon, offline"
    return Figure(
        name="meter_start_cpu_ms", value=value, unit="ms", peer=peer, source=source, n=repeats, spread=spread
    )


def _told(python: Path, program: str) -> float:
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return float(done.stdout.split()[-1])


def meter_first(repeats: int) -> Figure:
    """The same in a process that has loaded everything, as a supervisor has."""
    took: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        best_meter().read(RealClock())
        took.append(1000 * (time.process_time() - began))
    value, spread = median(took, 2)
    source = "detection and first reading alone, imports done"
    return Figure(name="meter_first_cpu_ms", value=value, unit="ms", source=source, n=repeats, spread=spread)


def meter_share(folder: Path, seconds: int) -> Iterator[Figure]:
    """The part of a processor that metering 50 jobs once a second takes, saving included.

    As a supervisor does it, with and without control groups, beside the plain way: every process asked by
    its number, and every reading a transaction of its own.
    """
    command = ["sleep", str(30 * seconds + 60)]
    sleepers = [subprocess.Popen(command) for _ in range(_JOBS)]  # noqa: S603 - of coreutils
    pids = [sleeper.pid for sleeper in sleepers]
    plain = _share(folder / "plain.db", seconds, pids, tree_cpu_seconds, every_s=1)
    for name, groups in (("meter_cpu_pct", Groups.below_own()), ("meter_by_proc_cpu_pct", None)):
        times = Times(groups)
        for pid in pids:
            times.watch(pid)
        share = _share(folder / f"{name}.db", seconds, pids, times.used_s, every_s=int(SAVE_EVERY_S))
        for sleeper in sleepers if groups is None else ():
            sleeper.kill()
            sleeper.wait()
        times.close()
        by = "control groups" if groups is not None else "open files of /proc"
        source = f"50 jobs once a second by {by}, saved every {SAVE_EVERY_S:g} s; peer: our plain way"
        yield Figure(name=name, value=share, unit="%", peer=plain, source=source, n=seconds)


def _share(
    file: Path, seconds: int, pids: Sequence[int], used_s: Callable[[int], float | None], *, every_s: int
) -> float:
    store = SqlStore.open(f"sqlite:///{file}")
    meter, clock, rng = best_meter(), RealClock(), _seeded(2)
    meter.read(clock)
    waiting: list[Charge] = []
    began, wall = time.process_time(), time.perf_counter()
    for second in range(1, seconds + 1):
        Event().wait(1.0)
        for pid in pids:
            used_s(pid)
        read = meter.read(clock)
        if read is not None:
            waiting.append((read, allocate(read, usages(rng, _JOBS))))
        if second % every_s == 0 or second == seconds:
            store.record_energies(waiting)
            waiting = []
    share = 100 * (time.process_time() - began) / (time.perf_counter() - wall)
    store.close()
    return share


def model_error(seconds: float) -> tuple[Figure | None, str]:
    """What the model is off the counters of this machine by, half the time at rest and half at full load.

    Returns:
        None where there is no counter to hold it against, and why, in words.
    """
    counters, clock = PowercapMeter(), RealClock()
    model = ModelMeter(PowerModel(memory_gb=memory_gb()), Processors(visible=None))
    if not counters.available():
        return None, f"{counters.why}; NVML: {nvml.find()[1]}"
    counters.read(clock)
    model.read(clock)
    Event().wait(seconds / 2)
    spin = f"import time\nwhile time.process_time() < {seconds / 2}: sum(range(1000))"
    cpus = range(cgroup.processors())
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in cpus]  # noqa: S603 - our own
    for process in spinning:
        process.wait()
    counted, modelled = counters.read(clock), model.read(clock)
    if counted is None or modelled is None or counted.tier is not Tier.COUNTER:
        return None, "the counters did not explain the interval"
    error = 100 * abs(modelled.energy_uj - counted.energy_uj) / counted.energy_uj
    source = f"the uncalibrated model against {counters.name}, {machine()}"
    return Figure(name="model_error_pct", value=error, unit="%", source=source, n=1), ""


def rows_written(folder: Path, seconds: float) -> Figure:
    """Allocations saved in a second, 50 to a reading, each reading a transaction."""
    store = SqlStore.open(f"sqlite:///{folder / 'rows.db'}")
    rng, written = _seeded(3), 0
    batches = [(read, allocate(read, usages(rng, _JOBS))) for read in (reading(rng, at) for at in range(50))]
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        read, shares = batches[written % len(batches)]
        store.record_energy(read, shares)
        written += len(shares)
    rate = written / (time.perf_counter() - began)
    store.close()
    source = "SQLite, one transaction for each reading of 50 jobs"
    return Figure(name="ledger_rows_per_s", value=rate, unit="1/s", source=source, n=written)


def receipt_made(folder: Path, readings: int, repeats: int) -> Figure:
    """A receipt of a job with so many readings, one a second."""
    home = folder / "receipt"
    with Client(home) as client:
        name = client.submit(spin, {"seconds": 0.1}, Options(zones=("DE",)))
        client.result(name)
        at = client.job(name).submission.submitted_at
    _fill(home, name, at - readings, readings)
    took: list[float] = []
    with Client(home) as client:
        for _ in range(repeats):
            began = time.perf_counter()
            build(gather(client, client.job(name)))
            took.append(1000 * (time.perf_counter() - began))
    value, spread = median(took, 0)
    source = f"gathered from SQLite and worked out, a job with {readings:,} readings, one a second"
    return Figure(name="receipt_ms", value=value, unit="ms", source=source, n=repeats, spread=spread)


def _fill(home: Path, name: str, at: float, readings: int) -> None:
    """Save readings as the store does, only many to a transaction."""
    rng = _seeded(4)
    engine = create_engine(wiring.Home(home).store_url)
    writer = ledger.Writer(Database.at(wiring.Home(home).store_url))
    for first in range(0, readings, balances.PAGE):
        made = [reading(rng, at + number) for number in range(first, min(first + balances.PAGE, readings))]
        with engine.begin() as connection:
            writer.save(connection, [(each, allocate(each, [_whole(name)])) for each in made])
    engine.dispose()


def _whole(name: str) -> Usage:
    return Usage(
        account=Account(Holder.JOB, name),
        phase=Phase.COMPUTE,
        cpu_s=1.0,
        reserved_cpu_s=1.0,
        zone="DE",
        workers=1,
        token=1,
    )


def measure(quick: bool, folder: Path, codecarbon: Path | None) -> Iterator[Figure]:
    """All figures, one after the other."""
    yield conserved(1_000 if quick else 10_000)
    yield two_jobs(folder, 2.0 if quick else 10.0, codecarbon)
    yield meter_start(1 if quick else 5, codecarbon)
    yield meter_first(3 if quick else 20)
    yield from meter_share(folder, 3 if quick else 30)
    yield rows_written(folder, 0.5 if quick else 5.0)
    yield receipt_made(folder, 10_000 if quick else 1_000_000, 3 if quick else 10)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    made = parser("Whether every joule has one owner, and what keeping the ledger costs.")
    made.add_argument(
        "--codecarbon", type=Path, metavar="PYTHON", help="an interpreter that has codecarbon, as a peer"
    )
    made.add_argument(
        "--carbontracker", type=Path, metavar="PYTHON", help="an interpreter that has carbontracker, likewise"
    )
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = list(measure(options.quick, Path(folder), options.codecarbon))
    ratio = next(figure.value for figure in figures if figure.name == "two_jobs_sum_over_node")
    remarks: list[str] = []
    for tracker, python in ((CODECARBON, options.codecarbon), (CARBONTRACKER, options.carbontracker)):
        try:
            figures += [] if python is None else beside(tracker, python, ratio, quick=options.quick)
        except Unfit as unfit:
            remarks.append(f"{tracker.name}: not measured; {unfit}\n")
    error, why = model_error(2.0 if options.quick else 60.0)
    figures += [] if error is None else [error]
    if error is None:
        remarks.append(f"model_error_pct: not measured; no counter to hold the model against: {why}.\n")
    sys.stdout.write(drawn(figures))
    sys.stdout.writelines(remarks)
    if options.json is not None:
        write(options.json, figures)


if __name__ == "__main__":
    main()

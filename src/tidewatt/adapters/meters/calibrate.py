"""Calibrations in the state folder, and the measuring that makes one."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import psutil

from tidewatt.accounting import calibration as figures
from tidewatt.accounting.calibration import Calibration
from tidewatt.accounting.gpu import ERROR_SHARE
from tidewatt.adapters import cgroup
from tidewatt.adapters.meters import nvml
from tidewatt.adapters.meters.model import PowerModel
from tidewatt.adapters.meters.nvml import NAME, NvmlMeter
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.meters.proc import Processors
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.errors import Refused, UsageError
from tidewatt.ports import Clock, Meter

_EVERY_S = 0.5
_MOST_S = 600.0
_SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    sum(range(1_000_000))
"""
"""Keeps a processor busy for as long as whoever started it lives."""


def machine(cpuinfo: Path = Path("/proc/cpuinfo"), identity: Path = Path("/etc/machine-id")) -> str:
    """The hardware in words, and a short hash of which piece of it this is.

    Another processor, another count of them or other memory make it another machine.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    try:
        which = identity.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        which = platform.node()
    model = models[0] if models else platform.machine()
    memory_gb = round(psutil.virtual_memory().total / 1e9)
    piece = sha256(which.encode()).hexdigest()[:8]
    return f"{model}, {psutil.cpu_count()} processors, {memory_gb} GB, {piece}"


def load(folder: Path, machine: Callable[[], str] = machine) -> tuple[Calibration | None, str]:
    """The newest calibration in a folder if it is of this machine, and in words what there is."""
    versions = sorted(int(file.stem) for file in folder.glob("*.json") if file.stem.isdecimal())
    if not versions:
        return None, "none: `tidewatt doctor --calibrate` measures what this machine draws at rest"
    file = folder / f"{versions[-1]}.json"
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError) as error:
        return None, f"{file} cannot be read ({error}), so it is not used: calibrate again"
    here = machine()
    if found.machine != here:
        return None, (
            f"{found.name} is not used: it is of {found.machine}, and this is {here}; "
            "calibrate again: `tidewatt doctor --calibrate`"
        )
    return found, told(found)


def told(found: Calibration) -> str:
    """A calibration in words."""
    parts: list[str] = []
    idle, busy, each = found.idle_w, found.busy_w, found.w_per_busy_cpu
    if idle is not None and busy is not None and each is not None:
        parts.append(
            f"{idle.value:.1f} W at rest ({idle.low:.1f} to {idle.high:.1f}), "
            f"{busy.value:.1f} W at full load ({busy.low:.1f} to {busy.high:.1f}), "
            f"{each.value:.1f} W for each busy processor, by {found.counter}"
        )
    parts += [f"GPU {uuid} {w.value:.1f} W at rest" for uuid, w in found.gpus_idle_w.items()]
    return f"{found.name}: {'; '.join(parts)}"


def save(folder: Path, made: Calibration) -> None:
    """Keep a calibration beside those before it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{made.version}.json"
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    part.replace(file)


def next_version(folder: Path) -> int:
    """One above the highest that is kept, readable or not."""
    return 1 + max((int(file.stem) for file in folder.glob("*.json") if file.stem.isdecimal()), default=0)


def power_model(found: Calibration) -> PowerModel | None:
    """The straight line between the two powers of a calibration; its figures hold memory as well."""
    if found.idle_w is None or found.busy_w is None:
        return None
    share = 1 / found.cpus
    return PowerModel(idle_w_per_cpu=found.idle_w.scaled(share), max_w_per_cpu=found.busy_w.scaled(share))


@dataclass(frozen=True, slots=True)
class Against:
    """What this machine can be calibrated against."""

    counters: PowercapMeter
    gpus: NvmlMeter | None
    why_no_gpus: str
    clock: Clock
    wait: Callable[[float], object]

    @classmethod
    def found(cls, clock: Clock, wait: Callable[[float], object]) -> "Against":
        """The counters that there are; ``wait`` passes real seconds."""
        gpus, why = nvml.find()
        return cls(PowercapMeter(), gpus, why, clock, wait)

    def calibrate(self, version: int, seconds: float, wall_watts: tuple[float, float] | None) -> Calibration:
        """Measure for so many seconds at rest and as many at full load, or take the figures given.

        Raises:
            UsageError: there is nothing to calibrate against, or figures were given beside a counter.
            Refused: the machine is not at rest, or cannot be brought to full load.
        """
        if not 1 <= seconds <= _MOST_S:
            raise UsageError(f"--seconds {seconds:g}", f"from 1 to {_MOST_S:g}")
        if self.counters.available() and wall_watts is not None:
            raise UsageError(
                "figures of a wall meter on a machine with a counter",
                "one of them",
                "leave out --idle-watts and --busy-watts: the counter knows what it counts",
            )
        if not self.counters.available() and self.gpus is None and wall_watts is None:
            raise UsageError(
                f"nothing to calibrate against: {self.counters.why}; NVML: {self.why_no_gpus}",
                "a counter, or figures of a wall meter at rest and at full load",
                "with a wall meter: `tidewatt doctor --calibrate --idle-watts 40 --busy-watts 95`",
            )
        idle_w = busy_w = None
        counter, samples = NAME, round(seconds / _EVERY_S)
        cpus = cgroup.processors()
        at_rest = {} if self.gpus is None else gpus_at_rest(self.gpus, self.wait, seconds)
        if wall_watts is not None:
            counter, samples = "wall meter", 1
            idle_w, busy_w = figures.from_wall_meter(*wall_watts)
        elif self.counters.available():
            counter = self.counters.name
            cpus = Processors(visible=None).look(self.clock).cpus  # a counter counts whole packages
            idle_w, busy_w, samples = measured(self.counters, self.clock, self.wait, seconds)
        return Calibration(
            version=version,
            made_wall=self.clock.wall(),
            machine=machine(),
            counter=counter,
            cpus=cpus,
            seconds=0.0 if wall_watts is not None else seconds,
            samples=samples,
            idle_w=idle_w,
            busy_w=busy_w,
            gpus_idle_w=at_rest,
        )


def measured(
    counter: Meter, clock: Clock, wait: Callable[[float], object], seconds: float
) -> tuple[Estimate, Estimate, int]:
    """Power at rest and at full load by a counter, and how many readings were taken of each.

    Raises:
        Refused: the machine is not at rest, or cannot be brought to full load.
    """
    idle = _readings(counter, clock, wait, seconds)
    idle_w = figures.at_rest(idle)
    with _busy():
        wait(_EVERY_S)  # until the processors have reached their pace
        busy = _readings(counter, clock, wait, seconds)
    return idle_w, figures.at_full_load(busy, idle_w), min(len(idle), len(busy))


def gpus_at_rest(gpus: NvmlMeter, wait: Callable[[float], object], seconds: float) -> dict[str, Estimate]:
    """Watts of those GPUs on which nothing lives, by UUID."""
    seen: dict[str, list[float]] = {}
    for _ in range(max(1, round(seconds / _EVERY_S))):
        wait(_EVERY_S)
        for uuid, watts in gpus.watts_at_rest().items():
            seen.setdefault(uuid, []).append(watts)
    return {
        uuid: Estimate(sum(of) / len(of), min(of) * (1 - ERROR_SHARE), max(of) * (1 + ERROR_SHARE))
        for uuid, of in seen.items()
    }


def _readings(
    counter: Meter, clock: Clock, wait: Callable[[float], object], seconds: float
) -> list[EnergyReading]:
    counter.read(clock)
    found: list[EnergyReading] = []
    until = clock.wall() + seconds
    while clock.wall() < until:
        wait(_EVERY_S)
        reading = counter.read(clock)
        if reading is not None and reading.tier is Tier.COUNTER:
            found.append(reading)
    if not found:
        raise Refused(f"no reading of {counter.name} in {seconds:g} s", "a counter that counts")
    return found


@contextmanager
def _busy() -> Generator[None]:
    """Keep every processor that we may use busy during the body."""
    command = [sys.executable, "-c", _SPIN, str(os.getpid())]
    spinning = [subprocess.Popen(command) for _ in range(cgroup.processors())]  # noqa: S603 - our own
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()

"""Which meters this node has, and the best of them."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidewatt.adapters import cgroup
from tidewatt.adapters.meters.model import ModelMeter, PowerModel, memory_gb
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.meters.proc import Processors
from tidewatt.domain.estimate import Tier
from tidewatt.errors import UsageError
from tidewatt.ports import Meter

if TYPE_CHECKING:
    from tidewatt.accounting.calibration import Calibration
    from tidewatt.adapters.meters.nvml import NvmlMeter

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class MeterFinding:
    """Whether a meter works on this node, and why or why not, in words for people.

    ``beside`` says that it reads devices which the others do not, and is used beside the first usable one.
    """

    name: str
    tier: Tier
    usable: bool
    why: str
    beside: bool = False


@contextmanager
def at_hand(calibrations: Path, log: Path | None = None) -> "Generator[tuple[Meter, NvmlMeter | None]]":
    """The best meter of this node and that of its GPUs, as it is calibrated, for as long as the body lasts.

    Raises:
        UsageError: the log cannot be read.
    """
    from tidewatt.adapters.meters import calibrate, nvml  # noqa: PLC0415 - the first reading is not to wait for what few machines have

    calibration, _ = calibrate.load(calibrations)
    meter = best_meter(log=log, calibration=calibration)
    gpus, _ = nvml.find(calibration)
    try:
        yield meter, gpus
    finally:
        if gpus is not None:
            gpus.close()


def surveyed(calibrations: Path, log: Path | None = None) -> list[MeterFinding]:
    """The survey of this node as it is calibrated."""
    from tidewatt.adapters.meters import calibrate  # noqa: PLC0415 - the same

    return survey(log=log, calibration=calibrate.load(calibrations)[0])


def survey(
    powercap: Path = POWERCAP, log: Path | None = None, calibration: "Calibration | None" = None
) -> list[MeterFinding]:
    """All meters that Tidewatt knows, best first; the last one works everywhere."""
    from tidewatt.adapters.meters import nvml  # noqa: PLC0415 - the same

    found = [] if log is None else [_replay(log)]
    counters, model = _counters(powercap, calibration), _model(calibration)
    found.append(MeterFinding(counters.name, Tier.COUNTER, counters.available(), counters.why))
    how = (
        "published watts, within a factor of 2 to 4"
        if model.tier is Tier.MODEL
        else "this machine's own watts"
    )
    why = f"infers energy from processor time and {how}; it needs no counters"
    found.append(MeterFinding(model.name, model.tier, True, why))
    gpus, why = nvml.find()
    found.append(MeterFinding(nvml.NAME, Tier.COUNTER, gpus is not None, why, beside=True))
    if gpus is not None:
        gpus.close()
    return found


def best_meter(
    powercap: Path = POWERCAP, log: Path | None = None, calibration: "Calibration | None" = None
) -> Meter:
    """The first usable meter of the survey, with the next behind it where it may end, and nothing read yet.

    Raises:
        UsageError: the log cannot be read.
    """
    counters = _counters(powercap, calibration)
    meter: Meter = counters if counters.available() else _standing(calibration)
    if log is None:
        return meter
    from tidewatt.adapters.meters.replay import ReplayMeter, read_log  # noqa: PLC0415 - the same
    from tidewatt.adapters.meters.standby import StandbyMeter  # noqa: PLC0415 - the same

    return StandbyMeter(ReplayMeter(read_log(log)), meter)


def _standing(calibration: "Calibration | None") -> Meter:
    """The model; where it counts what our control group uses, with one behind it that counts all."""
    limit = cgroup.limit()
    if limit is None:
        return _model(calibration)
    from tidewatt.adapters.meters.standby import StandbyMeter  # noqa: PLC0415 - the same

    return StandbyMeter(_model(calibration, Processors(limit=limit)), _model(None))


def _counters(powercap: Path, calibration: "Calibration | None") -> PowercapMeter:
    if calibration is None or calibration.counter != PowercapMeter.name:
        return PowercapMeter(powercap)
    from tidewatt.adapters.meters.calibrate import power_model  # noqa: PLC0415 - the same

    return PowercapMeter(powercap, calibration.idle_w, power_model(calibration), calibration=calibration.name)


def _model(calibration: "Calibration | None", processors: Processors | None = None) -> ModelMeter:
    published = PowerModel(memory_gb=memory_gb())
    if calibration is None:
        return ModelMeter(published, processors)
    from tidewatt.adapters.meters.calibrate import power_model  # noqa: PLC0415 - the same

    model = power_model(calibration)
    return ModelMeter(model or published, processors, calibration.name if model else "")


def _replay(log: Path) -> MeterFinding:
    from tidewatt.adapters.meters.replay import ReplayMeter, read_log  # noqa: PLC0415 - the same

    try:
        stretches = read_log(log)
    except UsageError as error:
        return MeterFinding(ReplayMeter.name, Tier.MODEL, False, str(error))
    seconds = stretches[-1].end_s - stretches[0].start_s
    tier = max(stretch.tier for stretch in stretches)
    return MeterFinding(ReplayMeter.name, tier, True, f"{seconds:g} s of {log.name}, then the next one")

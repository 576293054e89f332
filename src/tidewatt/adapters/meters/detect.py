"""Which meters this node has, and the best of them."""

from dataclasses import dataclass
from pathlib import Path

from tidewatt.adapters.meters.model import ModelMeter, PowerModel, memory_gb
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.domain.estimate import Tier
from tidewatt.ports import Meter

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class MeterFinding:
    """Whether a meter works on this node, and why or why not, in words for people."""

    name: str
    tier: Tier
    usable: bool
    why: str


def survey(powercap: Path = POWERCAP) -> list[MeterFinding]:
    """All meters that Tidewatt knows, best first; the last one works everywhere."""
    counters = PowercapMeter(powercap)
    return [
        MeterFinding(counters.name, Tier.COUNTER, counters.available(), counters.why),
        MeterFinding(
            ModelMeter.name,
            Tier.MODEL,
            True,
            "infers energy from processor time and published watts, within a factor of 2 to 4; "
            "it needs no counters",
        ),
    ]


def best_meter(powercap: Path = POWERCAP) -> Meter:
    """The first usable meter of the survey, with nothing read from it yet."""
    counters = PowercapMeter(powercap)
    if counters.available():
        return counters
    return ModelMeter(PowerModel(memory_gb=memory_gb()))

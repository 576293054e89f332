"""Energy from the RAPL counters of the processors, as Linux shows them under /sys/class/powercap."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidewatt.adapters.meters.model import PowerModel
from tidewatt.adapters.meters.proc import Moment, Processors, busy_between
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.units import MICROJOULES
from tidewatt.errors import TidewattError
from tidewatt.ports import Clock

ERROR_SHARE = 0.05
"""Half the width of the range of a counter: RAPL follows the power at the wall with a correlation of 0.99,
and an error of a few percent since Haswell.

Source: Khan, Hirki, Niemi, Nurminen, Ou: RAPL in Action, ACM TOMPECS 3(2), 2018.
"""
MOST_W = 600.0
"""More than any processor package or its memory draws (the largest are specified for 500 W); what a counter
shows beyond it is a reset and not energy."""
SLACK_S = 1.0
"""How far the instants of the clock and of the counters may lie apart on a busy node."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One counter: it counts microjoules up to ``most_uj`` and then begins again."""

    file: Path
    most_uj: int

    def read_uj(self) -> int | None:
        """The count now, or None if it cannot be read any more."""
        try:
            return int(self.file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class _Sample:
    moment: Moment
    counts_uj: tuple[int | None, ...]


class PowercapMeter:
    """A meter of tier 1: all packages and their memory, once each.

    Package domains include their cores and graphics, whose own counters are left out, as is ``psys``,
    which includes the packages. Fans, disks, network and losses of the power supply are not counted.
    An interval that the counters do not explain is modelled instead, as tier 3 under a name that says why.

    ``idle_watts`` is the power of the idle node where it was calibrated; otherwise the static part is that
    of ``model``; ``calibration`` names where either is from. Read it at least every few minutes: a counter of
    65 kJ wraps in that time.
    """

    name = "powercap"

    def __init__(
        self,
        root: Path = Path("/sys/class/powercap"),
        idle_watts: Estimate | None = None,
        model: PowerModel | None = None,
        processors: Processors | None = None,
        calibration: str = "",
    ) -> None:
        self.name = f"{PowercapMeter.name}, {calibration}" if calibration else PowercapMeter.name
        self._model = model or PowerModel()
        self._idle_watts = idle_watts
        # Counters cover whole packages, so the time of every processor is wanted, not of ours alone.
        self._processors = processors or Processors(visible=None)
        self._domains, self.why = _discover(root)
        self._before: _Sample | None = None

    def available(self) -> bool:
        """Whether there are counters and all can be read; ``why`` says in words what is or is not there."""
        return bool(self._domains)

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before.

        Returns:
            None on the first call, and where no time has passed or no counter has moved yet; the next
            reading then covers what this one left out.

        Raises:
            TidewattError: the meter is not available.
        """
        if not self._domains:
            raise TidewattError(self.why, "readable energy counters", "use the model of processor time")
        before, after = self._before, self._sample(clock)
        if before is None:
            self._before = after
            return None
        wall_s = after.moment.wall - before.moment.wall
        if wall_s <= 0 or after.moment.at < before.moment.at:
            return None
        used_uj = [
            energy_between(first, second, domain.most_uj, wall_s)
            for domain, first, second in zip(self._domains, before.counts_uj, after.counts_uj, strict=True)
        ]
        if not any(used is None or used > 0 for used in used_uj):
            if wall_s <= SLACK_S:
                return None
            used_uj = [None]  # counters that stand still for so long are stuck, and missing is not zero
        self._before = after
        return self._reading(before.moment, after.moment, used_uj)

    def _sample(self, clock: Clock) -> _Sample:
        return _Sample(self._processors.look(clock), tuple(domain.read_uj() for domain in self._domains))

    def _reading(self, before: Moment, after: Moment, used_uj: Sequence[int | None]) -> EnergyReading:
        wall_s, busy_cpu_s = after.wall - before.wall, busy_between(before, after)
        explained = [used for used in used_uj if used is not None]
        counted = Estimate(
            sum(explained), sum(explained) * (1 - ERROR_SHARE), sum(explained) * (1 + ERROR_SHARE)
        )
        static, dynamic = self._model.energy_uj(after.cpus, busy_cpu_s, wall_s)
        if len(explained) == len(used_uj):
            meter, tier, energy = self.name, Tier.COUNTER, counted
        else:
            meter, tier = f"{self.name} (modelled: counters do not explain the interval)", Tier.MODEL
            energy = _at_least(static + dynamic, counted)
        if self._idle_watts is not None:
            static = self._idle_watts.scaled(wall_s * MICROJOULES)
        energy_uj = round(energy.value)
        return EnergyReading(
            meter=meter,
            tier=tier,
            start_at=before.at,
            end_at=after.at,
            wall_s=wall_s,
            energy_uj=energy_uj,
            static_uj=min(energy_uj, round(static.value)),
            low_uj=min(energy_uj, math.floor(energy.low)),
            high_uj=max(energy_uj, math.ceil(energy.high)),
            busy_cpu_s=busy_cpu_s,
            cpus=after.cpus,
        )


def energy_between(first: int | None, second: int | None, most_uj: int, wall_s: float) -> int | None:
    """Microjoules from one count to the next, over at most one wrap.

    Returns:
        None if that is not known: a count is missing, the counter was reset (the energy would be more than
        a package can draw), or so much time has passed that it may have wrapped more often.
    """
    if first is None or second is None:
        return None
    used = (second - first) % (most_uj + 1)
    possible = MOST_W * (wall_s + SLACK_S) * MICROJOULES
    return used if used <= possible < used + most_uj + 1 else None


def _at_least(estimate: Estimate, floor: Estimate) -> Estimate:
    return Estimate(
        max(estimate.value, floor.value), max(estimate.low, floor.low), max(estimate.high, floor.high)
    )


def _discover(root: Path) -> tuple[tuple[Domain, ...], str]:
    """All counters below ``root``, or none, with what a person should know about it."""
    try:
        files = [folder / "energy_uj" for folder in _folders(root)]
        domains = tuple(
            Domain(file, int((file.parent / "max_energy_range_uj").read_text(encoding="ascii")))
            for file in files
        )
        for file in files:
            int(file.read_text(encoding="ascii"))
    except PermissionError as error:
        return (), (
            f"the counter {error.filename} may only be read by root: allow it with "
            f"'sudo chmod a+r {root}/intel-rapl*/energy_uj' until the next boot"
        )
    except (OSError, ValueError) as error:
        return (), f"a counter below {root} cannot be read ({error})"
    if not domains:
        return (), (
            f"no RAPL package below {root}: virtual machines and containers hide it; on a machine of your "
            "own 'sudo modprobe intel_rapl_msr' may show it"
        )
    return domains, f"{len(domains)} RAPL counters below {root}"


def _folders(root: Path) -> Iterator[Path]:
    """Folders of packages and their memory; ``intel-rapl-mmio`` shows the same packages a second time."""
    for folder in sorted(root.glob("intel-rapl:*")):
        name = (folder / "name").read_text(encoding="ascii").strip()
        if name.startswith("package") or name == "dram":
            yield folder

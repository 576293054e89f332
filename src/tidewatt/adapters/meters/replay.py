"""Energy from a file, such as the log of a power meter."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tidewatt.adapters import csvfile
from tidewatt.adapters.meters.proc import Moment, Processors, busy_between
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.domain.units import MICROJOULES
from tidewatt.errors import TidewattError, UsageError
from tidewatt.ports import Clock

COLUMNS = ("start_s", "end_s", "power_w", "low_w", "high_w")
FURTHER = ("static_w", "tier")
_ALIKE_S = 1e-6
"""Instants that differ by less are the same one, written with fewer digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The power of the node between two instants of a log, in seconds from any origin."""

    start_s: float
    end_s: float
    power_w: Estimate
    static_w: float = 0.0
    tier: Tier = Tier.MODEL


def read_log(path: Path) -> tuple[Stretch, ...]:
    """The stretches of a log, which follow one another without gap or overlap.

    Columns: ``start_s``, ``end_s``, ``power_w`` and its range ``low_w``, ``high_w``; and, where they are
    known, ``static_w``, what the idle node draws (default 0), and ``tier``, 1 to 4 (default 3: what another
    meter saw at another time is a model of what happens now).

    Raises:
        UsageError: a column is missing or unknown, a figure is no number, infinite, negative or out of
            order, the clock of the log goes back, intervals overlap or leave a gap, or there are none.
    """
    with csvfile.opened(path) as rows:
        header = [name.strip() for name in next(rows, list[str]())]
        _check_header(path, header)
        stretches = tuple(
            _stretch(f"{path.name}, line {line}", dict(zip(header, row, strict=False)))
            for line, row in enumerate(rows, start=2)
            if row
        )
    if not stretches:
        raise UsageError(f"{path.name}, which has no lines", "at least one interval")
    for line, (one, two) in enumerate(pairwise(stretches), start=3):
        _check_order(f"{path.name}, line {line}", one, two)
    return stretches


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in {*COLUMNS, *FURTHER}]
    if missing or unknown:
        found = f"no column {', '.join(missing)}" if missing else f"a column {', '.join(unknown)}"
        raise UsageError(
            f"{found} in {path.name}",
            f"the columns {','.join(COLUMNS)} and, if known, {','.join(FURTHER)}",
            "where the range of the power is not known, give that of the meter that wrote the log",
        )


def _stretch(where: str, row: dict[str, str]) -> Stretch:
    start_s, end_s, *power = (_number(where, name, row.get(name, "")) for name in COLUMNS)
    static_w = _number(where, "static_w", row.get("static_w") or "0")
    tier = row.get("tier") or str(int(Tier.MODEL))
    if tier not in {str(int(one)) for one in Tier}:
        raise UsageError(f"tier {tier!r} in {where}", "1, 2, 3 or 4")
    value, low, high = power
    if min(low, static_w) < 0:
        raise UsageError(
            f"a negative power in {where}", "watts of 0 or more", "a meter that runs backwards is wired so"
        )
    if not low <= value <= high:
        raise UsageError(f"power {value:g} outside of {low:g} to {high:g} in {where}", "low <= power <= high")
    if end_s <= start_s:
        raise UsageError(
            f"an interval from {start_s:g} to {end_s:g} in {where}",
            "an end after the start",
            "see whether the clock of the log was set back",
        )
    return Stretch(
        start_s=start_s,
        end_s=end_s,
        power_w=Estimate(value, low, high),
        static_w=static_w,
        tier=Tier(int(tier)),
    )


def _number(where: str, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name} {text!r} in {where}", "a finite number")
    return number


def _check_order(where: str, one: Stretch, two: Stretch) -> None:
    if two.start_s < one.start_s - _ALIKE_S:
        raise UsageError(
            f"a clock that goes back from {one.start_s:g} to {two.start_s:g} at {where}",
            "intervals in order of time",
        )
    if two.start_s < one.end_s - _ALIKE_S:
        raise UsageError(
            f"an overlap of {one.end_s - two.start_s:g} s at {where}",
            "each instant covered once",
            "give each interval its own time",
        )
    if two.start_s > one.end_s + _ALIKE_S:
        raise UsageError(
            f"a gap of {two.start_s - one.end_s:g} s before {where}",
            "intervals that follow one another",
            "cut the log there, or say what was drawn in between: missing is not zero",
        )


class ReplayMeter:
    """The power of a log, played from its start at the first reading; its processor time is the node's own.

    When the log has ended it says so with a ``TidewattError``, and for another meter to go on.
    """

    name = "replay"

    def __init__(self, stretches: tuple[Stretch, ...], processors: Processors | None = None) -> None:
        self._stretches = stretches
        self._processors = processors or Processors()
        self._starts = [stretch.start_s for stretch in stretches]
        self._before_uj: list[tuple[float, ...]] = [(0.0, 0.0, 0.0, 0.0)]
        """Microjoules from the start of the log to that of each stretch."""
        for one in stretches:
            done = zip(self._before_uj[-1], _uj(one, one.end_s - one.start_s), strict=True)
            self._before_uj.append(tuple(a + b for a, b in done))
        self._first: Moment | None = None
        self._before: Moment | None = None

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before.

        Returns:
            None on the first call, where no time has passed or the clock was set back.

        Raises:
            TidewattError: the log has ended.
        """
        before, after = self._before, self._processors.look(clock)
        if before is None or self._first is None:
            self._first = self._before = after
            return None
        wall_s = after.wall - before.wall
        if wall_s <= 0 or after.at < before.at:
            return None
        start_s, end_s = (self._starts[0] + moment.wall - self._first.wall for moment in (before, after))
        if end_s > self._stretches[-1].end_s:
            raise TidewattError("a log that has ended", "one that is longer than the run")
        self._before = after
        energy, static_uj = self._uj(start_s, end_s)
        energy_uj = round(energy.value)
        return EnergyReading(
            meter=self.name,
            tier=max(stretch.tier for stretch in self._between(start_s, end_s)),
            start_at=before.at,
            end_at=after.at,
            wall_s=wall_s,
            energy_uj=energy_uj,
            static_uj=min(energy_uj, static_uj),
            low_uj=min(energy_uj, math.floor(energy.low)),
            high_uj=max(energy_uj, math.ceil(energy.high)),
            busy_cpu_s=busy_between(before, after),
            cpus=after.cpus,
        )

    def _between(self, start_s: float, end_s: float) -> list[Stretch]:
        first = max(0, bisect_right(self._starts, start_s) - 1)
        return [stretch for stretch in self._stretches[first:] if stretch.start_s < end_s]

    def _uj(self, start_s: float, end_s: float) -> tuple[Estimate, int]:
        """Energy and its static part between two instants of the log, each rounded from the log's start.

        Microjoules are counted from there, so that the sum of readings is that of one over the whole time.
        """
        end, begin = self._until_uj(end_s), self._until_uj(start_s)
        value, low, high, static = (round(e) - round(b) for e, b in zip(end, begin, strict=True))
        return Estimate(value, low, high), static

    def _until_uj(self, at_s: float) -> tuple[float, ...]:
        index = max(0, bisect_right(self._starts, at_s) - 1)
        of_part = _uj(self._stretches[index], at_s - self._starts[index])
        return tuple(a + b for a, b in zip(self._before_uj[index], of_part, strict=True))


def _uj(stretch: Stretch, seconds: float) -> tuple[float, ...]:
    watts = (stretch.power_w.value, stretch.power_w.low, stretch.power_w.high, stretch.static_w)
    return tuple(w * seconds * MICROJOULES for w in watts)

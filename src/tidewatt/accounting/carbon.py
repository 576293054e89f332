"""Operational carbon: energy priced at the intensity of the grid while it was drawn."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.factors import Impact
from tidewatt.domain.estimate import ZERO, Estimate, total
from tidewatt.domain.ledger import Balance
from tidewatt.domain.signal import Reading, Signal
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Energy of a machine, drawn evenly over an interval of the world's clock.

    ``energy_j`` is machine energy as the meter counts it, ``meter`` what one such joule may really be.
    They are kept apart because two runs read by one meter share its error and not each other's.
    """

    zone: str
    start_at: float
    end_at: float
    energy_j: Estimate
    meter: Estimate

    @classmethod
    def of(cls, balance: Balance) -> "Spent":
        """The energy of a balance."""
        energy = balance.energy_j
        return cls(
            zone=balance.zone,
            start_at=balance.start_at,
            end_at=balance.end_at,
            energy_j=Estimate.exact(energy.value),
            meter=ratio(energy),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """All energy that was drawn in one hour of one zone, with the intensity that prices it, gCO2e/kWh.

    ``filled`` says that the hour has no reading and that the intensity is carried over from others; ``pue``
    is facility energy per machine energy in that hour.
    """

    zone: str
    hour_at: float
    filled: bool
    energy_j: Estimate
    intensity: Estimate
    pue: Estimate

    @property
    def grid_g(self) -> Estimate:
        """Grams at the machine: before PUE and the range of the meter."""
        return self.energy_j.scaled(1 / JOULES_PER_KWH) * self.intensity


@dataclass(frozen=True, slots=True, kw_only=True)
class Operational:
    """Operational carbon of some energy, and how much of it could be priced.

    ``carbon`` is None when any of the energy was drawn where the grid has no data at all: a sum that
    leaves energy out would tell missing as zero. ``lots`` are what was priced, by zone and hour.
    ``filled_j`` was drawn in hours without data and priced at the mean of the known hours; ``unpriced_j``
    was drawn in zones without any.
    """

    carbon: Impact | None
    lots: tuple[Lot, ...]
    energy_j: float
    filled_j: float
    unpriced_j: float
    unpriced_zones: tuple[str, ...]

    @property
    def filled_share(self) -> float:
        """The share of the energy that was drawn in hours without data."""
        return self.filled_j / self.energy_j if self.energy_j else 0.0

    @property
    def intensity(self) -> float | None:
        """The mean intensity that the energy was priced at, gCO2e/kWh; None if that is not known."""
        if self.carbon is None or self.energy_j == 0:
            return None
        return total(lot.grid_g for lot in self.lots).value / (self.energy_j / JOULES_PER_KWH)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of an interval that lies in one hour; ``share`` is of the interval's length."""

    hour_at: float
    filled: bool
    intensity: Estimate
    share: float


def operational(spent: Iterable[Spent], conditions: Conditions) -> Operational:
    """Sum ``energy * PUE * intensity`` over all that was spent, gCO2e.

    Source of the formula: the Software Carbon Intensity specification (ISO/IEC 21031:2024), its ``E * I``
    with ``E`` taken at the facility.

    Returns:
        The carbon with its full range, or None in it where a zone has no data.
    """
    carbon = ZERO
    energy_j = unpriced_j = 0.0
    dark: set[str] = set()
    known_by: dict[str, None] = {}
    lots: dict[tuple[str, float, bool], Lot] = {}
    for piece in spent:
        energy_j += piece.energy_j.value
        slices = slice_hours(conditions.intensity.get(piece.zone), piece.start_at, piece.end_at)
        if not slices:
            unpriced_j += piece.energy_j.value
            dark.add(piece.zone)
        for part in slices:
            pue, source = conditions.pue_at(piece.zone, part.hour_at)
            known_by[source] = None
            lot = Lot(
                zone=piece.zone,
                hour_at=part.hour_at,
                filled=part.filled,
                energy_j=piece.energy_j.scaled(part.share),
                intensity=part.intensity,
                pue=pue,
            )
            carbon = carbon + lot.grid_g * piece.meter * pue
            key = (lot.zone, lot.hour_at, lot.filled)
            before = lots.get(key)
            lots[key] = replace(lot, energy_j=before.energy_j + lot.energy_j) if before else lot
    return Operational(
        carbon=None if dark else Impact(carbon, "gCO2e", tuple(known_by), _method(known_by)),
        lots=tuple(lots.values()),
        energy_j=energy_j,
        filled_j=sum(lot.energy_j.value for lot in lots.values() if lot.filled),
        unpriced_j=unpriced_j,
        unpriced_zones=tuple(sorted(dark)),
    )


def marginal(spent: Iterable[Spent], conditions: Conditions) -> Impact | None:
    """What a little more demand brought about: ``energy * PUE * marginal intensity``, gCO2e.

    It answers another question than ``operational`` and is never added to it. Source: Greenhouse Gas
    Protocol, Guidelines for Quantifying GHG Reductions from Grid-Connected Electricity Projects (2007).

    Returns:
        None where a zone has no marginal intensity.
    """
    carbon = operational(spent, replace(conditions, intensity=conditions.marginal)).carbon
    return None if carbon is None or not conditions.marginal else replace(carbon, method="marginal/1")


def market_based(spent: Iterable[Spent], conditions: Conditions) -> Impact | None:
    """By what was bought in place of what was delivered: ``energy * PUE * intensity of the contract``, gCO2e.

    Source: Greenhouse Gas Protocol, Scope 2 Guidance (2015), its market-based method.

    Returns:
        None where the contract of a zone is not known.
    """
    carbon, ids = ZERO, dict[str, None]()
    for piece in spent:
        contract = conditions.factors.market_of(piece.zone)
        if contract is None:
            return None
        energy_kwh = piece.energy_j.scaled(1 / JOULES_PER_KWH) * piece.meter
        for share, pue, source in facility(piece, conditions):
            ids |= {source: None, contract.id: None}
            carbon = carbon + energy_kwh.scaled(share) * pue * contract.estimate
    return Impact(carbon, "gCO2e", tuple(ids), "market-based/1") if ids else None


def facility(piece: Spent, conditions: Conditions) -> Iterator[tuple[float, Estimate, str]]:
    """The parts of an interval with one PUE each: the share, the PUE, and what that is known from."""
    hours = slice_hours(conditions.pue.get(piece.zone), piece.start_at, piece.end_at)
    for share, at in [(part.share, part.hour_at) for part in hours] or [(1.0, piece.start_at)]:
        pue, source = conditions.pue_at(piece.zone, at)
        yield share, pue, source


def _method(known_by: Iterable[str]) -> str:
    """The second version takes a PUE of every hour where there is one."""
    return "operational/2" if any(source.startswith("hourly") for source in known_by) else "operational/1"


def slice_hours(signal: Signal | None, start_at: float, end_at: float) -> tuple[Slice, ...]:
    """Cut an interval at the hours of a signal.

    Hours without a reading count as the mean of all hours that have one, with the lowest and the highest
    of these as range.

    Returns:
        Slices whose shares sum to 1, or none where the signal has no reading at all.
    """
    if signal is None or not signal.readings:
        return ()
    fill = _fill(signal.readings)
    if end_at <= start_at:
        reading = signal.at(start_at)
        if reading is None:
            return (Slice(start_at // HOUR_S * HOUR_S, filled=True, intensity=fill, share=1.0),)
        return (Slice(reading.observed_at, filled=False, intensity=reading.estimate, share=1.0),)
    slices: list[Slice] = []
    instant = start_at
    while instant < end_at:
        reading = signal.at(instant)
        hour_at = instant // HOUR_S * HOUR_S if reading is None else reading.observed_at
        following = _next(signal.readings, instant) if reading is None else end_at
        until = min(end_at, following, hour_at + HOUR_S)
        slices.append(
            Slice(
                hour_at,
                filled=reading is None,
                intensity=fill if reading is None else reading.estimate,
                share=(until - instant) / (end_at - start_at),
            )
        )
        instant = until
    return tuple(slices)


def ratio(energy: Estimate) -> Estimate:
    """What one counted unit of an energy may really be: 1, with the relative range of the energy."""
    if energy.value == 0:
        return Estimate.exact(1.0)
    return Estimate(1.0, energy.low / energy.value, energy.high / energy.value)


def _fill(readings: tuple[Reading, ...]) -> Estimate:
    return Estimate(
        sum(r.value for r in readings) / len(readings),
        min(r.low for r in readings),
        max(r.high for r in readings),
    )


def _next(readings: tuple[Reading, ...], instant: float) -> float:
    index = bisect_right(readings, instant, key=lambda r: r.observed_at)
    return readings[index].observed_at if index < len(readings) else inf

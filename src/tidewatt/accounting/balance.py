"""Sums entries of the ledger that are alike, and those of all accounts over the time of one job."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from tidewatt.domain.ledger import SPAN_S, Balance, Holder, LedgerEntry


def balances(entries: Iterable[LedgerEntry]) -> list[Balance]:
    """One balance for all entries that are alike, in the order of the first entry of each."""
    return merged((Balance.of(entry), _crossing(number, entry)) for number, entry in enumerate(entries))


def merged(parts: Iterable[tuple[Balance, int]]) -> list[Balance]:
    """Sum balances that are alike; each comes with a number, 0 unless it must not be summed with others."""
    sums: dict[tuple[object, ...], Balance] = {}
    for part, crossing in parts:
        key = (
            part.account,
            part.phase,
            part.token,
            part.zone,
            part.workers,
            part.meter,
            part.tier,
            part.cpus,
            part.start_at // SPAN_S,
            crossing,
        )
        before = sums.get(key)
        sums[key] = part if before is None else _sum(before, part)
    return list(sums.values())


def beside(ledger: Sequence[LedgerEntry], job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
    """What each kind of account received from the readings of a job's time, microjoules.

    The ledger is in the order recorded. Instants alone do not tell a job's time, since two replays may
    pass through the same hours; so it is the readings around the job's own, as far as they overlap.
    """
    readings = _looks(ledger)
    mine = [
        i for i, entries in enumerate(readings) if any(e.allocation.account.job_id == job_id for e in entries)
    ]
    if not mine:
        return {}
    first, last = mine[0], mine[-1]
    while (
        first > 0 and start_at < readings[first - 1][0].reading.end_at <= readings[first][0].reading.start_at
    ):
        first -= 1
    while (
        last + 1 < len(readings)
        and readings[last][0].reading.end_at <= readings[last + 1][0].reading.start_at < end_at
    ):
        last += 1
    totals: Counter[Holder] = Counter()
    for entry in (e for entries in readings[first : last + 1] for e in entries):
        totals[entry.allocation.account.holder] += entry.allocation.energy_uj
    return dict(totals)


def _looks(ledger: Sequence[LedgerEntry]) -> list[list[LedgerEntry]]:
    """Entries by look at the node: those of one reading, and of the devices that were read with it."""
    looks: list[list[LedgerEntry]] = []
    meters: set[str] = set()
    for reading, entries in groupby(ledger, key=lambda e: e.reading):
        last = looks[-1][0].reading if looks else None
        together = last is not None and (last.start_at, last.end_at) == (reading.start_at, reading.end_at)
        if together and reading.meter not in meters:
            looks[-1] += entries
        else:
            looks.append(list(entries))
            meters.clear()
        meters.add(reading.meter)
    return looks


def _crossing(number: int, entry: LedgerEntry) -> int:
    """0 for a reading within one span, which prices as one with others of it; else a number of its own."""
    reading = entry.reading
    return 0 if reading.start_at // SPAN_S == reading.end_at // SPAN_S else number + 1


def _sum(one: Balance, other: Balance) -> Balance:
    return replace(
        one,
        start_at=min(one.start_at, other.start_at),
        end_at=max(one.end_at, other.end_at),
        energy_uj=one.energy_uj + other.energy_uj,
        low_j=one.low_j + other.low_j,
        high_j=one.high_j + other.high_j,
        machine_s=one.machine_s + other.machine_s,
        spare_uj=None if one.spare_uj is None or other.spare_uj is None else one.spare_uj + other.spare_uj,
    )

"""Holds what the ledger charged jobs that ran together against the Shapley value of what they cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from tidewatt.accounting.allocate import by_largest_remainder
from tidewatt.accounting.curve import PUBLISHED, Curve, Floats, fitted
from tidewatt.accounting.shapley import shapley
from tidewatt.domain.ledger import UNALLOCATED, Account, EnergyReading, Holder, LedgerEntry
from tidewatt.errors import UsageError

MOST_JOBS = 12
_AT_ONCE = 1 << 20
"""Figures worked on at a time, so that memory does not grow with the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one account received of the readings audited, microjoules.

    ``additive_uj`` is its Shapley value by the ledger's own rule, and ``shapley_uj`` the one by the curve.
    """

    account: Account
    ledger_uj: int
    additive_uj: int
    shapley_uj: int

    @property
    def difference(self) -> float | None:
        """By how much the Shapley value exceeds the charge, as a share of it; None where that is 0."""
        return (self.shapley_uj - self.ledger_uj) / self.ledger_uj if self.ledger_uj else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The readings that a job shared with other jobs, divided anew; every column sums to ``energy_uj``.

    ``unknown`` are further readings that it shared, whose processor times are not known: they are left out.
    ``entries`` are those of the ledger that were held against: each is rounded to a microjoule.
    """

    job_id: str
    readings: int
    unknown: int
    entries: int
    wall_s: float
    energy_uj: int
    curve: Curve
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class _Game:
    """Readings as rows, players as columns: real seconds reserved and used, energies in microjoules."""

    static: Floats
    dynamic: Floats
    capacity: Floats
    reserved: Floats
    used: Floats


def audit(job_id: str, ledger: Iterable[LedgerEntry]) -> Audit:
    """Divide what a job's readings hold by the Shapley value, over those that other jobs share.

    What a coalition of accounts costs is what the node would have drawn for it alone: static power by
    reservation, up to that of the whole node, and dynamic power by a concave curve over what it used,
    scaled so that all together draw what was read. The pool, the platform and what is unallocated are
    players like any other. See ADR 0026.

    Args:
        job_id: the job.
        ledger: entries of the whole node, in the order recorded.

    Raises:
        UsageError: it shared no reading, with too many jobs, or processor times are not known.
    """
    groups = [(reading, list(entries)) for reading, entries in groupby(ledger, key=lambda e: e.reading)]
    shared = [(reading, entries) for reading, entries in groups if _shares(job_id, entries)]
    known = [(reading, entries) for reading, entries in shared if _known(entries)]
    _check(job_id, shared, known)
    players = _players(job_id, known)
    game = _game(known, players)
    energy_uj = sum(reading.energy_uj for reading, _ in known)
    curve = fitted(reading for reading, _ in groups) or PUBLISHED
    charged = [
        sum(e.allocation.energy_uj for _, entries in known for e in entries if e.allocation.account == player)
        for player in players
    ]
    columns = zip(
        players, charged, _values(game, None, energy_uj), _values(game, curve, energy_uj), strict=True
    )
    return Audit(
        job_id=job_id,
        readings=len(known),
        unknown=len(shared) - len(known),
        entries=sum(len(entries) for _, entries in known),
        wall_s=sum(reading.wall_s for reading, _ in known),
        energy_uj=energy_uj,
        curve=curve,
        shares=tuple(
            Share(account=player, ledger_uj=ledger_uj, additive_uj=additive_uj, shapley_uj=shapley_uj)
            for player, ledger_uj, additive_uj, shapley_uj in columns
        ),
    )


def _shares(job_id: str, entries: Sequence[LedgerEntry]) -> bool:
    jobs = {e.allocation.account.job_id for e in entries if not e.reading.of_device} - {""}
    return job_id in jobs and len(jobs) > 1


def _known(entries: Sequence[LedgerEntry]) -> bool:
    return all(e.allocation.cpu_s is not None for e in entries if e.allocation.account != UNALLOCATED)


_Groups = Sequence[tuple[EnergyReading, Sequence[LedgerEntry]]]


def _check(job_id: str, shared: _Groups, known: _Groups) -> None:
    if not shared:
        raise UsageError(
            f"job {job_id}, which shared no reading with another job",
            "one that ran at the same time as others",
            "`tidewatt receipt` without --audit tells what it took",
        )
    if not known:
        raise UsageError(
            f"{len(shared)} readings that {job_id} shared, of which nobody kept who used what",
            "readings of this version, which keeps it",
            "audit a job that ran since",
        )
    jobs = {e.allocation.account.job_id for _, entries in known for e in entries} - {""}
    if len(jobs) > MOST_JOBS:
        raise UsageError(
            f"job {job_id}, which shared readings with {len(jobs) - 1} others",
            f"at most {MOST_JOBS} jobs in all, since each more doubles the coalitions",
            "audit one that had less company",
        )


def _players(job_id: str, known: _Groups) -> list[Account]:
    """The job, those it ran with in order, then what is shared; each once."""
    found = dict.fromkeys(e.allocation.account for _, entries in known for e in entries)
    found[UNALLOCATED] = None
    order = [Holder.JOB, Holder.POOL, Holder.PLATFORM, Holder.UNALLOCATED]
    return sorted(found, key=lambda account: (order.index(account.holder), account.job_id != job_id))


def _game(known: _Groups, players: Sequence[Account]) -> _Game:
    column = {player: number for number, player in enumerate(players)}
    reserved, used = np.zeros((2, len(known), len(players)))
    for row, (_, entries) in enumerate(known):
        for share in (e.allocation for e in entries):
            reserved[row, column[share.account]] += share.reserved_cpu_s
            used[row, column[share.account]] += share.cpu_s or 0.0
    capacity = np.array([r.cpus * r.wall_s for r, _ in known])
    busy = np.array([r.busy_cpu_s for r, _ in known])
    reserved[:, -1] = np.maximum(0.0, capacity - reserved.sum(axis=1))
    used[:, -1] = np.maximum(0.0, busy - used.sum(axis=1))
    used[used.sum(axis=1) == 0, -1] = 1.0  # power over idle that nobody's time explains is nobody's
    static = np.array([float(min(r.static_uj, r.energy_uj)) for r, _ in known])
    dynamic = np.array([float(r.energy_uj) for r, _ in known]) - static
    return _Game(static, dynamic, capacity, reserved, used)


def _values(game: _Game, curve: Curve | None, energy_uj: int) -> list[int]:
    costs = np.zeros(1 << game.reserved.shape[1])
    rows = max(1, _AT_ONCE // costs.size)
    for first in range(0, game.static.size, rows):
        costs += _costs(game, curve, slice(first, first + rows))
    whole = [0, *(round(float(cost)) for cost in costs[1:-1]), energy_uj]
    return by_largest_remainder(shapley(whole), energy_uj)


def _costs(game: _Game, curve: Curve | None, rows: slice) -> Floats:
    """Of every coalition over some readings; without a curve by the ledger's own rule, which is additive."""
    reserved, used = _by_coalition(game.reserved[rows]), _by_coalition(game.used[rows])
    capacity, of_use = game.capacity[rows, None], used / used[:, -1:]
    if curve is None:
        of_static, of_dynamic = reserved / np.maximum(capacity, reserved[:, -1:]), of_use
    else:
        busy = np.minimum(1.0, used[:, -1:] / capacity)
        of_static, of_dynamic = np.minimum(1.0, reserved / capacity), curve.part(of_use, busy)
    costs: Floats = (game.static[rows, None] * of_static + game.dynamic[rows, None] * of_dynamic).sum(axis=0)
    return costs


def _by_coalition(amounts: Floats) -> Floats:
    """For each row the sums over all sets of columns; column i is in the set whose index has bit i."""
    sums = np.zeros((len(amounts), 1))
    for column in amounts.T:
        sums = np.concatenate([sums, sums + column[:, None]], axis=1)
    return sums

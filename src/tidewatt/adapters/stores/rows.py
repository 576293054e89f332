"""Records of the domain as rows, and back."""

from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping

from tidewatt.domain.estimate import Tier
from tidewatt.domain.job import Attempt, Event, Job, Submission
from tidewatt.domain.ledger import Account, Allocation, EnergyReading, LedgerEntry
from tidewatt.domain.signal import Reading
from tidewatt.ports import Checkpointed

Row = RowMapping | dict[str, Any]
"""A row of a table, by the names of its columns."""

_SUBMISSION = tuple(f.name for f in fields(Submission))
QUEUED = (
    *_SUBMISSION,
    *("state", "wish", "token", "failures", "steps_done", "steps_reached", "unplanned", "priority"),
)
"""Columns of a job that is submitted."""
_JOB = tuple(f.name for f in fields(Job) if f.name != "submission")
_ATTEMPT = tuple(f.name for f in fields(Attempt))
_EVENT = tuple(f.name for f in fields(Event))
_ALLOCATION = tuple(f.name for f in fields(Allocation) if f.name != "account")
READING = tuple(f.name for f in fields(EnergyReading))
_READING = tuple(name for name in READING if name != "tier")
ALLOCATION = ("reading_id", "holder", "job_id", *_ALLOCATION)
_OF_READING = attrgetter(*READING[2:])
_OF_ALLOCATION = attrgetter(*_ALLOCATION[1:])
"""Of what is saved every second; what comes before them takes more than its attribute."""
_CHECKPOINT = tuple(f.name for f in fields(Checkpointed))
_SIGNAL = tuple(f.name for f in fields(Reading))


def _pick(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _values(record: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def submission_values(submission: Submission) -> dict[str, Any]:
    """The columns of a job that a submission fills."""
    return _values(submission, _SUBMISSION)


def job_of(row: Row) -> Job:
    """The job of a row."""
    return Job(submission=Submission(**_pick(row, _SUBMISSION)), **_pick(row, _JOB))


def attempt_values(attempt: Attempt) -> dict[str, Any]:
    """The columns of an attempt."""
    return _values(attempt, _ATTEMPT)


def attempt_of(row: Row) -> Attempt:
    """The attempt of a row."""
    return Attempt(**_pick(row, _ATTEMPT))


def checkpoint_values(checkpoint: Checkpointed) -> dict[str, Any]:
    """The columns of a checkpoint, but for when it was recorded."""
    return _values(checkpoint, _CHECKPOINT)


def event_values(event: Event) -> dict[str, Any]:
    """The columns of a move."""
    return _values(event, _EVENT)


def event_of(row: Row) -> Event:
    """The move of a row."""
    return Event(**_pick(row, _EVENT))


def reading_row(reading: EnergyReading) -> tuple[object, ...]:
    """The columns of a meter's reading, in the order of ``READING``."""
    return (reading.meter, int(reading.tier), *_OF_READING(reading))


def allocation_row(allocation: Allocation, reading_id: int) -> tuple[object, ...]:
    """The columns of a share of the reading with that number, in the order of ``ALLOCATION``."""
    account = allocation.account
    of_share = (reading_id, str(account.holder), account.job_id, str(allocation.phase))
    return (*of_share, *_OF_ALLOCATION(allocation))


def ledger_entry_of(share: Row, reading: EnergyReading) -> LedgerEntry:
    """The ledger's entry of an allocation's row and the reading it is a share of."""
    account = Account(share["holder"], share["job_id"])
    return LedgerEntry(reading=reading, allocation=Allocation(account=account, **_pick(share, _ALLOCATION)))


def energy_reading_of(row: Row) -> EnergyReading:
    """The meter's reading of a row."""
    return EnergyReading(tier=Tier(row["tier"]), **_pick(row, _READING))


def signal_values(grid: str, zone: str, reading: Reading) -> dict[str, Any]:
    """The columns of a grid's reading, as plain values for a statement in SQL."""
    return {**_values(reading, _SIGNAL), "grid": grid, "zone": zone, "quality": reading.quality.value}


def signal_reading_of(row: Row) -> Reading:
    """The grid's reading of a row."""
    return Reading(**_pick(row, _SIGNAL))

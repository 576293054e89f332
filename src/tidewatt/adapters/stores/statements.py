"""Statements of every turn of the loop, built once: building one costs more than the database does."""

from collections.abc import Collection
from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, or_, select, update

from tidewatt.adapters.stores import rows, tables, upserts
from tidewatt.adapters.stores.prepared import Prepared
from tidewatt.domain.job import Attempt, Event
from tidewatt.domain.lifecycle import ENDED, State, Wish

_jobs, _attempts = tables.jobs, tables.attempts

OPEN = or_(*(_jobs.c.state == state for state in State if state not in ENDED))
"""Of a job that has not ended."""

WORLD = Prepared(select(tables.world.c.world))

KEEP_WORLD = Prepared(upserts.KEEP_WORLD)

JOB = Prepared(select(_jobs).where(_jobs.c.id == bindparam("job_id")))

JOB_NAMED = Prepared(select(_jobs).where(_jobs.c.idempotency_key == bindparam("key")))

ANY_OPEN = Prepared(select(_jobs.c.seq).where(OPEN).limit(1))

COUNTS = select(_jobs.c.state, func.count().label("jobs")).group_by(_jobs.c.state)

LAST_IN = Prepared(
    select(_jobs)
    .where(_jobs.c.state == bindparam("state"))
    .order_by(_jobs.c.seq.desc())
    .limit(bindparam("most"))
)
"""The newest jobs in one state: in several at once, no index would lead past those that are in others."""

IDS = select(_jobs.c.id).order_by(_jobs.c.seq)

OTHERS = Prepared(select(_jobs).where(OPEN, _jobs.c.unplanned.is_(None)))

_UNPLANNED = (
    select(_jobs).where(_jobs.c.unplanned.is_not(None)).order_by(_jobs.c.priority.desc(), _jobs.c.seq)
)

UNWANTED = Prepared(_UNPLANNED.where(_jobs.c.wish == Wish.CANCEL).limit(bindparam("most")))
"""Of jobs that wait for room alone, the first that are to be cancelled."""

_FIRST = _UNPLANNED.where(_jobs.c.wish == Wish.RUN).limit(bindparam("most"))

FIRST_UNPLANNED = Prepared(_FIRST)
"""The same, the first that want to run."""

ATTEMPTS = Prepared(
    select(_attempts).where(_attempts.c.job_id == bindparam("job_id")).order_by(_attempts.c.token)
)

TOKEN = Prepared(select(_jobs.c.token).where(_jobs.c.id == bindparam("job_id")).with_for_update())
"""The newest attempt's, with the job held until the transaction ends."""

SAVE_EVENT = Prepared(insert(tables.events).inline(), [field.name for field in fields(Event)])

BEGIN_ATTEMPT = Prepared(insert(_attempts).inline(), [field.name for field in fields(Attempt)])

SAVE_ATTEMPT = Prepared(
    update(_attempts)
    .where(_attempts.c.job_id == bindparam("of_job"), _attempts.c.token == bindparam("of_token"))
    .values({column.name: bindparam(column.name) for column in _attempts.c})
)

QUEUE = Prepared(insert(_jobs).returning(*_jobs.c), rows.QUEUED)

FOLLOWERS = Prepared(
    select(tables.triggers.c.name, tables.triggers.c.cause).where(tables.triggers.c.kind == "after")
)
"""Triggers that follow jobs."""

WAITING = Prepared(
    select(tables.occasions)
    .where(tables.occasions.c.job_id.is_(None), tables.occasions.c.refused == "")
    .order_by(tables.occasions.c.seq)
)
"""Occasions that have neither a job nor a refusal."""


def first_unplanned(passed_over: Collection[str]) -> Select[tuple[object, ...]]:
    """Of jobs that wait for room alone, the first that want to run, but for the functions passed over."""
    return _FIRST.where(_jobs.c.unplanned.not_in(passed_over))


@lru_cache(maxsize=64)
def transition(changes: frozenset[str], *, fenced: bool) -> Prepared:
    """A move of a job out of the state ``before``, from which on it is not unplanned any more.

    Args:
        changes: the columns that are set along with ``state``.
        fenced: its token has to be ``last_token``.
    """
    statement = update(_jobs).where(_jobs.c.id == bindparam("job_id"), _jobs.c.state == bindparam("before"))
    if fenced:
        statement = statement.where(_jobs.c.token == bindparam("last_token"))
    values: dict[str, Any] = {name: bindparam(name) for name in changes | {"state"}}
    return Prepared(statement.values(unplanned=None, **values).returning(*_jobs.c))

"""Triggers and their occasions in a database: an occasion gets its job in the transaction that claims it."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from tidewatt.adapters.stores import rows, statements, tables
from tidewatt.adapters.stores.database import Database
from tidewatt.adapters.stores.moves import queue
from tidewatt.adapters.stores.upserts import CLAIM_OCCASION, NOTE_OCCASION
from tidewatt.domain.job import Job, Submission
from tidewatt.domain.trigger import After, Files, Fired, Occasion, Schedule, Trigger, after_job

_KINDS: dict[str, type[Any]] = {"schedule": Schedule, "files": Files, "after": After}
_PLAIN = tuple(f.name for f in fields(Trigger) if f.name != "cause")
_KEYS_AT_ONCE = 500


class SqlTriggers:
    """What is deployed, what is waiting for a job, and what each job came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deploy(self, trigger: Trigger) -> None:
        """Save a trigger, in place of another one of its name; the occasions of that stay known."""
        with self._database.writing(durable=True) as connection:
            connection.execute(delete(tables.triggers).where(tables.triggers.c.name == trigger.name))
            connection.execute(insert(tables.triggers).values(**_values(trigger)))

    def remove(self, name: str) -> bool:
        """Forget a trigger and the occasions that wait for a job; False if there is none of that name."""
        waiting = tables.occasions.c
        with self._database.writing(durable=True) as connection:
            connection.execute(
                delete(tables.occasions).where(
                    waiting.trigger_name == name, waiting.job_id.is_(None), waiting.refused == ""
                )
            )
            gone = connection.execute(delete(tables.triggers).where(tables.triggers.c.name == name))
            return gone.rowcount > 0

    def all(self) -> list[Trigger]:
        """What is deployed, by name."""
        with self._database.reading() as connection:
            found = connection.execute(select(tables.triggers).order_by(tables.triggers.c.name)).mappings()
            return [_trigger_of(row) for row in found]

    def known(self, name: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose occasions have had their job or their refusal."""
        known = tables.occasions.c
        found: set[str] = set()
        with self._database.reading() as connection:
            for first in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[first : first + _KEYS_AT_ONCE]
                settled = or_(known.job_id.is_not(None), known.refused != "")
                statement = select(known.key).where(known.trigger_name == name, known.key.in_(some), settled)
                found.update(connection.execute(statement).scalars())
        return found

    def fire(self, each: Iterable[tuple[Occasion, Submission]], *, wall: float) -> list[str]:
        """Submit the job of every occasion that has none; all of it is saved, or nothing.

        Returns:
            Identifiers of the jobs submitted.
        """
        submitted: list[str] = []
        with self._database.writing(durable=True) as connection:
            for occasion, submission in each:
                if _claim(connection, occasion, wall, job_id=submission.id):
                    queue(connection, submission)
                    submitted.append(submission.id)
        return submitted

    def refuse(self, occasion: Occasion, why: str, *, wall: float) -> None:
        """Note why an occasion gets no job, unless it has one."""
        with self._database.writing(durable=True) as connection:
            _claim(connection, occasion, wall, refused=why)

    def reach(self, name: str, wall: float) -> None:
        """Note up to when the times of a schedule have been dealt with."""
        with self._database.writing(durable=True) as connection:
            table = tables.triggers
            connection.execute(update(table).where(table.c.name == name).values(reached_wall=wall))

    def waiting(self) -> list[Occasion]:
        """Occasions that have neither a job nor a refusal, oldest first."""
        with self._database.reading() as connection:
            return [_fired_of(row).occasion for row in statements.WAITING.all(connection)]

    def origin_of(self, job_id: str) -> Occasion | None:
        """What a job was submitted for; None if somebody submitted it."""
        kept = tables.occasions
        with self._database.reading() as connection:
            row = connection.execute(select(kept).where(kept.c.job_id == job_id)).mappings().one_or_none()
            return None if row is None else _fired_of(row).occasion

    def last(self, name: str) -> Fired | None:
        """The newest occasion of a trigger."""
        kept = tables.occasions
        statement = select(kept).where(kept.c.trigger_name == name).order_by(kept.c.seq.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(statement).mappings().one_or_none()
            return None if row is None else _fired_of(row)

    def counts(self, name: str) -> tuple[int, int]:
        """How many occasions of a trigger got a job, and how many were refused."""
        kept = tables.occasions.c
        with self._database.reading() as connection:
            jobs, refused = (
                connection.execute(
                    select(func.count()).select_from(tables.occasions).where(kept.trigger_name == name, which)
                ).scalar_one()
                for which in (kept.job_id.is_not(None), kept.refused != "")
            )
            return jobs, refused


def note_success(connection: Connection, job: Job, wall: float) -> None:
    """Let each trigger that follows the function of a job have an occasion.

    What a replay comes to is no occasion, nor is what leaves no result to hand over.
    """
    if job.submission.world.replayed or job.result is None:
        return
    for row in statements.FOLLOWERS.all(connection):
        after = msgspec.json.decode(row["cause"], type=After)
        if after.follows(job.function.name, job.submission.payload.origin):
            noted = after_job(row["name"], job.id)
            values = {"trigger": row["name"], "key": noted.key, "said": noted.said, "wall": wall}
            connection.execute(NOTE_OCCASION, values)


def _claim(
    connection: Connection, occasion: Occasion, wall: float, *, job_id: str | None = None, refused: str = ""
) -> bool:
    values = {"trigger": occasion.trigger, "key": occasion.key, "said": occasion.said}
    claimed = connection.execute(
        CLAIM_OCCASION, {**values, "wall": wall, "job_id": job_id, "refused": refused}
    )
    return claimed.rowcount == 1


def _values(trigger: Trigger) -> dict[str, Any]:
    kind = next(kind for kind, shape in _KINDS.items() if isinstance(trigger.cause, shape))
    cause = msgspec.json.encode(trigger.cause).decode()
    return {**{name: getattr(trigger, name) for name in _PLAIN}, "kind": kind, "cause": cause}


def _trigger_of(row: RowMapping) -> Trigger:
    cause = msgspec.json.decode(row["cause"], type=_KINDS[row["kind"]])
    return Trigger(cause=cause, **{name: row[name] for name in _PLAIN})


def _fired_of(row: rows.Row) -> Fired:
    occasion = Occasion(trigger=row["trigger_name"], key=row["key"], said=row["said"])
    return Fired(occasion=occasion, wall=row["wall"], job_id=row["job_id"], refused=row["refused"])

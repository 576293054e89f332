"""How a job changes state: compare-and-set, with the event saved beside it."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from tidewatt.adapters.stores import rows, statements, tables
from tidewatt.domain.job import Attempt, Event, Job, Submission
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.errors import IllegalMove, StaleToken, TidewattError

CHANGEABLE = frozenset(
    {
        "wish",
        "failures",
        "steps_done",
        "steps_reached",
        "steps_total",
        "loss",
        "checkpoint",
        "result",
        "error",
        "ended_at",
    }
)
"""What may be set of a job along with a move."""


def unknown_job(job_id: str) -> TidewattError:
    """What to raise where a job was named that the store does not hold."""
    return TidewattError(f"no job {job_id} in the store", "a job that was submitted", "see 'tidewatt jobs'")


def transition(
    connection: Connection,
    job_id: str,
    before: State,
    after: State,
    values: Mapping[str, object],
    *,
    last_token: int | None = None,
) -> Job:
    """Move a job that is in ``before``, and whose token is ``last_token`` if one is given.

    Raises:
        IllegalMove: the job is in another state; both are named.
        StaleToken: its token is another.
        TidewattError: there is no such job.
    """
    jobs = tables.jobs
    statement = statements.transition(frozenset(values), fenced=last_token is not None)
    place: dict[str, object] = {"job_id": job_id, "before": before, "state": after, "last_token": last_token}
    row = statement.first(connection, **values, **place)
    if row is not None:
        return rows.job_of(row)
    actual = connection.execute(select(jobs.c.state, jobs.c.token).where(jobs.c.id == job_id)).one_or_none()
    if actual is None:
        raise unknown_job(job_id)
    if actual.state != before:
        raise IllegalMove(
            f"job {job_id} {actual.state}", f"it {before}, to move it to {after}", "look at the job again"
        )
    raise StaleToken(
        f"job {job_id} at token {actual.token}", f"token {last_token}", "another attempt began since"
    )


def queue(connection: Connection, submission: Submission) -> Job:
    """Add a job that waits from now on; the database refuses an identifier that another has."""
    values = {
        **rows.submission_values(submission),
        "state": State.QUEUED,
        "wish": Wish.RUN,
        "token": 0,
        "failures": 0,
        "steps_done": 0,
        "steps_reached": 0,
        "unplanned": submission.function.name if submission.unplanned else None,
        "priority": submission.function.priority,
    }
    row = statements.QUEUE.first(connection, **values)
    assert row is not None  # noqa: S101 - what is added comes back, or the database raises
    job = rows.job_of(row)
    at, wall = submission.submitted_at, submission.submitted_wall
    save_event(connection, job, None, at=at, wall=wall, detail="")
    return job


def save_event(
    connection: Connection, job: Job, before: State | None, *, at: float, wall: float, detail: str
) -> None:
    """Keep the move that brought a job from ``before`` to the state it has now, which may be the same."""
    event = Event(
        job_id=job.id, at=at, wall=wall, before=before, after=job.state, token=job.token, detail=detail
    )
    statements.SAVE_EVENT.run(connection, **rows.event_values(event))


def save_attempt(connection: Connection, attempt: Attempt) -> None:
    """Keep what is new of an attempt, if it is still the newest of its job.

    Raises:
        StaleToken: the job has another token.
        TidewattError: there is no such job.
    """
    fence(connection, attempt.job_id, attempt.token)
    place = {"of_job": attempt.job_id, "of_token": attempt.token}
    statements.SAVE_ATTEMPT.run(connection, **rows.attempt_values(attempt), **place)


def fence(connection: Connection, job_id: str, token: int) -> None:
    """Hold the job until the transaction ends, if the attempt with that token is still its newest.

    Raises:
        StaleToken: the job has another token.
        TidewattError: there is no such job.
    """
    newest = statements.TOKEN.first(connection, job_id=job_id)
    if newest is None:
        raise unknown_job(job_id)
    if newest["token"] != token:
        raise StaleToken(
            f"a report of attempt {token} at job {job_id}",
            f"one of attempt {newest['token']}",
            "the attempt lost its lease; its worker should end",
        )

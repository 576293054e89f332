"""The store: durable state in SQLite or PostgreSQL, through SQLAlchemy Core."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from sqlalchemy import case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from tidewatt.adapters.stores import balances, ledger, rows, statements, tables
from tidewatt.adapters.stores.database import Database
from tidewatt.adapters.stores.migrations import migrate
from tidewatt.adapters.stores.moves import (
    CHANGEABLE,
    fence,
    queue,
    save_attempt,
    save_event,
    transition,
    unknown_job,
)
from tidewatt.adapters.stores.prepared import Prepared
from tidewatt.adapters.stores.triggers import SqlTriggers, note_success
from tidewatt.adapters.stores.upserts import KEEP_BETTER_READING
from tidewatt.domain.job import Attempt, Event, Job, SavedCheckpoint, Submission
from tidewatt.domain.ledger import Allocation, Balance, Charge, EnergyReading, Holder, LedgerEntry
from tidewatt.domain.lifecycle import ENDED, State, Wish, check_move, check_path
from tidewatt.domain.plan import Plan
from tidewatt.domain.signal import Signal
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.domain.world import World
from tidewatt.errors import TidewattError
from tidewatt.ports import Checkpointed, Progressed

_PLANS_AT_ONCE = 100


class SqlStore:
    """Durable state in one database; open it with ``SqlStore.open`` and close it after use.

    Every method is one transaction. Submissions, wishes, moves and checkpoints have reached the disk when
    it returns; of progress, energy, signals and plans a power cut may lose the last moments, and so it may
    of a move to running: whether it starts or runs, it takes the attempt along. All methods raise
    TidewattError when the database cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = ledger.Writer(database)
        self.triggers = SqlTriggers(database)
        """Deployed triggers, and the occasions on which they submitted jobs."""

    @classmethod
    def open(cls, url: str) -> "SqlStore":
        """The store at ``sqlite:///FILE``, ``sqlite://`` (in memory) or ``postgresql://USER@HOST/NAME``.

        It is created or brought to the newest schema if need be.

        Raises:
            UsageError: the URL names no database that is known.
            NewerState: a newer version of Tidewatt wrote it; nothing was touched.
        """
        database = Database.at(url)
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Let go of the database; files of its log are gone when the last to use it has closed."""
        self._database.close()

    def world(self) -> World | None:
        """The world of this state, or None before the first job."""
        with self._database.glancing() as connection:
            found = statements.WORLD.first(connection)
            return None if found is None else found["world"]

    def save_world(self, world: World) -> None:
        """Replace the world."""
        with self._database.writing(durable=False) as connection:
            statements.KEEP_WORLD.run(connection, world=world)

    def submit(self, submission: Submission) -> Job:
        """Make a submission durable before returning; doing so again is the same as doing so once.

        With an idempotency key that a job has already, nothing is kept, and that job is returned.

        Raises:
            TidewattError: another submission has the same identifier.
        """
        try:
            with self._database.writing(durable=True) as connection:
                return queue(connection, submission)
        except IntegrityError:
            kept = self.job(submission.id)
            named = self.job_named(submission.idempotency_key or "")
            if kept is None:
                if named is None:
                    raise
                return named
        if kept.submission != submission:
            raise TidewattError(f"another submission under the identifier {submission.id}", "a new one")
        return kept

    def job(self, job_id: str) -> Job | None:
        """One job by its identifier, or None."""
        return self._one(statements.JOB, job_id=job_id)

    def job_named(self, idempotency_key: str) -> Job | None:
        """The job that was submitted with this key, or None."""
        return self._one(statements.JOB_NAMED, key=idempotency_key)

    def _one(self, statement: Prepared, **values: str) -> Job | None:
        with self._database.glancing() as connection:
            row = statement.first(connection, **values)
        return None if row is None else rows.job_of(row)

    def jobs(self, *, open_only: bool = False) -> list[Job]:
        """All jobs, or those that have not ended, in order of submission."""
        statement = select(tables.jobs).order_by(tables.jobs.c.seq)
        if open_only:
            statement = statement.where(statements.OPEN)
        with self._database.reading() as connection:
            return [rows.job_of(row) for row in connection.execute(statement).mappings()]

    def jobs_at_hand(self, most: int, passed_over: Collection[str] = ()) -> list[Job]:
        """Open jobs; of the unplanned the first ``most`` that want to run, and as many to be cancelled.

        Of the unplanned, higher priority comes first, and those of the functions ``passed_over`` never.
        """
        found: list[rows.Row] = []
        with self._database.reading() as connection:
            found += statements.OTHERS.all(connection)
            found += statements.UNWANTED.all(connection, most=most)
            if passed_over:
                first = statements.first_unplanned(passed_over)
                found += connection.execute(first, {"most": most}).mappings()
            else:
                found += statements.FIRST_UNPLANNED.all(connection, most=most)
        return sorted(map(rows.job_of, found), key=attrgetter("seq"))

    def any_open(self) -> bool:
        """Whether any job has not ended."""
        with self._database.glancing() as connection:
            return statements.ANY_OPEN.first(connection) is not None

    def counts(self) -> Counter[State]:
        """How many jobs are in each state that any is in."""
        with self._database.reading() as connection:
            found = connection.execute(statements.COUNTS)
            return Counter({row.state: row.jobs for row in found})

    def ended_last(self, most: int) -> list[Job]:
        """The newest submissions of those that have ended, in order of submission."""
        found: list[Job] = []
        with self._database.reading() as connection:
            for state in sorted(ENDED):
                found += map(rows.job_of, statements.LAST_IN.all(connection, state=state, most=most))
        return sorted(found, key=attrgetter("seq"))[-most:]

    def ids(self) -> list[str]:
        """The identifiers of all jobs, in order of submission."""
        with self._database.reading() as connection:
            return list(connection.execute(statements.IDS).scalars())

    def called_since(self, wall: float) -> list[tuple[str, str, float]]:
        """Job, function and real instant of every submission since a real instant, in order of submission."""
        told = select(tables.jobs.c.id, tables.jobs.c.function, tables.jobs.c.submitted_wall)
        statement = told.where(tables.jobs.c.submitted_wall >= wall).order_by(tables.jobs.c.seq)
        with self._database.reading() as connection:
            return [(job_id, spec.name, at) for job_id, spec, at in connection.execute(statement)]

    def wish(self, job_id: str, wish: Wish) -> None:
        """Note what the user asks of a job.

        Raises:
            TidewattError: there is no such job.
        """
        with self._database.writing(durable=True) as connection:
            statement = update(tables.jobs).where(tables.jobs.c.id == job_id).values(wish=wish)
            if wish is Wish.HOLD:
                statement = statement.values(unplanned=None)  # what its user puts aside holds up nobody
            if connection.execute(statement).rowcount == 0:
                raise unknown_job(job_id)

    def move(  # noqa: PLR0913 - each is one thing that is saved at once
        self,
        job_id: str,
        before: State,
        after: State,
        *,
        at: float,
        wall: float,
        detail: str = "",
        attempt: Attempt | None = None,
        ran_at: tuple[float, float] | None = None,
        charges: Sequence[Charge] = (),
        **changes: object,
    ) -> Job:
        """Move a job and save the event; ``changes`` are further columns of it.

        What is new of its ``attempt`` and ``charges`` is saved along with it. With ``ran_at``, an instant of
        the world and a real one, it has moved to running in between. A move to an ended state sets
        ``ended_at`` to ``at`` unless told otherwise.

        Raises:
            IllegalMove: the job is not in ``before``, or no move leads from there to ``after``.
            TidewattError: there is no such job.
            StaleToken: the job has a newer attempt.
            TypeError: a change of something that a move does not set.
        """
        check_path(job_id, before, after, ran=ran_at is not None)
        if unknown := changes.keys() - CHANGEABLE:
            raise TypeError(f"move() sets {', '.join(sorted(CHANGEABLE))}, not {', '.join(sorted(unknown))}")
        if after in ENDED:
            changes = {"ended_at": at, **changes}
        with self._database.writing(durable=after is not State.RUNNING) as connection:
            if attempt is not None:
                save_attempt(connection, attempt)
            job = transition(connection, job_id, before, after, changes)
            if ran_at is not None:
                begun = replace(job, state=State.RUNNING)
                save_event(connection, begun, before, at=ran_at[0], wall=ran_at[1], detail="")
                before = State.RUNNING
            save_event(connection, job, before, at=at, wall=wall, detail=detail)
            if charges:
                self._ledger.save(connection, charges)
            if after is State.SUCCEEDED:
                note_success(connection, job, wall)
            return job

    def begin_attempt(self, job_id: str, before: State, attempt: Attempt) -> Job:
        """Move to starting under a new fencing token; ``attempt.token`` must be one above the last.

        Raises:
            IllegalMove: the job is not in ``before``, or cannot start from there.
            StaleToken: the job's last token is not the one below.
            TidewattError: there is no such job.
            ValueError: the attempt is one at another job.
        """
        if attempt.job_id != job_id:
            raise ValueError(f"an attempt at {attempt.job_id} cannot begin {job_id}")
        check_move(job_id, before, State.STARTING)
        workers = "1 worker" if attempt.workers == 1 else f"{attempt.workers} workers"
        with self._database.writing(durable=True) as connection:
            job = transition(
                connection,
                job_id,
                before,
                State.STARTING,
                {"token": attempt.token},
                last_token=attempt.token - 1,
            )
            statements.BEGIN_ATTEMPT.run(connection, **rows.attempt_values(attempt))
            save_event(
                connection,
                job,
                before,
                at=attempt.started_at,
                wall=attempt.started_wall,
                detail=f"{workers} at {attempt.site}",
            )
            return job

    def update_attempt(self, attempt: Attempt) -> None:
        """Save what is new of an attempt.

        Raises:
            StaleToken: the job has a newer one.
            TidewattError: there is no such job.
        """
        with self._database.writing(durable=False) as connection:
            save_attempt(connection, attempt)

    def attempts(self, job_id: str) -> list[Attempt]:
        """All attempts at a job, oldest first."""
        with self._database.glancing() as connection:
            return [rows.attempt_of(row) for row in statements.ATTEMPTS.all(connection, job_id=job_id)]

    def record_progress(self, progress: Progressed, *, at: float, wall: float, workers: int) -> None:
        """Save a report; what it leaves out, a total or a loss, stays as it was reported last.

        Raises:
            StaleToken: the report is not of the job's newest attempt.
            TidewattError: there is no such job.
        """
        jobs = tables.jobs
        furthest = case((jobs.c.steps_reached < progress.step, progress.step), else_=jobs.c.steps_reached)
        news = {"steps_total": progress.total, "loss": progress.loss}
        with self._database.writing(durable=False) as connection:
            fence(connection, progress.job_id, progress.token)
            connection.execute(
                update(jobs)
                .where(jobs.c.id == progress.job_id)
                .values(
                    steps_reached=furthest,
                    **{name: value for name, value in news.items() if value is not None},
                )
            )
            report = connection.execute(
                insert(tables.progress)
                .values(
                    job_id=progress.job_id,
                    token=progress.token,
                    at=at,
                    wall=wall,
                    step=progress.step,
                    total=progress.total,
                    workers=workers,
                    loss=progress.loss,
                )
                .returning(tables.progress.c.id)
            ).scalar_one()
            metrics = [{"progress_id": report, "name": n, "value": v} for n, v in progress.metrics.items()]
            if metrics:
                connection.execute(insert(tables.metrics), metrics)

    def progress(self, job_id: str) -> list[tuple[float, int, int, float | None]]:
        """(at, step, workers, loss) of every report kept, in order."""
        reports = tables.progress.c
        statement = (
            select(reports.at, reports.step, reports.workers, reports.loss)
            .where(reports.job_id == job_id)
            .order_by(reports.id)
        )
        with self._database.reading() as connection:
            return [(at, step, workers, loss) for at, step, workers, loss in connection.execute(statement)]

    def record_checkpoint(self, checkpoint: Checkpointed, *, at: float) -> None:
        """Make a checkpoint the one to resume from; one that failed is only kept on record.

        Raises:
            StaleToken: the checkpoint is not of the job's newest attempt.
            TidewattError: there is no such job.
        """
        jobs = tables.jobs
        with self._database.writing(durable=True) as connection:
            fence(connection, checkpoint.job_id, checkpoint.token)
            if not checkpoint.error:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.id == checkpoint.job_id)
                    .values(checkpoint=checkpoint.path, steps_done=checkpoint.step)
                )
            connection.execute(insert(tables.checkpoints), {**rows.checkpoint_values(checkpoint), "at": at})

    def checkpoints(self, job_id: str) -> list[SavedCheckpoint]:
        """All checkpoints of a job that were written, oldest first; most are gone by now."""
        kept = tables.checkpoints.c
        statement = (
            select(kept.at, kept.token, kept.step, kept.size)
            .where(kept.job_id == job_id, kept.error == "")
            .order_by(kept.id)
        )
        with self._database.reading() as connection:
            return [SavedCheckpoint(*row) for row in connection.execute(statement)]

    def note(self, job_id: str, *, at: float, wall: float, detail: str) -> None:
        """Save something worth knowing that is not a move: an event from the job's state to the same.

        Raises:
            TidewattError: there is no such job.
        """
        statement = select(tables.jobs).where(tables.jobs.c.id == job_id).with_for_update()
        with self._database.writing(durable=True) as connection:
            row = connection.execute(statement).mappings().one_or_none()
            if row is None:
                raise unknown_job(job_id)
            job = rows.job_of(row)
            save_event(connection, job, job.state, at=at, wall=wall, detail=detail)

    def events(self, job_id: str) -> list[Event]:
        """All moves of a job and all notes, oldest first."""
        events = tables.events
        statement = select(events).where(events.c.job_id == job_id).order_by(events.c.id)
        with self._database.reading() as connection:
            return [rows.event_of(row) for row in connection.execute(statement).mappings()]

    def record_energy(self, reading: EnergyReading, allocations: Sequence[Allocation]) -> None:
        """Save a reading and its allocations in one transaction.

        Raises:
            TidewattError: the allocations do not sum to the reading, in microjoules.
        """
        self.record_energies([(reading, allocations)])

    def record_energies(self, charges: Sequence[Charge]) -> None:
        """Save readings, each with its allocations, in one transaction.

        Raises:
            TidewattError: the allocations of one do not sum to it, in microjoules; none is saved.
        """
        with self._database.writing(durable=False) as connection:
            self._ledger.save(connection, charges)

    def ledger(self, job_id: str | None = None) -> list[LedgerEntry]:
        """Entries of one job, or all of the node, in the order recorded."""
        with self._database.reading() as connection:
            return ledger.entries(connection, job_id)

    def balances(
        self, job_id: str | None = None, *, since_at: float | None = None, until_at: float | None = None
    ) -> list[Balance]:
        """The ledger in sums of entries that are alike, of one job or all of the node."""
        with self._database.reading() as connection:
            return balances.read(connection, job_id, since_at, until_at)

    def beside(self, job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
        """What each kind of account of the node received in a job's time, its own included, microjoules."""
        with self._database.reading() as connection:
            return balances.beside(connection, job_id, start_at, end_at)

    def record_signal(self, grid: str, signal: Signal) -> None:
        """Keep actual readings; one kept before gives way only to one of the same quality or better."""
        if not signal.readings:
            return
        kept = [rows.signal_values(grid, signal.zone, reading) for reading in signal.readings]
        with self._database.writing(durable=False) as connection:
            connection.execute(KEEP_BETTER_READING, kept)

    def signal(self, grid: str, zone: str, start_at: float, end_at: float) -> Signal:
        """Kept readings of the hours that overlap an interval, or hold its instant if it has no length."""
        readings = tables.signals
        statement = (
            select(readings)
            .where(
                readings.c.grid == grid,
                readings.c.zone == zone,
                readings.c.observed_at > start_at - HOUR_S,
                or_(readings.c.observed_at < end_at, readings.c.observed_at <= start_at),
            )
            .order_by(readings.c.observed_at)
        )
        with self._database.reading() as connection:
            found = connection.execute(statement).mappings()
            return Signal(zone, tuple(rows.signal_reading_of(row) for row in found))

    def record_plan(self, snapshot: Snapshot, plan: Plan) -> None:
        """Keep a decision with all that it was made from.

        Raises:
            TidewattError: a number in it is not finite, so that it would not come back the same.
        """
        with self._database.writing(durable=False) as connection:
            connection.execute(insert(tables.plans), {"snapshot": snapshot, "plan": plan})

    def plans(self) -> Iterator[tuple[Snapshot, Plan]]:
        """All decisions, oldest first, fetched as they are asked for."""
        kept = tables.plans.c
        last = 0
        while True:
            statement = select(tables.plans).where(kept.id > last).order_by(kept.id).limit(_PLANS_AT_ONCE)
            with self._database.reading() as connection:
                page = connection.execute(statement).all()
            if not page:
                return
            for number, snapshot, plan in page:
                yield snapshot, plan
                last = number

    def last_plan(self) -> Plan | None:
        """The newest decision."""
        statement = select(tables.plans.c.plan).order_by(tables.plans.c.id.desc()).limit(1)
        with self._database.reading() as connection:
            found: Plan | None = connection.execute(statement).scalar_one_or_none()
            return found

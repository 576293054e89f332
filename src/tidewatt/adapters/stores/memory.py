"""A store in the memory of one process, for simulations: nothing outlives it."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import msgspec

from tidewatt.accounting.balance import balances, beside
from tidewatt.adapters.stores.moves import CHANGEABLE, unknown_job
from tidewatt.domain.job import Attempt, Event, Job, SavedCheckpoint, Submission
from tidewatt.domain.ledger import Allocation, Balance, Charge, EnergyReading, Holder, LedgerEntry, check_sum
from tidewatt.domain.lifecycle import ENDED, State, Wish, check_move, check_path
from tidewatt.domain.plan import Plan
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.text import printable
from tidewatt.domain.units import HOUR_S
from tidewatt.domain.world import World
from tidewatt.errors import IllegalMove, StaleToken, TidewattError
from tidewatt.ports import Checkpointed, Progressed

_WORTH = {Quality.MEASURED: 2, Quality.MODELLED: 1, Quality.FILLED: 0}


class MemoryStore:
    """All that a store keeps, in dictionaries.

    Args:
        keep_history: keep plans, progress, checkpoints and ledger as well, which grow with every decision.
    """

    def __init__(self, *, keep_history: bool = True) -> None:
        self._keep_history = keep_history
        self._world: World | None = None
        self._jobs: dict[str, Job] = {}
        self._open: dict[str, None] = {}
        self._unplanned: dict[str, None] = {}
        """Those that wait for room alone and were not tried."""
        self._attempts: dict[str, list[Attempt]] = {}
        self._events: dict[str, list[Event]] = {}
        self._progress: dict[str, list[tuple[float, int, int, float | None]]] = {}
        self._checkpoints: dict[str, list[SavedCheckpoint]] = {}
        self._ledger: list[LedgerEntry] = []
        self._signals: dict[tuple[str, str], dict[float, Reading]] = {}
        self._plans: list[tuple[Snapshot, Plan]] = []

    def close(self) -> None:
        """Nothing has to be let go of."""

    def world(self) -> World | None:
        """The world of this state, or None before one was saved."""
        return self._world

    def save_world(self, world: World) -> None:
        """Replace the world."""
        self._world = world

    def submit(self, submission: Submission) -> Job:
        """Queue a submission; the same one again is the same job.

        Raises:
            TidewattError: another one has the identifier.
        """
        kept = self._jobs.get(submission.id)
        key = submission.idempotency_key
        if kept is None:
            named = None if key is None else self.job_named(key)
            return self._add(submission) if named is None else named
        if kept.submission != submission:
            raise TidewattError(
                f"another submission under the identifier {submission.id}", "one that no job has"
            )
        return kept

    def job(self, job_id: str) -> Job | None:
        """One job by its identifier, or None."""
        return self._jobs.get(job_id)

    def job_named(self, idempotency_key: str) -> Job | None:
        """The job that was submitted with this key, or None."""
        jobs = self._jobs.values()
        return next((job for job in jobs if job.submission.idempotency_key == idempotency_key), None)

    def jobs(self, *, open_only: bool = False) -> list[Job]:
        """All jobs, or those that have not ended, in order of submission."""
        return [self._jobs[job_id] for job_id in self._open] if open_only else list(self._jobs.values())

    def jobs_at_hand(self, most: int, passed_over: Collection[str] = ()) -> list[Job]:
        """Open jobs; of the unplanned the first ``most`` that want to run, and as many to be cancelled."""
        if not self._unplanned:
            return self.jobs(open_only=True)
        waiting = sorted(
            (self._jobs[job_id] for job_id in self._unplanned), key=lambda job: -job.function.priority
        )
        first = [job for job in waiting if job.wish is Wish.RUN and job.function.name not in passed_over]
        leaving = [job for job in waiting if job.wish is Wish.CANCEL]
        found = [self._jobs[job_id] for job_id in self._open if job_id not in self._unplanned]
        return sorted([*found, *first[:most], *leaving[:most]], key=attrgetter("seq"))

    def any_open(self) -> bool:
        """Whether any job has not ended."""
        return bool(self._open)

    def counts(self) -> Counter[State]:
        """How many jobs are in each state that any is in."""
        return Counter(job.state for job in self._jobs.values())

    def ended_last(self, most: int) -> list[Job]:
        """The newest submissions of those that have ended, in order of submission."""
        ended = [job for job in self._jobs.values() if job.state in ENDED]
        return ended[-most:] if most else []

    def ids(self) -> list[str]:
        """The identifiers of all jobs, in order of submission."""
        return list(self._jobs)

    def called_since(self, wall: float) -> list[tuple[str, str, float]]:
        """Job, function and real instant of every submission since a real instant, in order of submission."""
        each = (job.submission for job in self._jobs.values())
        return [(s.id, s.function.name, s.submitted_wall) for s in each if s.submitted_wall >= wall]

    def wish(self, job_id: str, wish: Wish) -> None:
        """Note what the user asks of a job.

        Raises:
            TidewattError: there is no such job.
        """
        self._jobs[job_id] = replace(self._known(job_id), wish=wish)
        if wish is Wish.HOLD:
            self._unplanned.pop(job_id, None)

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
        """Move a job and save the event, and what is new of its ``attempt``; ``changes`` are further fields.

        With ``ran_at``, an instant of the world and a real one, it has moved to running in between.

        Raises:
            IllegalMove: the job is not in ``before``, or no move leads from there to ``after``.
            StaleToken: the job has a newer attempt.
            TypeError: a change of something that a move does not set.
        """
        check_path(job_id, before, after, ran=ran_at is not None)
        if unknown := changes.keys() - CHANGEABLE:
            raise TypeError(f"move() sets {', '.join(sorted(CHANGEABLE))}, not {', '.join(sorted(unknown))}")
        job = self._in_state(job_id, before, after)
        for charge in charges:
            check_sum(*charge)
        if attempt is not None:
            self.update_attempt(attempt)
        self.record_energies(charges)
        values: dict[str, Any] = {n: printable(v) if isinstance(v, str) else v for n, v in changes.items()}
        if after in ENDED:
            values.setdefault("ended_at", at)
            self._open.pop(job_id, None)
        self._unplanned.pop(job_id, None)
        moved = replace(job, state=after, **values)
        self._jobs[job_id] = moved
        if ran_at is not None:
            begun = replace(moved, state=State.RUNNING)
            self._save_event(begun, before, at=ran_at[0], wall=ran_at[1], detail="")
            before = State.RUNNING
        self._save_event(moved, before, at=at, wall=wall, detail=detail)
        return moved

    def begin_attempt(self, job_id: str, before: State, attempt: Attempt) -> Job:
        """Move to starting under a new fencing token; ``attempt.token`` must be one above the last.

        Raises:
            IllegalMove: the job is not in ``before``, or cannot start from there.
            StaleToken: the job's last token is not the one below.
            ValueError: the attempt is one at another job.
        """
        if attempt.job_id != job_id:
            raise ValueError(f"an attempt at {attempt.job_id} cannot begin {job_id}")
        check_move(job_id, before, State.STARTING)
        job = self._in_state(job_id, before, State.STARTING)
        if job.token != attempt.token - 1:
            raise StaleToken(
                f"job {job_id} at token {job.token}",
                f"token {attempt.token - 1}",
                "another attempt began since",
            )
        self._unplanned.pop(job_id, None)
        moved = replace(job, state=State.STARTING, token=attempt.token)
        self._jobs[job_id] = moved
        self._attempts[job_id].append(attempt)
        workers = "1 worker" if attempt.workers == 1 else f"{attempt.workers} workers"
        at, wall = attempt.started_at, attempt.started_wall
        self._save_event(moved, before, at=at, wall=wall, detail=f"{workers} at {attempt.site}")
        return moved

    def update_attempt(self, attempt: Attempt) -> None:
        """Save what is new of an attempt, or raise StaleToken if the job has a newer one."""
        self._fence(attempt.job_id, attempt.token)
        self._attempts[attempt.job_id][-1] = attempt

    def attempts(self, job_id: str) -> list[Attempt]:
        """All attempts at a job, oldest first."""
        return list(self._attempts.get(job_id, ()))

    def record_progress(self, progress: Progressed, *, at: float, wall: float, workers: int) -> None:  # noqa: ARG002 - part of the port
        """Save a report, or raise StaleToken; what it leaves out stays as it was reported last."""
        job = self._fence(progress.job_id, progress.token)
        self._jobs[job.id] = replace(
            job,
            steps_reached=max(job.steps_reached, progress.step),
            steps_total=job.steps_total if progress.total is None else progress.total,
            loss=job.loss if progress.loss is None else progress.loss,
        )
        if self._keep_history:
            self._progress[job.id].append((at, progress.step, workers, progress.loss))

    def progress(self, job_id: str) -> list[tuple[float, int, int, float | None]]:
        """(at, step, workers, loss) of every report kept, in order."""
        return list(self._progress.get(job_id, ()))

    def record_checkpoint(self, checkpoint: Checkpointed, *, at: float) -> None:
        """Make a checkpoint the one to resume from, or raise StaleToken; one that failed changes nothing."""
        job = self._fence(checkpoint.job_id, checkpoint.token)
        if not checkpoint.error:
            self._jobs[job.id] = replace(job, checkpoint=checkpoint.path, steps_done=checkpoint.step)
            if self._keep_history:
                saved = SavedCheckpoint(at, checkpoint.token, checkpoint.step, checkpoint.size)
                self._checkpoints.setdefault(job.id, []).append(saved)

    def checkpoints(self, job_id: str) -> list[SavedCheckpoint]:
        """All checkpoints of a job that were written, oldest first."""
        return list(self._checkpoints.get(job_id, ()))

    def note(self, job_id: str, *, at: float, wall: float, detail: str) -> None:
        """Save something worth knowing that is not a move."""
        job = self._known(job_id)
        self._save_event(job, job.state, at=at, wall=wall, detail=detail)

    def events(self, job_id: str) -> list[Event]:
        """All moves of a job and all notes, oldest first."""
        return list(self._events.get(job_id, ()))

    def record_energy(self, reading: EnergyReading, allocations: Sequence[Allocation]) -> None:
        """Save a reading and its allocations.

        Raises:
            TidewattError: the allocations do not sum to the reading, in microjoules.
        """
        self.record_energies([(reading, allocations)])

    def record_energies(self, charges: Sequence[Charge]) -> None:
        """Save readings, each with its allocations.

        Raises:
            TidewattError: the allocations of one do not sum to it, in microjoules; none is saved.
        """
        for charge in charges:
            check_sum(*charge)
        if self._keep_history:
            self._ledger += [
                LedgerEntry(reading=reading, allocation=share)
                for reading, allocations in charges
                for share in allocations
            ]

    def ledger(self, job_id: str | None = None) -> list[LedgerEntry]:
        """Entries of one job, or all of the node, in the order recorded."""
        return [e for e in self._ledger if job_id is None or e.allocation.account.job_id == job_id]

    def balances(
        self, job_id: str | None = None, *, since_at: float | None = None, until_at: float | None = None
    ) -> list[Balance]:
        """The ledger in sums of entries that are alike, of one job or all of the node."""
        return [
            balance
            for balance in balances(self.ledger(job_id))
            if (since_at is None or since_at <= balance.start_at)
            and (until_at is None or balance.start_at < until_at)
        ]

    def beside(self, job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
        """What each kind of account of the node received in a job's time, its own included, microjoules."""
        return beside(self._ledger, job_id, start_at, end_at)

    def record_signal(self, grid: str, signal: Signal) -> None:
        """Keep actual readings; one kept before gives way only to one of the same quality or better."""
        kept = self._signals.setdefault((grid, signal.zone), {})
        for reading in signal.readings:
            before = kept.get(reading.observed_at)
            if before is None or _WORTH[reading.quality] >= _WORTH[before.quality]:
                kept[reading.observed_at] = reading

    def signal(self, grid: str, zone: str, start_at: float, end_at: float) -> Signal:
        """Kept readings of the hours that overlap an interval, or hold its instant if it has no length."""
        kept = self._signals.get((grid, zone), {})
        hours = sorted(kept)
        first = bisect_right(hours, start_at - HOUR_S)
        last = max(bisect_left(hours, end_at), bisect_right(hours, start_at))
        return Signal(zone, tuple(kept[hour] for hour in hours[first:last]))

    def record_plan(self, snapshot: Snapshot, plan: Plan) -> None:
        """Keep a decision with all that it was made from.

        Raises:
            TidewattError: a number in it is not finite, so that it would not come back the same.
        """
        if not self._keep_history:
            self._plans = [(snapshot, plan)]
            return
        _check_json(snapshot)
        _check_json(plan)
        self._plans.append((snapshot, plan))

    def plans(self) -> Iterator[tuple[Snapshot, Plan]]:
        """All decisions that are kept, oldest first."""
        yield from self._plans

    def last_plan(self) -> Plan | None:
        """The newest decision."""
        return self._plans[-1][1] if self._plans else None

    def _add(self, submission: Submission) -> Job:
        _check_json(submission)
        job = replace(Job.draft(submission), seq=len(self._jobs) + 1)
        self._jobs[job.id] = job
        self._open[job.id] = None
        if submission.unplanned:
            self._unplanned[job.id] = None
        self._attempts[job.id], self._events[job.id], self._progress[job.id] = [], [], []
        at, wall = submission.submitted_at, submission.submitted_wall
        self._save_event(job, None, at=at, wall=wall, detail="")
        return job

    def _known(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise unknown_job(job_id)
        return job

    def _in_state(self, job_id: str, before: State, after: State) -> Job:
        job = self._known(job_id)
        if job.state is not before:
            raise IllegalMove(
                f"job {job_id} {job.state}", f"it {before}, to move it to {after}", "look at the job again"
            )
        return job

    def _fence(self, job_id: str, token: int) -> Job:
        job = self._known(job_id)
        if job.token != token:
            raise StaleToken(
                f"a report of attempt {token} at job {job_id}",
                f"one of attempt {job.token}",
                "the attempt lost its lease; its worker should end",
            )
        return job

    def _save_event(self, job: Job, before: State | None, *, at: float, wall: float, detail: str) -> None:
        self._events[job.id].append(
            Event(
                job_id=job.id,
                at=at,
                wall=wall,
                before=before,
                after=job.state,
                token=job.token,
                detail=printable(detail),
            )
        )


def _check_json(value: object) -> None:
    """Refuse what a database would refuse, so that what was simulated can be kept elsewhere.

    Raises:
        TidewattError: JSON would not give the value back, as with an infinite number.
    """
    try:
        if msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value:
            return
    except (msgspec.ValidationError, UnicodeEncodeError):
        pass
    found = f"a {type(value).__name__} that JSON cannot hold: {value!r:.200}"
    raise TidewattError(found, "finite numbers and Unicode text only")

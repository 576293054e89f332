"""Holding back jobs whose function lets no more of them run, or has just failed."""

from collections import Counter
from collections.abc import Sequence

from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE
from tidewatt.policy.backoff import delay_s
from tidewatt.policy.turns import Claim, held
from tidewatt.ports import Clock, Store


class Turns:
    """Knows which waiting jobs are held back, and which no longer are."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[str, float] = {}
        self.full: frozenset[str] = frozenset()
        """Functions that had as many at work, at the last look, as they let be."""

    def look(self, jobs: Sequence[Job]) -> tuple[dict[str, float], set[str]]:
        """The jobs to be held back with when to look again, and those that were and are free by now."""
        waiting = [job for job in jobs if job.state not in ACTIVE]
        at_work = Counter(job.function.name for job in jobs if job.state in ACTIVE)
        self.full = frozenset(
            job.function.name
            for job in jobs
            if job.function.concurrency is not None and at_work[job.function.name] >= job.function.concurrency
        )
        claims = [self._claim(job) for job in waiting if self._bound(job)]
        before, self._held = self._held, held(claims, at_work, self._clock.now())
        return self._held, before.keys() - self._held.keys()

    def _bound(self, job: Job) -> bool:
        return job.function.concurrency is not None or bool(job.failures and job.function.backoff_s)

    def _claim(self, job: Job) -> Claim:
        function = job.function
        ready_at = 0.0
        attempts = self._store.attempts(job.id) if job.failures and function.backoff_s else []
        failed_at = attempts[-1].ended_at if attempts and attempts[-1].outcome == "failed" else None
        if failed_at is not None and failed_at <= self._clock.now():  # else the clock was set back since
            ready_at = failed_at + delay_s(job.failures, function.backoff_s, job.id) * self._clock.speed
        return Claim(
            job_id=job.id,
            function=function.name,
            priority=function.priority,
            concurrency=function.concurrency,
            ready_at=ready_at,
        )

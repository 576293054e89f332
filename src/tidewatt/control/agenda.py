"""Which jobs a decision is about, when the next one is due, and what stands of those before."""

from collections.abc import Iterable, Mapping, Sequence

from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import Wish
from tidewatt.domain.plan import Plan
from tidewatt.domain.site import Site
from tidewatt.policy.room import separable


class Agenda:
    """Every job is planned anew in every hour, when its plan changes and when something happens to it.

    While all open jobs fit on every site at once, even at their widest, none stands in another's way: what
    was planned for one holds whatever is decided about another, and a decision is about those alone that are
    due. Otherwise, and when room has come free, it is about all of them.
    """

    def __init__(self) -> None:
        self.plan: Plan | None = None
        """The newest decision about every job."""
        self._due: dict[str, float] = {}
        self._wishes: dict[str, Wish] = {}
        self._all_at = 0.0
        self._stirred = True
        self._free = False
        """Whether what stands was planned with room for all."""

    @property
    def next_at(self) -> float:
        """When a decision is due: at once if something has happened since the last one."""
        return 0.0 if self._stirred else min(self._due.values(), default=self._all_at)

    def stir(self, job_id: str = "") -> None:
        """Something has happened that calls for a decision, to this job if one is named."""
        self._stirred = True
        if job_id:
            self._due[job_id] = 0.0

    def begin_anew(self) -> None:
        """Let a decision about every job be due at once: the instants of those before mean nothing now."""
        self._stirred, self._all_at, self._due = True, 0.0, {}

    def look_at(self, job_id: str, instant: float) -> None:
        """Let a decision about a job be due at an instant, if none is before."""
        self._due[job_id] = min(instant, self._due.get(job_id, instant))

    def postpone(self, job_id: str, instant: float) -> None:
        """Let no decision about a job be due before an instant, whatever has happened to it."""
        self._due[job_id] = instant

    def about(self, jobs: Sequence[Job], now: float, sites: Iterable[Site]) -> list[Job]:
        """The jobs that a decision at ``now`` is about; none if there is nothing to decide."""
        free_before, self._free = self._free, _separable(jobs, sites)
        if self._all_at <= now or not (free_before and self._free):
            return list(jobs)
        return [
            job
            for job in jobs
            if self._due.get(job.id, 0.0) <= now or self._wishes.get(job.id) is not job.wish
        ]

    def rest(self, held: Mapping[str, float], until: float) -> None:
        """Let nothing be due before an instant unless something happens, but for jobs held until another."""
        self._stirred, self._free, self.plan = False, False, None
        self._due, self._wishes, self._all_at = dict(held), {}, until

    def settled(self, jobs: Sequence[Job]) -> None:
        """What happened called for no decision; jobs that are gone are forgotten."""
        self._stirred = False
        here = {job.id for job in jobs}
        self._due = {job_id: at for job_id, at in self._due.items() if job_id in here}

    def decided(self, plan: Plan, about: Sequence[Job], jobs: Sequence[Job], hour_ends_at: float) -> Plan:
        """Take over a decision; the plan with what still stands about the jobs that it leaves out."""
        decided = {job.id for job in about}
        others = {job.id for job in jobs} - decided
        if not others:
            self._all_at = hour_ends_at
        due = dict.fromkeys(decided, self._all_at)
        for assignment in plan.assignments:
            for instant in (assignment.start_at, assignment.end_at):
                if plan.issued_at < instant < due[assignment.job_id]:
                    due[assignment.job_id] = instant
        self._due = due | {job_id: at for job_id, at in self._due.items() if job_id in others}
        self._wishes = {job.id: job.wish for job in jobs}
        self._stirred = False
        self.plan = plan if self.plan is None else self.plan.about(others).joined(plan)
        return self.plan


def _separable(jobs: Iterable[Job], sites: Iterable[Site]) -> bool:
    return separable((job.function.workers.most * job.function.cpus for job in jobs), sites)

"""Holding what runs to the budgets in force: told, suspended or ended, as they say."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tidewatt.accounting.spending import Drawn, Ruling, Run, decide
from tidewatt.control.books import Books, team_of
from tidewatt.domain.budget import Action, Budgets, Subject, rule_of
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, State, Wish
from tidewatt.domain.plan import Note
from tidewatt.errors import UsageError
from tidewatt.ports import Clock, Engine, Store

InForce = Callable[[], Budgets]
"""The budgets of this moment; raises UsageError where they cannot be read."""
_FREE = Ruling()


def run_of(job: Job) -> Run:
    """A job as budgets see it, before anything was drawn."""
    own = job.function.budget
    return Run(
        job_id=job.id,
        function=job.function.name,
        team=team_of(job),
        own=None if own is None else rule_of(own),
        steps=job.steps_reached,
    )


class Spending:
    """Judges the jobs that want to run, at every turn of the loop, by sums that are added up already.

    A job over a budget of its own is put aside as its user would put it aside, since no time will help it.
    One over the budget of a month waits as for a cleaner hour, and goes on by itself.
    """

    def __init__(self, store: Store, engine: Engine, clock: Clock, books: Books, in_force: InForce) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._books = books
        self._in_force = in_force
        self._budgets: Budgets | None = None
        self._rulings: dict[str, Ruling] = {}
        self._ended: dict[str, int] = {}
        """By job, the attempt that was ended last."""

    def look(self, jobs: Sequence[Job]) -> list[str]:
        """Judge these jobs and do what has to be done; those whose standing changed are returned."""
        before = self._rulings
        leaving = {job.id: before[job.id] for job in jobs if job.wish is Wish.HOLD and job.id in before}
        wanted = [job for job in jobs if job.wish is Wish.RUN]
        self._rulings = leaving | self._judge(wanted)
        changed = [job for job in wanted if self._ruling(job.id) != before.get(job.id, _FREE)]
        for job in changed:
            self._tell(job, before.get(job.id, _FREE))
        for job in wanted:
            ruling = self._ruling(job.id)
            if ruling.action is Action.STOP:
                self._stop(job, ruling.why)
            elif ruling.action is Action.SUSPEND and ruling.lasting:
                self._store.wish(job.id, Wish.HOLD)
        return [job.id for job in changed]

    def forget(self, job_id: str) -> None:
        """Let go of what was done about a job that is open no more."""
        self._ended.pop(job_id, None)

    def holds(self, job_id: str) -> bool:
        """Whether a job may not run now."""
        return self._ruling(job_id).action is not None

    @property
    def holding(self) -> bool:
        """Whether any job may not run now."""
        return any(ruling.action is not None for ruling in self._rulings.values())

    def notes(self, jobs: Iterable[Job]) -> tuple[Note, ...]:
        """Why those of the jobs that may not run may not."""
        return tuple(Note(job.id, self._ruling(job.id).why) for job in jobs if self.holds(job.id))

    def said(self, job_id: str) -> tuple[str, ...]:
        """What budgets have to say of a job at this moment."""
        return self._ruling(job_id).said

    def _ruling(self, job_id: str) -> Ruling:
        return self._rulings.get(job_id, _FREE)

    def _judge(self, jobs: Sequence[Job]) -> dict[str, Ruling]:
        trouble = ""
        try:
            self._budgets = self._in_force()
        except UsageError as error:
            trouble = f"its budgets cannot be read: {error}"
        budgets = self._budgets
        if budgets is None:  # what they were is not known, and no budget is not what was asked for
            return {job.id: Ruling(Action.SUSPEND, trouble, said=(trouble,)) for job in jobs}
        if not budgets.rules and all(job.function.budget is None for job in jobs):
            return {}
        periods = self._books.periods() if budgets.of_months else dict[Subject, Drawn]()
        runs = [replace(run_of(job), drawn=self._books.run(job.id)) for job in jobs]
        rulings = decide(budgets, runs, periods, self._books.month)
        if trouble:
            said = f"{trouble}; those before stay in force"
            return {job_id: replace(r, said=(*r.said, said)) for job_id, r in rulings.items()}
        return rulings

    def _tell(self, job: Job, before: Ruling) -> None:
        """Note what is new of a job, each thing once in its life."""
        ruling = self._ruling(job.id)
        if ruling.action is None and before.action is not None and not before.lasting:
            self._note(job.id, "within its budgets again")
        fresh = [text for text in ruling.said if text not in before.said]
        known = {event.detail for event in self._store.events(job.id)} if fresh else set[str]()
        for text in fresh:
            if text not in known:
                self._note(job.id, text)

    def _note(self, job_id: str, text: str) -> None:
        self._store.note(job_id, at=self._clock.now(), wall=self._clock.wall(), detail=text)

    def _stop(self, job: Job, why: str) -> None:
        """End a job as failed; what is at work first ends as that of a function that raised."""
        error = f"BudgetReached: {why}"
        if job.state in ACTIVE:
            if self._ended.get(job.id) != job.token:
                self._ended[job.id] = job.token
                self._engine.kill(job.id, error)
            return
        self._engine.kill(job.id)  # a command that stands still
        at, wall = self._clock.now(), self._clock.wall()
        self._store.move(
            job.id, job.state, State.FAILED, at=at, wall=wall, detail=why, ended_at=at, error=error
        )

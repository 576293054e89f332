"""Telling: those who follow a job hear where it is, what it has used and why it waits."""

from tidewatt.control.books import Books
from tidewatt.control.observe import Observer
from tidewatt.control.record import Recorder
from tidewatt.control.spending import Spending
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State
from tidewatt.domain.plan import Plan
from tidewatt.ports import Clock, Feed, Store, Update


class Teller:
    """Publishes jobs that are at work, and others when something about them changed."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        feed: Feed,
        clock: Clock,
        observer: Observer,
        books: Books,
        spending: Spending,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._feed = feed
        self._clock = clock
        self._observer = observer
        self._books = books
        self._spending = spending
        self._told: dict[str, tuple[State, bool]] = {}
        """By job, its state and whether it rested, when that was told last."""

    def tell_end(self, job: Job, plan: Plan | None) -> None:
        """Tell that a job has ended."""
        self._told.pop(job.id, None)
        self._rests(job)
        self._publish(job, plan)

    def tell(self, jobs: list[Job], plan: Plan | None, *, everything: bool) -> None:
        """Publish jobs at work, those that are gone since the last call, and on demand all that are open."""
        standing = {job.id: (job.state, job.at_rest) for job in jobs}
        for job_id in self._told.keys() - standing.keys():
            gone = self._store.job(job_id)  # it has ended, or only come to be behind others
            if gone is not None:
                self._rests(gone)
                self._publish(gone, plan)
        for job in jobs:
            changed = self._told.get(job.id) != standing[job.id]
            if everything or changed:
                self._rests(job)
            if everything or changed or job.state in ACTIVE:
                self._publish(job, plan)
        self._told = standing

    def _rests(self, job: Job) -> None:
        if job.at_rest:
            self._feed.rests(job.id, ended=job.state in ENDED)

    def _publish(self, job: Job, plan: Plan | None) -> None:
        if self._feed.heard:
            self._feed.publish(self._update(job, plan))

    def _update(self, job: Job, plan: Plan | None) -> Update:
        newest = self._recorder.newest(job)
        active = newest if job.state in ACTIVE else None
        zone = job.submission.home_zone if newest is None else newest.zone
        drawn = self._books.run(job.id)
        return Update(
            job_id=job.id,
            state=job.state,
            at=self._clock.now(),
            zone=zone,
            intensity=self._observer.intensity(zone),
            workers=active.workers if active else 0,
            step=max(job.steps_done, job.steps_reached),
            total=job.steps_total,
            loss=job.loss,
            energy_j=drawn.energy_j,
            carbon_g=drawn.carbon_g,
            note=plan.note(job.id) if plan else "",
            budget="; ".join(self._spending.said(job.id)),
        )

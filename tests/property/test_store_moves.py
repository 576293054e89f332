"""Whatever is asked of it, the store holds what the table of moves allows, and its events tell how."""

from dataclasses import dataclass, field
from itertools import count, pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests import records
from typing_extensions import override

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain.lifecycle import ENDED, TRANSITIONS, State, Wish
from tidewatt.errors import IllegalMove, StaleToken
from tidewatt.ports import Checkpointed, Progressed

numbers = count()
"""For identifiers that no example has used before, since all examples share one store."""


@dataclass
class Expected:
    """What the store should say of a job."""

    wish: Wish = Wish.RUN
    token: int = 0
    steps_done: int = 0
    steps_reached: int = 0
    ended_at: float | None = None
    moves: list[tuple[State | None, State, int]] = field(default_factory=lambda: [(None, State.QUEUED, 0)])

    @property
    def state(self) -> State:
        return self.moves[-1][1]


class Moves(RuleBasedStateMachine):
    """A store beside a model of it, both asked the same."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self, store: SqlStore) -> None:
        super().__init__()
        self.store = store
        self.model: dict[str, Expected] = {}
        self.instant = 0.0

    @initialize(target=jobs)
    def begin_with_one(self) -> str:
        return self.new_job()

    @rule(target=jobs)
    def submit(self) -> str:
        return self.new_job()

    def new_job(self) -> str:
        job_id = f"job-{next(numbers)}"
        self.store.submit(records.submission(job_id, at=self.instant))
        self.model[job_id] = Expected()
        return job_id

    @rule(job_id=jobs, before=st.sampled_from(State), after=st.sampled_from(State))
    def move_from_anywhere(self, job_id: str, before: State, after: State) -> None:
        self.move(job_id, before, after)

    @rule(job_id=jobs, after=st.sampled_from(State))
    def move_from_where_it_is(self, job_id: str, after: State) -> None:
        self.move(job_id, self.model[job_id].state, after)

    def move(self, job_id: str, before: State, after: State) -> None:
        expected = self.model[job_id]
        self.instant += 1.0
        allowed = before == expected.state and after in TRANSITIONS[before]
        try:
            self.store.move(job_id, before, after, at=self.instant, wall=self.instant)
        except IllegalMove:
            assert not allowed
            return
        assert allowed
        expected.moves.append((before, after, expected.token))
        if after in ENDED:
            expected.ended_at = self.instant

    @rule(
        job_id=jobs,
        before=st.sampled_from([State.QUEUED, State.SUSPENDED, State.RUNNING]),
        ahead=st.sampled_from([1, 1, 0, 2]),
    )
    def begin(self, job_id: str, before: State, ahead: int) -> None:
        expected = self.model[job_id]
        self.instant += 1.0
        attempt = records.attempt(job_id, expected.token + ahead, self.instant)
        waiting = before == expected.state and State.STARTING in TRANSITIONS[before]
        try:
            self.store.begin_attempt(job_id, before, attempt)
        except IllegalMove:
            assert not waiting
        except StaleToken:
            assert waiting
            assert ahead != 1
        else:
            assert waiting
            assert ahead == 1
            expected.token += 1
            expected.moves.append((before, State.STARTING, expected.token))

    @rule(job_id=jobs, behind=st.integers(-1, 1), step=st.integers(0, 9), kept=st.booleans())
    def report(self, job_id: str, behind: int, step: int, kept: bool) -> None:
        expected = self.model[job_id]
        token = expected.token - behind
        try:
            if kept:
                path = f"c/{step}"
                self.store.record_checkpoint(
                    Checkpointed(job_id=job_id, token=token, step=step, path=path), at=0.0
                )
            else:
                news = Progressed(job_id=job_id, token=token, step=step, total=None, loss=None)
                self.store.record_progress(news, at=0.0, wall=0.0, workers=1)
        except StaleToken:
            assert behind != 0
            return
        assert behind == 0
        if kept:
            expected.steps_done = step
        else:
            expected.steps_reached = max(expected.steps_reached, step)

    @rule(job_id=jobs)
    def note(self, job_id: str) -> None:
        expected = self.model[job_id]
        self.store.note(job_id, at=self.instant, wall=self.instant, detail="a note")
        expected.moves.append((expected.state, expected.state, expected.token))

    @rule(job_id=jobs, wish=st.sampled_from(Wish))
    def wish(self, job_id: str, wish: Wish) -> None:
        self.store.wish(job_id, wish)
        self.model[job_id].wish = wish

    @invariant()
    def store_equals_model(self) -> None:
        for job_id, expected in self.model.items():
            job = self.store.job(job_id)
            assert job is not None
            assert (job.state, job.wish, job.token) == (expected.state, expected.wish, expected.token)
            assert (job.steps_done, job.steps_reached) == (expected.steps_done, expected.steps_reached)
            assert job.ended_at == expected.ended_at
            tokens = [attempt.token for attempt in self.store.attempts(job_id)]
            assert tokens == list(range(1, expected.token + 1))

    @invariant()
    def events_replay_to_the_state(self) -> None:
        for job_id, expected in self.model.items():
            events = self.store.events(job_id)
            assert [(e.before, e.after, e.token) for e in events] == expected.moves
            assert all(earlier.after == later.before for earlier, later in pairwise(events))
            moves = [(e.before, e.after) for e in events[1:] if e.before != e.after]
            assert all(before and after in TRANSITIONS[before] for before, after in moves)

    @override
    def teardown(self) -> None:
        listed = {job.id: job.state for job in self.store.jobs() if job.id in self.model}
        assert listed == {job_id: expected.state for job_id, expected in self.model.items()}
        still_open = {job.id for job in self.store.jobs(open_only=True)} & self.model.keys()
        assert still_open == {job_id for job_id, state in listed.items() if state not in ENDED}


def test_store_follows_the_table_of_moves(store: SqlStore) -> None:
    class MovesHere(Moves):
        def __init__(self) -> None:
            super().__init__(store)

    many = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(MovesHere, settings=many)

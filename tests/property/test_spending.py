"""Budgets in force, over worlds played through the live loop in virtual time."""

from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.records import submission

from tidewatt.accounting.factors import DEFAULTS
from tidewatt.adapters.grids.model import ModelGrid
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.control.books import Places, drawn_in_month
from tidewatt.domain.budget import Budgets, Scope
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.lifecycle import State
from tidewatt.domain.site import Site
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH
from tidewatt.policy.names import POLICIES
from tidewatt.simulation.engine import Workload
from tidewatt.simulation.world import Arrival, Manner, SimulatedWorld

FEBRUARY = 1_738_368_000.0
"""2025-02-01 in UTC seconds."""
GRID = ModelGrid()
CPUS = 8
SITES = (Site("de", "DE", CPUS),)
PLACES = Places(lambda: SITES, DEFAULTS)
JOB_W = 3.5 + 10.0 / CPUS
"""What a simulated job on one processor draws, its share of what is always drawn included."""

relaxed = settings(
    deadline=None, max_examples=20, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def arrival(name: str, team: str, at: float, length_s: float, workers: int = 1) -> Arrival:
    function = FunctionSpec(
        name="fit",
        kind=Kind.TRAINING,
        workers=WorkerRange(workers, workers),
        shards=workers,
        length_s=length_s,
        retries=3,
        labels=(("team", team),),
    )
    submitted = replace(submission(name, function, at=at), grid=GRID.name)
    return Arrival(submitted, Workload(length_s, tuple(float(n) for n in range(1, workers + 1))))


def play(tables: dict[str, object], *arrivals: Arrival, start_at: float) -> SqlStore:
    store = SqlStore.open("sqlite://")
    told = Budgets.parse(tables, "budget.toml")
    manner = Manner(budgets=lambda: told)
    SimulatedWorld(store, GRID, SITES, POLICIES["run-now"], start_at, manner).play(arrivals)
    return store


def january_j(store: SqlStore, team: str) -> float:
    """What a team drew before February, joules."""
    found = drawn_in_month(store, FEBRUARY - 1.0, PLACES, GRID.name)
    return found[Scope.TEAM, team].energy_j if (Scope.TEAM, team) in found else 0.0


LENGTHS = st.lists(st.floats(0.2, 3.0).map(lambda hours: hours * HOUR_S), min_size=1, max_size=4)
"""All together at most 57 Wh: what a budget of 30 Wh leaves over fits into the next month."""


@given(LENGTHS, st.floats(0.03, 0.06))
@example([3 * HOUR_S] * 4, 0.03)
@relaxed
def test_a_team_draws_no_more_than_its_budget_and_what_comes_between_two_readings(
    lengths: list[float], bound_kwh: float
) -> None:
    start_at = FEBRUARY - 4 * HOUR_S
    arrivals = [arrival(f"job-{n}", "vision", start_at, length) for n, length in enumerate(lengths)]
    table = {"vision": {"energy": f"{bound_kwh} kWh"}}
    store = play({"team": table}, *arrivals, start_at=start_at)
    assert january_j(store, "vision") <= bound_kwh * JOULES_PER_KWH + len(lengths) * JOB_W * HOUR_S
    assert [job.state for job in store.jobs()] == [State.SUCCEEDED] * len(lengths)


def test_a_team_that_has_used_up_its_month_goes_on_in_the_next_and_others_never_wait() -> None:
    start_at = FEBRUARY - 5 * HOUR_S
    both = [arrival(f"vision-{n}", "vision", start_at, 4 * HOUR_S) for n in range(2)]
    other = arrival("audio", "audio", start_at, 4 * HOUR_S)
    store = play({"team": {"vision": {"energy": "80 kJ"}}}, *both, other, start_at=start_at)
    for name in ("vision-0", "vision-1"):
        first, second = store.attempts(name)
        assert first.outcome == "suspended"
        assert first.ended_at is not None
        assert start_at < first.ended_at <= start_at + 3 * HOUR_S
        assert second.started_at == FEBRUARY
        told = Counter(event.detail for event in store.events(name))
        over = "over team vision's energy budget of 80.0 kJ for 2025-01"
        assert told[over] == told["within its budgets again"] == 1
        assert f"{over}: waits for the next month or a larger budget" in told
    assert len(store.attempts("audio")) == 1


def test_what_is_to_stop_ends_as_failed_with_the_reason_in_words() -> None:
    start_at = FEBRUARY - 5 * HOUR_S
    jobs = [arrival(f"fit-{n}", "vision", start_at + n * HOUR_S, 32 * HOUR_S, CPUS) for n in range(2)]
    table = {"energy": "100 kJ", "when_reached": "stop"}
    store = play({"lineage": {"fit": table}}, *jobs, start_at=start_at)
    error = "BudgetReached: over lineage fit's energy budget of 100 kJ for 2025-01"
    assert [(job.state, job.error) for job in store.jobs()] == [(State.FAILED, error)] * 2
    running, waiting = (store.attempts(job.id) for job in store.jobs())
    assert [attempt.outcome for attempt in running] == ["failed"]
    assert waiting == []


def test_what_is_only_to_be_told_is_told_once_as_it_comes_near_and_once_when_it_is_reached() -> None:
    start_at = FEBRUARY - 12 * HOUR_S
    job = arrival("fit", "vision", start_at, 10 * HOUR_S)
    store = play({"run": {"energy": "150 kJ", "when_reached": "warn"}}, job, start_at=start_at)
    said = [event.detail for event in store.events("fit") if "budget" in event.detail]
    assert said == [
        "beyond 80 % of its energy budget of 150 kJ",
        "over its energy budget of 150 kJ",
    ]
    assert len(store.attempts("fit")) == 1


def test_the_books_of_a_month_hold_what_has_ended_and_what_is_nobodys() -> None:
    start_at = FEBRUARY - 5 * HOUR_S
    store = play({}, arrival("fit", "vision", start_at, 2 * HOUR_S), start_at=start_at)
    found = drawn_in_month(store, start_at, PLACES, GRID.name)
    entries = store.ledger()
    whole = sum(entry.allocation.energy_uj for entry in entries) / 1e6
    mine = sum(e.allocation.energy_uj for e in entries if e.allocation.account.job_id == "fit") / 1e6
    assert found[Scope.MONTH, ""].energy_j == whole > mine > 0.0
    assert found[Scope.TEAM, "vision"] == found[Scope.LINEAGE, "fit"]
    assert found[Scope.TEAM, "vision"].energy_j == mine
    assert found[Scope.MONTH, ""].unpriced_j == 0.0
    assert drawn_in_month(store, FEBRUARY, PLACES, GRID.name) == {}

"""Values that refuse to be wrong."""

import pytest

from tidewatt.domain import world as worlds
from tidewatt.domain.budget import Budget
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.lifecycle import ENDED, TRANSITIONS, State, check_move
from tidewatt.domain.world import REPLAY_SPEED, WorldRequest
from tidewatt.errors import IllegalMove, UsageError, WorldConflict


def test_every_state_is_in_the_table_and_every_ended_one_is_final() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED} == ENDED


def test_an_illegal_move_names_both_states() -> None:
    with pytest.raises(IllegalMove, match=r"job j succeeded; wanted a move to running"):
        check_move("j", State.SUCCEEDED, State.RUNNING)


@pytest.mark.parametrize("text", ["0", "3:1", "two", "1:", ":2", "-1:2"])
def test_worker_ranges_that_make_no_sense(text: str) -> None:
    if text == "1:":
        assert WorkerRange.parse(text) == WorkerRange(1, 1)
        return
    with pytest.raises(UsageError):
        WorkerRange.parse(text)


def test_more_workers_than_shards_are_refused() -> None:
    with pytest.raises(UsageError, match="4 workers for 2 shards"):
        FunctionSpec(name="f", kind=Kind.TRAINING, workers=WorkerRange(1, 4), shards=2)


@pytest.mark.parametrize("bound", ["2", "-1 kg", "0 g", "2 pounds"])
def test_a_budget_is_read_at_once(bound: str) -> None:
    with pytest.raises(UsageError):
        Budget(carbon=bound)


def test_a_start_alone_makes_a_fast_replay_and_a_speed_alone_one_from_now() -> None:
    past = worlds.make(WorldRequest(start_at=1000.0, zones=("DE",)), wall=5000.0)
    assert (past.replayed, past.speed, past.origin_at) == (True, REPLAY_SPEED, 1000.0)
    present = worlds.make(WorldRequest(speed=60.0, zones=("DE",)), wall=5000.0)
    assert (present.replayed, present.origin_at) == (True, 5000.0)
    assert not worlds.make(WorldRequest(zones=("DE",)), wall=5000.0).replayed


def test_real_time_in_the_same_place_is_the_world_that_is_known() -> None:
    request = WorldRequest(zones=("DE",))
    known = worlds.make(request, wall=5000.0)
    assert worlds.make(request, wall=6000.0, known=known) is known
    for other in (WorldRequest(zones=("FR",)), WorldRequest(zones=("DE",), carbon_file="x.csv")):
        made = worlds.make(other, wall=6000.0, known=known)
        assert (made.origin_at, made.zones) == (6000.0, other.zones)
    replay = WorldRequest(speed=60.0, start_at=1000.0, zones=("DE",))
    again = worlds.make(replay, wall=6000.0, known=worlds.make(replay, wall=5000.0))
    assert again.reached_wall == 6000.0


def test_joining_open_jobs_in_another_time_is_refused() -> None:
    world = worlds.make(WorldRequest(speed=60.0, start_at=1000.0, zones=("DE",)), wall=5000.0)
    for request in (
        WorldRequest(speed=61.0),
        WorldRequest(start_at=1001.0),
        WorldRequest(carbon_file="x.csv"),
    ):
        with pytest.raises(WorldConflict, match="--home"):
            worlds.join(world, request)
    joined = worlds.join(world, WorldRequest(speed=60.0, zones=("FR", "DE")))
    assert joined.zones == ("DE", "FR")


def test_a_real_machine_is_in_one_zone() -> None:
    world = worlds.make(WorldRequest(zones=("DE",)), wall=5000.0)
    with pytest.raises(WorldConflict, match="one zone"):
        worlds.join(world, WorldRequest(zones=("FR",)))


def test_a_replay_stands_still_while_nobody_supervises_it() -> None:
    world = worlds.make(WorldRequest(speed=60.0, start_at=1000.0, zones=("DE",)), wall=5000.0)
    assert worlds.now(world, 5010.0, supervised=False) == 1000.0
    assert worlds.now(world, 5010.0, supervised=True) == 1600.0

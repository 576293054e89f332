"""How an attempt ended, from what became of its workers."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import orders

from tidewatt.adapters.engines.teams import Rank, Team, exit_of, logs_of
from tidewatt.adapters.engines.times import Times
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.messages import Done
from tidewatt.simulation.world import NO_CODE

EXCESS = "1 GiB of memory used, and more needed"


def team(*words: Done | None, excess: int | None = None) -> Team:
    """Two workers that have ended with these last words, one of them for its memory if so."""
    spec = FunctionSpec(name="f", kind=Kind.TRAINING, workers=WorkerRange(2, 2), shards=2)
    order = orders.order(spec, NO_CODE, Path("/jobs/f-1"), "f-1", token=3)
    ranks: list[Rank] = []
    for done in words:
        ours, theirs = Channel.pair()
        theirs.close()
        ranks.append(Rank(ours, Times(), done=done, ended=True))
    if excess is not None:
        ranks[excess].excess = EXCESS
    for rank in ranks:
        rank.channel.close()
    return Team(replace(order, workers=2), ranks)


@pytest.mark.parametrize(
    "word",
    [None, Done("lost", None, "peer"), Done("failed", None, "gloo: connection closed")],
    ids=["killed", "lost", "raised"],
)
def test_a_worker_that_took_too_much_is_why_the_others_ended(word: Done | None) -> None:
    ended = exit_of(team(word, None, excess=1))
    assert (ended.outcome, ended.error) == ("failed", f"OutOfMemory: found {EXCESS}")


def test_a_result_that_is_there_stays_one() -> None:
    assert exit_of(team(Done("succeeded", "result-3.pkl", None), None, excess=1)).outcome == "succeeded"


def test_a_worker_that_ended_without_a_word_was_lost() -> None:
    assert exit_of(team(None, None)).outcome == "lost"


def test_each_rank_has_a_log() -> None:
    logs = logs_of(team(None, None))
    assert logs == ["/jobs/f-1/attempt-3.log", "/jobs/f-1/attempt-3.rank1.log"]

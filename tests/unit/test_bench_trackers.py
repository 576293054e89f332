"""Trackers beside ours: whoever cannot work on a machine is told of in words, and makes up no figure."""

import sys
from pathlib import Path

import pytest
from benchmarks.trackers import Tracker, Unfit, beside

ALWAYS_5 = "print('chatter', 5.0)"


def tracker(start: str = ALWAYS_5, keep: str = ALWAYS_5, work: str = ALWAYS_5) -> Tracker:
    return Tracker("other", start=start, keep=keep, work=work)


def figures(peer: Tracker) -> dict[str, float | None]:
    return {f.name: f.peer for f in beside(peer, Path(sys.executable), 0.5, quick=True)}


def test_a_tracker_is_asked_what_it_costs_and_what_it_says() -> None:
    found = figures(tracker(work="import sys; print(60 * float(sys.argv[1]))"))
    assert found == {
        "start_cpu_ms_beside_other": 5000.0,
        "keep_cpu_pct_beside_other": 5.0,
        "two_jobs_beside_other": 2.0,
        "said_w_beside_other": 60.0,
    }


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import no_such_tracker", "No module named 'no_such_tracker'"),
        ("print('no sensor here')", "no sensor here"),
        ("pass", "it said nothing"),
        ("print(0.0)", "nothing was read"),
    ],
)
def test_one_that_cannot_work_says_why(program: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        figures(tracker(work=program))


def test_an_interpreter_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="cannot be run: No such file"):
        beside(tracker(), tmp_path / "python", 1.0, quick=True)

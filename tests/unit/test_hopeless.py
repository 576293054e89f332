"""When a job is given up whose attempts come to nothing."""

from dataclasses import replace

import pytest
from tests.records import attempt

from tidewatt.domain.job import Attempt
from tidewatt.policy.hopeless import MOST_BROKEN, MOST_LOST, hopeless


def attempts(*ends: tuple[str, int | None]) -> list[Attempt]:
    """Attempts that ended so, and the first step that each told of."""
    return [
        replace(attempt("a", token), first_step=first_step, outcome=outcome)
        for token, (outcome, first_step) in enumerate(ends, 1)
    ]


LOST, STRANDED = ("lost", 0), ("stranded", 0)


def test_a_job_whose_worker_dies_time_after_time_is_given_up() -> None:
    assert hopeless(attempts(*[LOST] * (MOST_LOST - 1))) == ""
    assert "its worker died 10 times in a row" in hopeless(attempts(*[LOST] * MOST_LOST))


@pytest.mark.parametrize("between", [("suspended", 0), ("failed", 0), ("lost", 7)])
def test_another_end_and_a_step_further_part_a_row(between: tuple[str, int]) -> None:
    nine = [LOST] * (MOST_LOST - 1)
    assert hopeless(attempts(*nine, between, *nine)) == ""


def test_what_came_with_a_zygote_or_a_supervisor_neither_counts_nor_parts_a_row() -> None:
    nine = [LOST] * (MOST_LOST - 1)
    assert hopeless(attempts(*nine, *[STRANDED] * 30)) == ""
    assert "its worker died 10 times" in hopeless(attempts(*nine, STRANDED, STRANDED, LOST))


def test_a_job_that_takes_its_supervisor_along_is_not_tried_for_ever() -> None:
    often = [STRANDED, ("stranded", None)] * (MOST_BROKEN // 2)
    assert hopeless(attempts(*often[1:])) == ""
    assert "its zygote or its supervisor died 100 times in a row" in hopeless(attempts(*often))
    assert hopeless(attempts(*often[1:], LOST)) != ""
    assert hopeless(attempts(*often[:50], ("suspended", 0), *often[:99])) == ""


def test_a_training_that_comes_further_between_reboots_goes_on() -> None:
    further = [("stranded", 10 * (n // 3)) for n in range(3 * MOST_BROKEN)]
    assert hopeless(attempts(*further)) == ""

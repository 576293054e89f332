"""Whether a job whose attempts end before they come to anything is to be tried once more."""

from collections.abc import Sequence

from tidewatt.domain.job import LOST, STRANDED, Attempt

MOST_LOST = 10
"""Attempts in a row whose worker may die without a step further before the job is given up."""
MOST_BROKEN = 100
"""The same where zygotes and supervisors died too: the machine's doing, unless the job has them die."""


def hopeless(attempts: Sequence[Attempt]) -> str:
    """Why a job is not to be tried again; empty if it is.

    What came with the end of a zygote or a supervisor, as at a reboot, says nothing of the job: it neither
    counts among deaths of workers nor parts those before from those behind it. But a job may be why they
    end, by taking all memory there is, so that it is not tried for ever either.

    Args:
        attempts: all of them, the oldest first; the newest has just ended.
    """
    own = [attempt for attempt in attempts if attempt.outcome != STRANDED][-MOST_LOST:]
    if (
        len(own) == MOST_LOST
        and all(attempt.outcome == LOST for attempt in own)
        and len({attempt.first_step for attempt in own}) == 1
    ):
        return f"its worker died {MOST_LOST} times in a row without a step further"
    newest = attempts[-MOST_BROKEN:]
    if (
        len(newest) == MOST_BROKEN
        and all(attempt.outcome in {LOST, STRANDED} for attempt in newest)
        # some may have ended before they could tell where they began
        and len({attempt.first_step for attempt in newest} - {None}) <= 1
    ):
        who = "its worker, its zygote or its supervisor"
        return f"{who} died {MOST_BROKEN} times in a row without a step further"
    return ""

"""Lowest window: wait for the start from which the job, run through without a pause, costs least.

Known as deferral or "lowest window" (GAIA, ASPLOS 2024) and non-interruptible shifting (Wiesner et al. 2021).
"""

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import guarded
from tidewatt.policy.block import cheapest_block
from tidewatt.policy.market import Market, Schedule

NAME = "lowest-window"


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    return guarded.decide(NAME, _choose, snapshot)


def _choose(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str] | None:
    """The cheapest block on as few workers as the job accepts."""
    block = cheapest_block(job, remaining.expected_s, market.span(job.deadline_at), market, job.least)
    return block and (block[1], "the cheapest start before the deadline, without a pause")

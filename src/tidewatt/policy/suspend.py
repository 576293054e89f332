"""Suspend-resume: run in the cheapest windows on one worker count, and pause between them.

Known as "Wait Awhile" (Wiesner et al., Middleware 2021). What cannot be suspended waits for its lowest
window.
"""

from dataclasses import replace

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import guarded
from tidewatt.policy.block import cheapest_block
from tidewatt.policy.market import Market, Schedule, outlay
from tidewatt.policy.zigzag import zigzag

NAME = "suspend-resume"


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    return guarded.decide(NAME, _choose, snapshot)


def _choose(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str] | None:
    """The cheapest windows on as few workers as the job accepts."""
    span, work_s = market.span(job.deadline_at), remaining.expected_s
    if job.suspendable:
        narrow = replace(job, most=job.least)
        pieces = zigzag(narrow, work_s, span, market)
        if outlay(narrow, work_s, pieces, market).finishes:
            return pieces, f"the {len(pieces)} cheapest of {len(span)} hours before the deadline"
    block = cheapest_block(job, work_s, span, market, job.least)
    return block and (block[1], "the cheapest start before the deadline, without a pause")

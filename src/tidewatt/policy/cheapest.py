"""The default policy: the cheapest windows by forecast that finish the work before the deadline.

It plans anew in every window. Two kinds of schedule compete for each job, restarts included: a zigzag over
the cheapest hours, and one block without a pause.
"""

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import guarded
from tidewatt.policy.block import cheapest_block
from tidewatt.policy.market import Market, Schedule, outlay
from tidewatt.policy.zigzag import zigzag

NAME = "cheapest-windows"
_EQUAL = 1e-12


def decide(snapshot: Snapshot) -> Plan:
    """The plan for all jobs, earliest deadline first."""
    return guarded.decide(NAME, _choose, snapshot)


def _choose(job: JobView, remaining: Remaining, market: Market) -> tuple[Schedule, str] | None:
    """The zigzag or the block that costs least; only blocks for what cannot be suspended."""
    span, work_s = market.span(job.deadline_at), remaining.expected_s
    block = cheapest_block(job, work_s, span, market, job.most if job.suspendable else job.least)
    if job.suspendable:
        pieces = zigzag(job, work_s, span, market)
        paid = outlay(job, work_s, pieces, market)
        if paid.finishes and (block is None or paid.cost <= block[0].cost * (1 + _EQUAL)):
            return pieces, f"the {len(pieces)} cheapest of {len(span)} hours before the deadline"
    return block and (block[1], "the cheapest start before the deadline, without a pause")

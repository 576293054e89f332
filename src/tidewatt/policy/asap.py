"""Run now: everything as soon as possible and as wide as it goes, at the cheapest of equal sites."""

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import Snapshot
from tidewatt.policy import guard, net

NAME = "run-now"


def decide(snapshot: Snapshot) -> Plan:
    """Start everything now, unless a job at the cheapest site stands where another alone could be in time."""
    assignments = net.assignments(snapshot, by_price=True)
    plan = Plan(policy=NAME, issued_at=snapshot.now, assignments=assignments)
    late = guard.late(snapshot)
    return guard.fallback(NAME, snapshot, late) if guard.endangered(plan, snapshot, late) else plan

"""The policies by name."""

from collections.abc import Callable

from tidewatt.domain.plan import Plan
from tidewatt.domain.snapshot import Snapshot
from tidewatt.errors import UsageError
from tidewatt.policy import asap, cheapest, lowest, marginal, suspend, threshold

Policy = Callable[[Snapshot], Plan]
DEFAULT = cheapest.NAME
POLICIES: dict[str, Policy] = {
    asap.NAME: asap.decide,
    threshold.NAME: threshold.decide,
    lowest.NAME: lowest.decide,
    suspend.NAME: suspend.decide,
    marginal.NAME: marginal.decide,
    cheapest.NAME: cheapest.decide,
}


def named(name: str) -> Policy:
    """The policy of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in POLICIES:
        raise UsageError(f"policy {name!r}", f"one of {', '.join(POLICIES)}", "name one of these")
    return POLICIES[name]

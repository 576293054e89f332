"""What several exports take from a receipt."""

from tidewatt.accounting.factors import Impact
from tidewatt.domain.units import JOULES_PER_KWH
from tidewatt.errors import UsageError
from tidewatt.report.contents import Receipt


def kwh(receipt: Receipt) -> float:
    """Energy of the machine that belongs to the job, kWh.

    Raises:
        UsageError: it is not known.
    """
    if not receipt.energy.metered:
        raise _unknown(receipt, "its energy")
    return receipt.energy.total_uj / 1e6 / JOULES_PER_KWH


def facility_kwh(receipt: Receipt) -> float:
    """The same at the site's own meter, kWh.

    Raises:
        UsageError: it is not known.
    """
    if receipt.impacts.facility_j is None:
        raise _unknown(receipt, "its energy")
    return receipt.impacts.facility_j / JOULES_PER_KWH


def grams(receipt: Receipt) -> float:
    """Operational carbon, gCO2e.

    Raises:
        UsageError: it is not known.
    """
    return amount(receipt, receipt.impacts.operational, "its operational carbon")


def amount(receipt: Receipt, impact: Impact | None, what: str) -> float:
    """The value of an impact.

    Raises:
        UsageError: it is not known; what is not known is never reported as 0.
    """
    if impact is None:
        raise _unknown(receipt, what)
    return impact.amount.value


def zones(receipt: Receipt) -> list[str]:
    """Where it ran, in order, each once; the home zone if it has not run."""
    return list(dict.fromkeys(s.zone for s in receipt.running.segments)) or [receipt.place.home_zone]


def most_workers(receipt: Receipt) -> int:
    """The most workers that it had at a time."""
    return max((s.workers for s in receipt.running.segments), default=0)


def how_measured(receipt: Receipt) -> str:
    """The meters, and how well they know."""
    return f"{' and '.join(receipt.energy.meters) or 'no meter'}, tier {int(receipt.energy.tier)}"


def _unknown(receipt: Receipt, what: str) -> UsageError:
    return UsageError(
        f"job {receipt.identity.job_id}, of which {what} is not known",
        "a job whose figures are known: a report must not say 0",
        "`tidewatt receipt` says why",
    )

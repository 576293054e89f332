"""Rows in the FinOps Open Cost and Usage Specification 1.2, for chargeback.

Energy and carbon are columns of our own, which that specification wants to begin with ``x_``.
"""

import csv
import io
import json
from collections.abc import Iterable

from tidewatt.domain.ledger import Phase
from tidewatt.domain.month import month_of
from tidewatt.domain.units import JOULES_PER_KWH
from tidewatt.errors import UsageError
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts
from tidewatt.report.figures import iso
from tidewatt.report.period import Charge

COLUMNS: tuple[str, ...] = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_EnergyJ",
    "x_OperationalGCO2e",
    "x_EmbodiedGCO2e",
    "x_WaterL",
    "x_StalledJ",
)


def render(receipt: Receipt) -> str:
    """A heading, and the row of one job.

    Raises:
        UsageError: its energy or money is not known.
    """
    who, impacts = receipt.identity, receipt.impacts
    parts.kwh(receipt)
    charge = Charge(
        resource=who.job_id,
        name=who.function,
        shared=False,
        labels=who.labels,
        zones=tuple(parts.zones(receipt)),
        start_at=who.submitted_at,
        end_at=who.ended_at if who.ended_at is not None else who.issued_at,
        by_phase_uj={Phase(part.key): part.energy_uj for part in receipt.energy.by_phase},
        operational=impacts.operational,
        embodied=impacts.embodied,
        water=impacts.water,
        cost=impacts.cost,
    )
    return rows([charge])


def rows(charges: Iterable[Charge]) -> str:
    """A heading, and a row for each charge.

    Raises:
        UsageError: the money of one is not known.
    """
    sink = io.StringIO()
    writer = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(charge) for charge in charges)
    return sink.getvalue()


def _row(charge: Charge) -> dict[str, object]:
    if charge.cost is None:
        raise UsageError(
            f"{charge.resource}, whose cost is not known", "a cost: a bill must not say 0", "see its receipt"
        )
    amount = f"{charge.cost.amount.value:.12f}"
    account, team = charge.labels.get("cost_centre", "unassigned"), charge.labels.get("team", "")
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), amount),
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingCurrency": "USD",
        **_periods(charge),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"Electricity: {charge.name}",
        "ChargeFrequency": "Usage-Based",
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceName"), "Tidewatt"),
        "PricingQuantity": f"{charge.energy_uj / 1e6 / JOULES_PER_KWH:.15f}",
        "PricingUnit": "kWh",
        "RegionId": ",".join(charge.zones),
        "ResourceId": charge.resource,
        "ResourceName": charge.name,
        "ResourceType": "Shared" if charge.shared else "Job",
        "ServiceCategory": "AI and Machine Learning",
        **dict.fromkeys(("SubAccountId", "SubAccountName"), team),
        "Tags": json.dumps(charge.labels, sort_keys=True),
        **_own(charge),
    }


def _periods(charge: Charge) -> dict[str, str]:
    """The time of the charge, and the month that it is billed in: the one in which it ended."""
    first_at, following_at = month_of(charge.end_at)
    return {
        "BillingPeriodStart": iso(first_at),
        "BillingPeriodEnd": iso(following_at),
        "ChargePeriodStart": iso(charge.start_at),
        "ChargePeriodEnd": iso(charge.end_at),
    }


def _own(charge: Charge) -> dict[str, str]:
    """Energy and impacts; what is not known is empty."""
    named = {
        "x_OperationalGCO2e": charge.operational,
        "x_EmbodiedGCO2e": charge.embodied,
        "x_WaterL": charge.water,
    }
    return {
        "x_EnergyJ": f"{charge.energy_uj / 1e6:.6f}",
        **{key: "" if of is None else f"{of.amount.value:.12g}" for key, of in named.items()},
        "x_StalledJ": f"{charge.by_phase_uj.get(Phase.STALLED, 0) / 1e6:.6f}",
    }

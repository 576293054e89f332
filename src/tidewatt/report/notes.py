"""Says in words how well the figures of a receipt are known."""

from collections.abc import Iterable, Iterator, Sequence

from tidewatt.accounting.carbon import Operational
from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.factors import DEFAULTS
from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import Balance
from tidewatt.domain.signal import Quality
from tidewatt.report.contents import Hour
from tidewatt.report.figures import percent
from tidewatt.report.record import Record

_DEFAULTED = {
    "pue": "PUE",
    "wue": "water on site",
    "ewif": "water of electricity",
    "price": "price",
    "embodied": "embodied carbon",
}


def notes_of(
    record: Record, priced: Operational, other: Counterfactual | Unknown, hours: Iterable[Hour]
) -> tuple[str, ...]:
    """Remarks, in the order of what they are about."""
    notes: list[str] = []
    if not record.balances:
        notes.append("No energy has been metered for this job yet.")
    if priced.unpriced_zones:
        zones = ", ".join(zone or "an unnamed zone" for zone in priced.unpriced_zones)
        share = priced.unpriced_j / priced.energy_j if priced.energy_j else 1.0
        notes.append(
            f"Operational carbon is not known: no intensity for {zones}, where {percent(share)} of the "
            "energy was drawn."
        )
    if priced.filled_share > 0:
        notes.append(
            f"{percent(priced.filled_share)} of the energy was drawn in hours without data; it is priced at "
            "the mean of the known hours, with the lowest and highest of them as range."
        )
    if any(hour.quality == Quality.MODELLED for hour in hours):
        notes.append("Carbon intensity comes from a model of the grid, not from measurement.")
    notes.extend(_modelled(record.balances))
    if isinstance(other, Counterfactual) and other.operational.filled_share > 0:
        notes.append(
            f"{percent(other.operational.filled_share)} of the energy of the run it is compared with falls "
            "in hours without data, priced in the same way."
        )
    if isinstance(other, Counterfactual) and other.assumed:
        notes.append("The run it is compared with is partly assumed: the job never ran at that worker count.")
    if not record.job.function.exact:
        notes.append(
            "Trained in the fast mode: gradients were summed by an all-reduce, so other worker counts would "
            "have given another, equally good, model."
        )
    notes.extend(_sources(record, priced))
    return tuple(notes)


def _modelled(balances: Sequence[Balance]) -> Iterator[str]:
    """What to say of energy that no counter told."""
    modelled = [balance for balance in balances if balance.tier >= Tier.MODEL]
    if modelled and len(modelled) == len(balances):
        yield "Energy is modelled from processor time, as this machine has no counter that we may read."
    elif modelled:
        total_uj = sum(balance.energy_uj for balance in balances)
        share = sum(balance.energy_uj for balance in modelled) / total_uj if total_uj else 1.0
        meters = ", ".join(sorted({balance.meter for balance in modelled}))
        yield f"{percent(share)} of the energy is modelled and not counted: by {meters}."


def _sources(record: Record, priced: Operational) -> Iterator[str]:
    """Which figures are the site's own, and which are published for others like it."""
    factors = record.conditions.factors
    used_by = priced.carbon.factors if priced.carbon else ()
    if by_hour := sorted(key for key in used_by if key.startswith("hourly")):
        yield f"PUE is taken by the hour: {', '.join(by_hour)}."
    own = {kind for kind, _ in factors.local}
    if by_hour and len(by_hour) == len(used_by):
        own.add("pue")
    own |= {kind for kind in _DEFAULTED if getattr(factors, kind) != getattr(DEFAULTS, kind)}
    default = [name for kind, name in _DEFAULTED.items() if kind not in own]
    if default:
        listed = default[0] if len(default) == 1 else f"{', '.join(default[:-1])} and {default[-1]}"
        verb = "is a published default" if len(default) == 1 else "are published defaults"
        yield f"{listed[0].upper()}{listed[1:]} {verb}, not measured at this site."
    zones = sorted({balance.zone for balance in record.balances if balance.zone})
    without = [zone for zone in zones if ("ewif", zone) not in factors.local]
    if "ewif" in own and factors.ewif == DEFAULTS.ewif and without:
        yield f"No water figure for {', '.join(without)}: that of the world stands in, with its range."

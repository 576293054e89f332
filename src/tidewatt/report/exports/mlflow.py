"""The figures of a receipt as MLflow keeps them: metrics, parameters and tags of one run."""

from dataclasses import dataclass

from tidewatt.accounting.saving import Saving
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.lifecycle import State
from tidewatt.domain.units import MICROJOULES
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts

JOB_TAG = "tidewatt.job"
"""By which the run of a job is found again."""
_STATUS = {State.SUCCEEDED: "FINISHED", State.FAILED: "FAILED", State.CANCELLED: "KILLED"}
_LONGEST = 5_000
"""Characters of a value: the least that a tracking server takes is more, and more tells nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run is given; a parameter never changes once it is logged, so those are what was asked for.

    ``status`` is the word for how the job ended, empty while it is open.
    """

    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]
    status: str


def figures(receipt: Receipt) -> Figures:
    """The figures; an impact that is not known has no metric, as 0 would be one.

    Raises:
        UsageError: the energy is not known.
    """
    parts.kwh(receipt)
    who = receipt.identity
    params = {"function": who.function, "home_zone": receipt.place.home_zone, "grid": receipt.place.grid}
    tags = {
        JOB_TAG: who.job_id,
        "tidewatt.state": str(who.state),
        "tidewatt.meter": parts.how_measured(receipt),
        "tidewatt.zones": ", ".join(parts.zones(receipt)),
        "tidewatt.factors": ", ".join(factor.id for factor in receipt.factors),
        "tidewatt.notes": "\n".join(receipt.notes),
    }
    return Figures(
        metrics=_metrics(receipt),
        params=_clean(params | {f"argument.{name}": value for name, value in who.arguments.items()}),
        tags=_clean(tags | {f"tidewatt.label.{key}": value for key, value in who.labels.items()}),
        status=_STATUS.get(who.state, ""),
    )


def _metrics(receipt: Receipt) -> dict[str, float]:
    impacts = receipt.impacts
    known = {
        "operational_gco2e": impacts.operational,
        "marginal_gco2e": impacts.marginal,
        "market_gco2e": impacts.market,
        "embodied_gco2e": impacts.embodied,
        "water_l": impacts.water,
        "cost_usd": impacts.cost,
        "machine_usd": impacts.machine,
    }
    estimates = {name: impact.amount for name, impact in known.items() if impact is not None}
    if isinstance(receipt.saving, Saving):
        estimates["saving_gco2e"] = receipt.saving.operational_g
    exact = {
        "energy_j": receipt.energy.total_uj / MICROJOULES,
        "real_s": receipt.running.real_s,
        "attempts": float(len(receipt.running.segments)),
        "steps": float(receipt.identity.steps_done),
        **{f"energy_by_phase_j/{p.key}": p.energy_uj / MICROJOULES for p in receipt.energy.by_phase},
    }
    ranges = {
        name: value
        for key, estimate in {"energy_j": receipt.energy.total_j, **estimates}.items()
        for name, value in _range(key, estimate).items()
    }
    return {f"tidewatt/{name}": value for name, value in {**ranges, **exact}.items()}


def _range(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}/low": estimate.low, f"{name}/high": estimate.high}


def _clean(values: dict[str, str]) -> dict[str, str]:
    """Names in the letters that MLflow takes, and values of a length that it takes."""
    return {_name(key): value[:_LONGEST] for key, value in values.items()}


def _name(key: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. /") else "_" for c in key)

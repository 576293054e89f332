"""Writes a receipt as one JSON object, for programs; docs/reference/accounting.md describes its keys."""

import json
from math import isfinite
from typing import cast

from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.factors import Impact
from tidewatt.accounting.saving import Saving
from tidewatt.domain.environment import Environment, redacted
from tidewatt.domain.estimate import Estimate
from tidewatt.report.contents import Energy, Impacts, Part, Receipt
from tidewatt.report.figures import iso

SCHEMA = "tidewatt.receipt/1"
"""Keys are only ever added under one number; a change of meaning gets the next."""


def render(receipt: Receipt) -> str:
    """The receipt as JSON text that ends in a newline; what is not known or not finite is null, never 0."""
    return json.dumps(_finite(document(receipt)), indent=2, ensure_ascii=False, default=str) + "\n"


def document(receipt: Receipt) -> dict[str, object]:
    """The receipt as plain values; energies in J and µJ, carbon in gCO2e, instants as ISO 8601 in UTC."""
    deadline, ran = receipt.deadline, receipt.running
    return {
        "schema": SCHEMA,
        **_identity(receipt),
        "world": {
            "speed": receipt.place.speed,
            "replayed": receipt.place.replayed,
            "note": receipt.place.world,
        },
        "grid": {
            "source": receipt.place.grid,
            "home_zone": receipt.place.home_zone,
            "model": receipt.place.modelled,
        },
        **_energy(receipt.energy),
        **_impacts(receipt.impacts),
        "deadline": None
        if deadline is None
        else {"at": iso(deadline.at), "kept": deadline.kept, "slack_s": deadline.slack_s},
        "running": {
            "real_s": ran.real_s,
            "attempts": len(ran.segments),
            "suspends": ran.suspends,
            "resumes": ran.resumes,
            "resizes": ran.resizes,
            "moves": ran.moves,
            "losses": ran.failed + ran.lost + ran.stranded,
            "failed": ran.failed,
            "lost": ran.lost,
            "stranded": ran.stranded,
            "segments": [
                {
                    "start_at": iso(s.start_at),
                    "end_at": iso(s.end_at),
                    "workers": s.workers,
                    "zone": s.zone,
                }
                for s in ran.segments
            ],
        },
        "intensity_gco2e_per_kwh": [
            {
                "start_at": iso(h.start_at),
                "zone": h.zone,
                "value": h.value,
                "low": h.low,
                "high": h.high,
                "quality": h.quality,
            }
            for h in receipt.hours
        ],
        "counterfactual": _counterfactual(receipt.counterfactual),
        "saving": _saving(receipt.saving),
        "factors": [
            {
                "id": f.id,
                "value": f.value,
                "low": f.low,
                "high": f.high,
                "unit": f.unit,
                "source": f.source,
                "valid": f.valid,
                "licence": f.licence,
            }
            for f in receipt.factors
        ],
        "notes": list(receipt.notes),
    }


def _finite(value: object) -> object:
    """A loss or a result may be NaN, for which JSON has no word."""
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        return {str(key): _finite(item) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("list[object]", value)]
    return None if isinstance(value, float) and not isfinite(value) else value


def _environment(environment: Environment | None) -> dict[str, object] | None:
    if environment is None:
        return None
    requirements = [redacted(each) for each in environment.requirements]
    return {"id": environment.digest, "requirements": requirements, "python": environment.python or None}


def _identity(receipt: Receipt) -> dict[str, object]:
    who = receipt.identity
    return {
        "job": who.job_id,
        "function": who.function,
        "arguments": who.arguments,
        "labels": who.labels,
        "environment": _environment(who.environment),
        "trigger": who.trigger or None,
        "state": str(who.state),
        "interim": who.interim,
        "submitted_at": iso(who.submitted_at),
        "ended_at": None if who.ended_at is None else iso(who.ended_at),
        "issued_at": iso(who.issued_at),
        "steps_done": who.steps_done,
        "steps_total": who.steps_total,
        "first_loss": who.first_loss,
        "last_loss": who.last_loss,
        "result": who.result,
        "error": who.error,
        "plan_note": who.plan_note,
    }


def _energy(energy: Energy) -> dict[str, object]:
    node = energy.conservation
    return {
        "energy_j": _estimate(energy.total_j) if energy.metered else None,
        "energy_uj": energy.total_uj if energy.metered else None,
        "energy_tier": int(energy.tier),
        "meters": list(energy.meters),
        "energy_by_phase_uj": _parts(energy.by_phase),
        "energy_by_workers_uj": _parts(energy.by_workers),
        "node": {
            "energy_uj": node.node_uj,
            "jobs_uj": node.jobs_uj,
            "pool_uj": node.pool_uj,
            "platform_uj": node.platform_uj,
            "unallocated_uj": node.unallocated_uj,
        },
    }


def _parts(parts: tuple[Part, ...]) -> dict[str, int]:
    return {part.key: part.energy_uj for part in parts}


def _impacts(impacts: Impacts) -> dict[str, object]:
    return {
        "operational_gco2e": _impact(impacts.operational),
        "marginal_gco2e": _impact(impacts.marginal),
        "market_based_gco2e": _impact(impacts.market),
        "operational_filled_share": impacts.filled_share,
        "operational_unpriced_zones": list(impacts.unpriced_zones),
        "mean_intensity_gco2e_per_kwh": impacts.intensity,
        "embodied_gco2e": _impact(impacts.embodied),
        "water_l": _impact(impacts.water),
        "cost_usd": _impact(impacts.cost),
        "machine_usd": _impact(impacts.machine),
        "idle_usd": _impact(impacts.idle),
        "facility_j": impacts.facility_j,
        "beyond_machine": {
            "sent_bytes": impacts.beyond.sent_bytes,
            "network_j": _estimate(impacts.beyond.network_j),
            "storage_j": _estimate(impacts.beyond.storage_j),
            "gco2e": _impact(impacts.beyond.carbon),
        },
    }


def _counterfactual(other: Counterfactual | Unknown) -> dict[str, object]:
    if isinstance(other, Unknown):
        return {"known": False, "reason": other.reason}
    return {
        "known": True,
        "start_at": iso(other.start_at),
        "end_at": iso(other.end_at),
        "zone": other.zone,
        "workers": other.workers,
        "real_s": other.wall_s,
        "energy_j": _estimate(other.energy_j),
        "operational_gco2e": _impact(other.carbon),
        "operational_filled_share": other.operational.filled_share,
        "basis": other.basis,
        "assumed": other.assumed,
    }


def _saving(saved: Saving | Unknown) -> dict[str, object]:
    if isinstance(saved, Unknown):
        return {"known": False, "reason": saved.reason}
    return {
        "known": True,
        "operational_gco2e": _estimate(saved.operational_g),
        "operational_percent": None if saved.share is None else _estimate(saved.share, 100.0),
        "with_embodied_gco2e": _estimate(saved.with_embodied_g),
    }


def _impact(impact: Impact | None) -> dict[str, object] | None:
    if impact is None:
        return None
    return {**_estimate(impact.amount), "factors": list(impact.factors), "method": impact.method}


def _estimate(value: Estimate, scale: float = 1.0) -> dict[str, float]:
    return value.bounds(scale)

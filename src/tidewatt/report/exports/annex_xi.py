"""What Annex XI of the EU's AI Act (Regulation 2024/1689), section 1, asks of energy and computation."""

import json

from tidewatt.domain.units import JOULES_PER_KWH
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts
from tidewatt.report.figures import iso


def render(receipt: Receipt) -> str:
    """Points 2 (d), computational resources and training time, and 2 (e), known or estimated energy.

    The number of floating-point operations, which point 2 (d) also names, is not known to Tidewatt.

    Raises:
        UsageError: the energy is not known.
    """
    who, ran = receipt.identity, receipt.running
    low, high = receipt.energy.total_j.low, receipt.energy.total_j.high
    processor_s = sum((s.end_at - s.start_at) * s.workers for s in ran.segments) / receipt.place.speed
    report = {
        "regulation": "EU 2024/1689, Annex XI, section 1, point 2",
        "model": who.function,
        "job": who.job_id,
        "issued_at": iso(who.issued_at),
        "d_computational_resources": {
            "training_time_h": ran.real_s / 3600,
            "worker_hours": processor_s / 3600,
            "most_workers": parts.most_workers(receipt),
            "optimizer_steps": who.steps_done,
            "floating_point_operations": None,
        },
        "e_energy_consumption": {
            "kwh": parts.kwh(receipt),
            "low_kwh": low / JOULES_PER_KWH,
            "high_kwh": high / JOULES_PER_KWH,
            "basis": "known" if receipt.energy.tier <= 1 else "estimated",
            "method": parts.how_measured(receipt),
        },
    }
    return json.dumps(report, indent=2) + "\n"

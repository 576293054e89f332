"""Energy as OpenTelemetry's ``hw.energy``, in the JSON of its protocol.

https://opentelemetry.io/docs/specs/semconv/hardware/common/ defines the instrument: a counter in J.
"""

import json

from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts

_CUMULATIVE = 2


def render(receipt: Receipt) -> str:
    """One request of metrics, with a data point for each phase.

    Raises:
        UsageError: the energy is not known.
    """
    parts.kwh(receipt)
    who = receipt.identity
    until = who.ended_at if who.ended_at is not None else who.issued_at
    points = [
        {
            "attributes": _attributes(
                {
                    "hw.id": parts.how_measured(receipt),
                    "hw.type": "cpu",
                    "tidewatt.job": who.job_id,
                    "tidewatt.phase": part.key,
                }
            ),
            "startTimeUnixNano": _nanoseconds(who.submitted_at),
            "timeUnixNano": _nanoseconds(until),
            "asDouble": part.energy_uj / 1e6,
        }
        for part in receipt.energy.by_phase
    ]
    metric = {
        "name": "hw.energy",
        "description": "Energy consumed by the component",
        "unit": "J",
        "sum": {"dataPoints": points, "aggregationTemporality": _CUMULATIVE, "isMonotonic": True},
    }
    resource = {"service.name": "tidewatt", **{f"tidewatt.label.{k}": v for k, v in who.labels.items()}}
    request = {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeMetrics": [{"scope": {"name": "tidewatt"}, "metrics": [metric]}],
            }
        ]
    }
    return json.dumps(request, indent=2) + "\n"


def _attributes(values: dict[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _nanoseconds(at: float) -> str:
    return str(round(at * 1e9))

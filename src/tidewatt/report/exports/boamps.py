"""An energy report in the BoAmps format of Boavizta, https://github.com/Boavizta/BoAmps."""

import json
import platform
from uuid import NAMESPACE_URL, uuid5

from tidewatt.domain.estimate import Tier
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts
from tidewatt.report.figures import iso

_QUALITY = {Tier.COUNTER: "high", Tier.HYBRID: "medium"}


def render(receipt: Receipt) -> str:
    """The report as JSON; what we cannot know of a task is left out or said to be other.

    Raises:
        UsageError: the energy is not known.
    """
    who = receipt.identity
    grid = (
        {} if receipt.impacts.intensity is None else {"powerSourceCarbonIntensity": receipt.impacts.intensity}
    )
    report = {
        "header": {
            "formatVersion": "1.0",
            "formatVersionSpecificationUri": "https://github.com/Boavizta/BoAmps/tree/main/model",
            "reportId": str(uuid5(NAMESPACE_URL, f"tidewatt:{who.job_id}")),
            "reportDatetime": _instant(who.issued_at),
            "reportStatus": "draft" if who.interim else "final",
            "publisher": {"name": who.labels.get("team", "unnamed"), "confidentialityLevel": "internal"},
        },
        "task": {
            "taskStage": who.labels.get("task_stage", "training"),
            "taskFamily": who.labels.get("task_family", "other"),
            "algorithms": [{"algorithmName": who.function, "framework": "pytorch"}],
            "dataset": [{"dataUsage": "input", "dataType": who.labels.get("data_type", "other")}],
        },
        "measures": [
            {
                "measurementMethod": f"tidewatt, {parts.how_measured(receipt)}",
                "powerConsumption": parts.kwh(receipt),
                "measurementDuration": receipt.running.real_s,
                "measurementDateTime": _instant(who.submitted_at),
            }
        ],
        "system": {"os": platform.system()},
        "software": {"language": "python"},
        "infrastructure": {
            "infraType": who.labels.get("infra_type", "other"),
            "components": [{"componentType": "cpu", "nbComponent": max(1, parts.most_workers(receipt))}],
        },
        "environment": {"country": parts.zones(receipt)[0].partition("-")[0], **grid},
        "quality": _QUALITY.get(receipt.energy.tier, "low"),
    }
    return json.dumps(report, indent=2) + "\n"


def _instant(at: float) -> str:
    """As the format wants it, in UTC."""
    return iso(at).replace("T", " ").rstrip("Z")

"""The carbon footprint in the metadata of a Hugging Face model card.

https://huggingface.co/docs/hub/model-cards-co2 describes the keys.
"""

import json

from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts


def render(receipt: Receipt) -> str:
    """Lines of YAML to be put between the two rules at the top of a model's README.

    Raises:
        UsageError: carbon is not known.
    """
    most = parts.most_workers(receipt)
    hardware = f"{most} worker{'' if most == 1 else 's'} on processors, no GPU"
    values = {
        "emissions": parts.grams(receipt),
        "source": f"tidewatt, receipt of job {receipt.identity.job_id}; {parts.how_measured(receipt)}; "
        f"{receipt.place.grid}",
        "training_type": receipt.identity.labels.get("training_type", "pre-training"),
        "geographical_location": ", ".join(parts.zones(receipt)),
        "hardware_used": hardware,
    }
    # A JSON string is a YAML string as well, whatever is in it.
    lines = [f"  {key}: {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(["co2_eq_emissions:", *lines]) + "\n"

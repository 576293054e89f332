"""The Software Carbon Intensity score, ISO/IEC 21031:2024: ((E x I) + M) for each R."""

import json

from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts
from tidewatt.report.figures import iso


def render(receipt: Receipt) -> str:
    """E is in kWh of the facility, M embodied carbon of the time reserved, R the steps, or else the job.

    Operational carbon is summed hour by hour; I is that sum over E, so that E x I is exact.

    Raises:
        UsageError: carbon is not known.
    """
    operational, energy_kwh = parts.grams(receipt), parts.facility_kwh(receipt)
    embodied = parts.amount(receipt, receipt.impacts.embodied, "its embodied carbon")
    steps = receipt.identity.steps_done
    unit, count = ("optimizer step", steps) if steps else ("job", 1)
    return (
        json.dumps(
            {
                "standard": "ISO/IEC 21031:2024",
                "job": receipt.identity.job_id,
                "issued_at": iso(receipt.identity.issued_at),
                "E_kwh": energy_kwh,
                "I_gco2e_per_kwh": operational / energy_kwh if energy_kwh else None,
                "M_gco2e": embodied,
                "R": {"unit": unit, "count": count},
                "sci_gco2e_per_R": (operational + embodied) / count,
                "boundary": "the job's workers on this machine, with its share of power that is always drawn",
            },
            indent=2,
        )
        + "\n"
    )

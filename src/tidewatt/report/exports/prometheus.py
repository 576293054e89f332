"""Figures of a job in the text format that Prometheus reads, for a file that its node exporter collects."""

from tidewatt.report.contents import Receipt
from tidewatt.report.exports import parts


def render(receipt: Receipt) -> str:
    """Gauges by job and phase; a gauge, since a receipt is of one job and may be written again.

    Raises:
        UsageError: the energy is not known.
    """
    parts.kwh(receipt)
    who, impacts = receipt.identity, receipt.impacts
    named = {"job": who.job_id, "function": who.function, **{f"label_{k}": v for k, v in who.labels.items()}}
    energy = [
        (f"{_labels(named | {'phase': part.key})}", part.energy_uj / 1e6) for part in receipt.energy.by_phase
    ]
    lines = _metric("tidewatt_job_energy_joules", "Energy of the machine that belongs to the job.", energy)
    for name, text, impact in (
        ("operational_grams", "Operational carbon, gCO2e.", impacts.operational),
        ("embodied_grams", "Embodied carbon of the time reserved, gCO2e.", impacts.embodied),
        ("water_litres", "Water, on site and at the source.", impacts.water),
        ("cost_dollars", "Electricity.", impacts.cost),
    ):
        if impact is not None:
            lines += _metric(f"tidewatt_job_{name}", text, [(_labels(named), impact.amount.value)])
    return "\n".join(lines) + "\n"


def _metric(name: str, text: str, samples: list[tuple[str, float]]) -> list[str]:
    head = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    return [*head, *(f"{name}{{{labels}}} {value!r}" for labels, value in samples)]


def _labels(values: dict[str, str]) -> str:
    return ",".join(f'{_name(key)}="{_escaped(value)}"' for key, value in values.items())


def _name(key: str) -> str:
    """A label's name may hold letters, digits and underscores."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in key)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""Embodied carbon: the share of making a machine that a job's reserved time used up."""

from collections.abc import Iterable

from tidewatt.accounting.factors import DEFAULTS, Factors, Impact
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.ledger import Balance
from tidewatt.domain.units import HOUR_S


def machine_seconds(balances: Iterable[Balance]) -> float:
    """Real seconds of the whole machine that balances reserved: ``sum reserved_cpu_s / cpus``."""
    return sum(balance.machine_s for balance in balances)


def embodied(machine_s: float, factors: Factors = DEFAULTS) -> Impact:
    """Embodied gCO2e of so many real seconds of the whole machine: ``TE * machine_s / lifespan``.

    The time is always real: a replay makes hours of the grid pass faster, not the machine age. Source of
    the formula: the Software Carbon Intensity specification (ISO/IEC 21031:2024), ``M = TE * TS * RS``.
    """
    made, life = factors.embodied, factors.lifespan
    hours = machine_s / HOUR_S
    amount = Estimate(
        made.value * 1000 * hours / life.value,
        made.low * 1000 * hours / life.high,
        made.high * 1000 * hours / life.low,
    )
    return Impact(amount, "gCO2e", (made.id, life.id), "embodied/1")

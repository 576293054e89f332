"""Money: the electricity that a machine and its site drew, and the machine itself."""

from collections.abc import Iterable

from tidewatt.accounting.carbon import Spent, slice_hours
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.factors import DEFAULTS, Factors, Impact
from tidewatt.domain.estimate import ZERO
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH


def electricity(spent: Iterable[Spent], conditions: Conditions) -> Impact:
    """US dollars for energies of machines: ``sum E * PUE * price``, by the hour where prices are known.

    Hours without a price cost what the tariff says.
    """
    amount, known_by = ZERO, dict[str, None]()
    for piece in spent:
        tariff = conditions.factors.of("price", piece.zone)
        signal = conditions.prices.get(piece.zone)
        hours = [
            (part.share, part.hour_at, None if part.filled else part.intensity)
            for part in slice_hours(signal, piece.start_at, piece.end_at)
        ]
        for share, at, price in hours or [(1.0, piece.start_at, None)]:
            pue, source = conditions.pue_at(piece.zone, at)
            known_by |= {source: None, (tariff.id if price is None else "hourly prices"): None}
            energy_kwh = piece.energy_j.scaled(share / JOULES_PER_KWH) * piece.meter
            amount = amount + (tariff.estimate if price is None else price).times(energy_kwh * pue)
    hourly = any(source.startswith("hourly") for source in known_by)
    return Impact(amount, "USD", tuple(known_by), "electricity-cost/2" if hourly else "electricity-cost/1")


def machine(machine_s: float, factors: Factors = DEFAULTS) -> Impact | None:
    """US dollars for so many real seconds of the whole machine; None where nobody said what it costs."""
    if factors.machine is None:
        return None
    hours = machine_s / HOUR_S
    return Impact(factors.machine.estimate.scaled(hours), "USD", (factors.machine.id,), "machine-cost/1")


def idle_share(cost: Impact, job_uj: int, jobs_uj: int, shared_uj: int) -> Impact:
    """A job's part of what was kept ready and idle in its time, at the price of its own energy.

    Args:
        cost: the electricity of the job.
        job_uj: its energy, above zero.
        jobs_uj: that of all jobs in its time.
        shared_uj: what belongs to no job: the pool, the platform and what is unallocated.
    """
    scale = (job_uj / jobs_uj) * shared_uj / job_uj
    return Impact(cost.amount.scaled(scale), "USD", cost.factors, "idle-cost/1")

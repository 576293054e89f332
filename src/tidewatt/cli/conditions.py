"""Gathers the signals that the store keeps, and the factors in force, to price something with."""

from collections.abc import Iterable

from tidewatt import wiring
from tidewatt.accounting.conditions import Conditions
from tidewatt.domain.job import Job
from tidewatt.domain.signal import Series, Signal
from tidewatt.sdk.client import Client


def conditions_of(
    client: Client, job: Job, zones: Iterable[str], start_at: float, end_at: float
) -> Conditions:
    """What a job is priced with over a time, in some zones.

    Raises:
        UsageError: the file of factors cannot be understood.
    """
    named = [zone for zone in dict.fromkeys(zones) if zone]

    def kept(source: str) -> dict[str, Signal]:
        found = {zone: client.store.signal(source, zone, start_at, end_at) for zone in named}
        return {zone: signal for zone, signal in found.items() if signal.readings}

    return Conditions(
        intensity={zone: client.store.signal(job.submission.grid, zone, start_at, end_at) for zone in named},
        marginal=kept(Series.MARGINAL),
        prices=kept(Series.PRICE),
        pue=kept(Series.PUE),
        factors=wiring.factors(),
    )

"""Fills the hours that a signal lacks, and says of each that it was filled."""

import math
from collections import defaultdict
from collections.abc import Sequence

from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing

NEAR_S = 7 * DAY_S
"""Days to either side that an hour is filled from; beyond a week the season and the weather differ."""

LEAST_RANGE = 0.25
"""A filled hour is never said to be known better than this, relative to its value."""


def fill(signal: Signal, start_at: float, end_at: float) -> Signal:
    """The hours that overlap the interval, those absent filled from the same hour of the days around.

    The value is the mean over ``NEAR_S`` to either side, or of that hour of day, or of all there is,
    whichever is the nearest that has data. The range holds the lowest and highest of what was averaged.
    ``signal`` may and should reach beyond the interval.

    Raises:
        SignalMissing: hours are absent and there is nothing to fill them from.
    """
    offset = signal.readings[0].observed_at % HOUR_S if signal.readings else 0.0
    first = math.floor((start_at - offset) / HOUR_S)
    last = max(math.ceil((end_at - offset) / HOUR_S), first + 1)
    present = {reading.observed_at: reading for reading in signal.readings}
    donors = [reading for reading in signal.readings if reading.quality is not Quality.FILLED]
    by_hour: dict[float, list[Reading]] = defaultdict(list)
    for donor in donors:
        by_hour[donor.observed_at % DAY_S].append(donor)
    hours: list[Reading] = []
    for index in range(first, last):
        at = index * HOUR_S + offset
        if at in present:
            hours.append(present[at])
            continue
        if not donors:
            raise SignalMissing(
                f"no reading of zone {signal.zone} at all", "data to fill absent hours from", "widen the data"
            )
        same = by_hour[at % DAY_S]
        near = [reading for reading in same if abs(reading.observed_at - at) <= NEAR_S]
        hours.append(_filled(at, near or same or donors))
    return Signal(signal.zone, tuple(hours))


def _filled(at: float, donors: Sequence[Reading]) -> Reading:
    value = math.fsum(donor.value for donor in donors) / len(donors)
    nearest = min(donors, key=lambda donor: abs(donor.observed_at - at))
    return Reading(
        at,
        value,
        min(value * (1 - LEAST_RANGE), *(donor.low for donor in donors)),
        max(value * (1 + LEAST_RANGE), *(donor.high for donor in donors)),
        f"{nearest.source}, filled",
        Quality.FILLED,
    )

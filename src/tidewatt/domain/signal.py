"""What a grid says about its power over time: past readings and forecasts of those to come."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from tidewatt.domain.estimate import Estimate
from tidewatt.domain.units import HOUR_S


class Quality(StrEnum):
    """How a reading came to be."""

    MEASURED = "measured"
    MODELLED = "modelled"
    FILLED = "filled"


class Series(StrEnum):
    """What is told by the hour beside average carbon intensity, and kept under these names."""

    MARGINAL = "marginal intensity"
    PRICE = "electricity price"
    PUE = "PUE"


@dataclass(frozen=True, slots=True)
class Reading:
    """The mean of a signal over one hour that begins at ``observed_at`` (UTC seconds)."""

    observed_at: float
    value: float
    low: float
    high: float
    source: str
    quality: Quality

    @property
    def estimate(self) -> Estimate:
        """The reading as a value with its range."""
        return Estimate(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Signal:
    """Hours of a zone in order of time, which may be absent: carbon intensity in gCO2e/kWh unless said."""

    zone: str
    readings: tuple[Reading, ...]

    def at(self, instant: float) -> Reading | None:
        """The reading of the hour that holds ``instant``, or None where there is none."""
        index = bisect_right(self.readings, instant, key=lambda r: r.observed_at) - 1
        if index < 0:
            return None
        reading = self.readings[index]
        return reading if instant < reading.observed_at + HOUR_S else None

    def mean(self, start_at: float, end_at: float) -> Estimate | None:
        """The time-weighted mean over an interval, or None if any part of it has no reading."""
        if end_at <= start_at:
            reading = self.at(start_at)
            return reading.estimate if reading else None
        result = Estimate(0.0, 0.0, 0.0)
        instant = start_at
        while instant < end_at:
            reading = self.at(instant)
            if reading is None:
                return None
            until = min(end_at, reading.observed_at + HOUR_S)
            result = result + reading.estimate.scaled((until - instant) / (end_at - start_at))
            instant = until
        return result


@dataclass(frozen=True, slots=True)
class ForecastWindow:
    """What is expected of the hour that begins at ``start_at``, gCO2e/kWh; low and high hold 80 %."""

    start_at: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The hours to come as they were expected at ``issued_at``, from data of that time only."""

    zone: str
    issued_at: float
    method: str
    windows: tuple[ForecastWindow, ...]
    degraded: str = ""
    """Why the range is wider than usual; empty when nothing was missing."""

    def at(self, instant: float) -> ForecastWindow | None:
        """The window that holds ``instant``, or None beyond the horizon."""
        index = bisect_right(self.windows, instant, key=lambda w: w.start_at) - 1
        if index < 0:
            return None
        window = self.windows[index]
        return window if instant < window.start_at + HOUR_S else None

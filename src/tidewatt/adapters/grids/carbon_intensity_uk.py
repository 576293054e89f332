"""The Carbon Intensity API of Great Britain: half-hourly average, estimated actuals and forecast."""

import msgspec

from tidewatt.adapters.grids.hours import Part, decode, hourly, instant, iso, spans, whole_hours
from tidewatt.adapters.grids.http import HttpSource
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.signal import Quality, Signal
from tidewatt.domain.units import DAY_S
from tidewatt.ports import Clock

NAME = "Carbon Intensity API (GB)"
BASE_URL = "https://api.carbonintensity.org.uk"
ZONE = "GB"

_LONGEST_S = 13 * DAY_S
"""It answers fourteen days at once."""

_HORIZON_S = 2 * DAY_S
"""It forecasts no further."""


class _Intensity(msgspec.Struct):
    forecast: float | None = None
    actual: float | None = None


class _Row(msgspec.Struct, rename={"begin": "from", "end": "to"}):
    begin: str
    end: str
    intensity: _Intensity


class _Data(msgspec.Struct):
    data: list[_Row]


class CarbonIntensityGrid:
    """A Grid with the one zone GB, for which no token is needed.

    A half-hour without an actual value takes the forecast and makes its hour modelled. The intensity is of
    operation only, without the life cycle of plants.

    Args:
        source: the API.
        clock: tells how far ahead there can be a forecast.
    """

    def __init__(self, source: HttpSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        return NAME

    def zones(self) -> tuple[str, ...]:
        """The one zone."""
        return (ZONE,)

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, gCO2/kWh; hours with a missing half are absent.

        Raises:
            UsageError: the zone is not GB.
            SignalMissing: the source fails.
        """
        if zone != ZONE:
            raise unknown_zone(zone, self.zones(), NAME)
        first, last = whole_hours(start_at, end_at)
        parts: list[Part] = []
        for begin, end in spans(first, min(last, self._clock.wall() + _HORIZON_S), _LONGEST_S):
            body = self._source.get(f"/intensity/{iso(begin)}/{iso(end)}")
            parts += [part for row in decode(body, _Data, NAME).data if (part := _part(row)) is not None]
        return Signal(zone, hourly(parts, NAME, first, last))


def _part(row: _Row) -> Part | None:
    begin, end = instant(row.begin, NAME), instant(row.end, NAME)
    if row.intensity.actual is not None:
        return Part(begin, end - begin, row.intensity.actual, Quality.MEASURED)
    if row.intensity.forecast is not None:
        return Part(begin, end - begin, row.intensity.forecast, Quality.MODELLED)
    return None

"""Electricity Maps, API version 3: hourly average life-cycle intensity of consumption, past and forecast."""

import msgspec

from tidewatt.adapters.grids.hours import STALE_S, Part, decode, hourly, instant, iso, spans, whole_hours
from tidewatt.adapters.grids.http import HttpSource, Secret
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.signal import Quality, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.ports import Clock

NAME = "Electricity Maps"
BASE_URL = "https://api.electricitymaps.com/v3"
TOKEN = "TIDEWATT_ELECTRICITY_MAPS_TOKEN"  # noqa: S105 - the name of a variable

_LONGEST_S = 10 * DAY_S
"""What past-range answers at once in hours."""


class _Row(msgspec.Struct, rename="camel"):
    datetime: str
    carbon_intensity: float | None = None
    is_estimated: bool | None = None


class _History(msgspec.Struct):
    history: list[_Row]


class _Range(msgspec.Struct):
    data: list[_Row]


class _Forecast(msgspec.Struct, rename="camel"):
    forecast: list[_Row]
    updated_at: str


class ElectricityMapsGrid:
    """A Grid over the Electricity Maps API; zones are those that the token may read.

    Estimated hours and forecasts are flagged as modelled, forecasts older than six hours as filled.

    Args:
        source: the API.
        token: identifies the user.
        clock: tells the past from the future by the real instant.
    """

    def __init__(self, source: HttpSource, token: str, clock: Clock) -> None:
        self._source = source
        self._secret = Secret(headers={"auth-token": token})
        self._clock = clock
        self._zones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        return NAME

    def zones(self) -> tuple[str, ...]:
        """Every zone that the token may read, sorted; asked for once."""
        if not self._zones:
            answer = decode(self._source.get("/zones", {}, self._secret), dict[str, msgspec.Raw], NAME)
            self._zones = tuple(sorted(answer))
        return self._zones

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, gCO2e/kWh; hours without data are absent.

        Raises:
            UsageError: the zone is unknown, or the token is refused.
            SignalMissing: the source fails.
        """
        if zone not in self.zones():
            raise unknown_zone(zone, self.zones(), NAME)
        first, last = whole_hours(start_at, end_at)
        now = self._clock.wall()
        parts = self._past(zone, first, min(last, now // HOUR_S * HOUR_S + HOUR_S), now)
        if last > now:
            parts += self._future(zone, now)
        return Signal(zone, hourly(parts, NAME, first, last))

    def _past(self, zone: str, first: float, last: float, now: float) -> list[Part]:
        rows: list[_Row] = []
        if now - DAY_S < first < last:
            body = self._source.get("/carbon-intensity/history", {"zone": zone}, self._secret)
            rows = decode(body, _History, NAME).history
        else:
            for begin, end in spans(first, last, _LONGEST_S):
                query = {"zone": zone, "start": iso(begin), "end": iso(end)}
                body = self._source.get("/carbon-intensity/past-range", query, self._secret)
                rows += decode(body, _Range, NAME).data
        return [
            _part(row, row.carbon_intensity, Quality.MODELLED if row.is_estimated else Quality.MEASURED)
            for row in rows
            if row.carbon_intensity is not None
        ]

    def _future(self, zone: str, now: float) -> list[Part]:
        body = self._source.get("/carbon-intensity/forecast", {"zone": zone}, self._secret)
        answer = decode(body, _Forecast, NAME)
        stale = now - instant(answer.updated_at, NAME) > STALE_S
        quality = Quality.FILLED if stale else Quality.MODELLED
        return [
            _part(row, row.carbon_intensity, quality)
            for row in answer.forecast
            if row.carbon_intensity is not None
        ]


def _part(row: _Row, value: float, quality: Quality) -> Part:
    return Part(instant(row.datetime, NAME), HOUR_S, value, quality)

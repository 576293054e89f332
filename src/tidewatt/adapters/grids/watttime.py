"""WattTime, API version 3: the MARGINAL operating emissions rate, never to be mixed with averages."""

from base64 import b64encode

import msgspec

from tidewatt.adapters.grids.hours import STALE_S, Part, decode, hourly, instant, iso, spans, whole_hours
from tidewatt.adapters.grids.http import HttpSource, Secret
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.signal import Quality, Signal
from tidewatt.domain.units import DAY_S
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.ports import Clock

NAME = "WattTime marginal (MOER)"
BASE_URL = "https://api.watttime.org"
USER = "TIDEWATT_WATTTIME_USER"
PASSWORD = "TIDEWATT_WATTTIME_PASSWORD"  # noqa: S105 - the name of a variable

G_PER_KWH = 0.45359237
"""One pound per MWh in g/kWh: the international pound is 453.59237 g."""

_SIGNAL = "co2_moer"
_UNITS = "lbs_co2_per_mwh"
_LONGEST_S = 32 * DAY_S
_TOKEN_S = 25 * 60.0
"""A token lives for thirty minutes."""


class _Login(msgspec.Struct):
    token: str


class _Region(msgspec.Struct):
    region: str


class _SignalType(msgspec.Struct):
    signal_type: str
    regions: list[_Region]


class _Access(msgspec.Struct):
    signal_types: list[_SignalType]


class _Row(msgspec.Struct):
    point_time: str
    value: float | None = None


class _Meta(msgspec.Struct):
    units: str
    signal_type: str
    data_point_period_seconds: float = 300.0
    generated_at: str | None = None


class _Data(msgspec.Struct):
    data: list[_Row]
    meta: _Meta


class WattTimeGrid:
    """A Grid of marginal intensity; zones are WattTime regions that the account may read.

    The rate is a model's, so its hours are flagged as modelled; forecasts older than six hours as filled.

    Args:
        source: the API.
        user: name of the account.
        password: of the account.
        clock: tells the past from the future by the real instant.
    """

    def __init__(self, source: HttpSource, user: str, password: str, clock: Clock) -> None:
        self._source = source
        basic = b64encode(f"{user}:{password}".encode()).decode()
        self._login = Secret(headers={"authorization": f"Basic {basic}"})
        self._clock = clock
        self._bearer: Secret | None = None
        self._bearer_until = 0.0
        self._zones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown; it says that the rate is marginal."""
        return NAME

    def zones(self) -> tuple[str, ...]:
        """Every region that the account may read, sorted; asked for once."""
        if not self._zones:
            access = decode(self._get("/v3/my-access", {}), _Access, NAME)
            regions = {r.region for s in access.signal_types if s.signal_type == _SIGNAL for r in s.regions}
            self._zones = tuple(sorted(regions))
        return self._zones

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, marginal gCO2/kWh; hours without data are absent.

        Raises:
            UsageError: the region is unknown, or the account is refused.
            SignalMissing: the source fails.
        """
        if zone not in self.zones():
            raise unknown_zone(zone, self.zones(), NAME)
        first, last = whole_hours(start_at, end_at)
        now = self._clock.wall()
        parts: list[Part] = []
        query = {"region": zone, "signal_type": _SIGNAL}
        for begin, end in spans(first, min(last, now), _LONGEST_S):
            span = {**query, "start": iso(begin), "end": iso(end)}
            parts += _parts(decode(self._get("/v3/historical", span), _Data, NAME), Quality.MODELLED)
        if last > now:
            answer = decode(self._get("/v3/forecast", {**query, "horizon_hours": "72"}), _Data, NAME)
            issued_at = instant(answer.meta.generated_at or "", NAME)
            parts += _parts(answer, Quality.FILLED if now - issued_at > STALE_S else Quality.MODELLED)
        return Signal(zone, hourly(parts, NAME, first, last))

    def _get(self, path: str, query: dict[str, str]) -> bytes:
        """One answer, logging in first where the last token is old or no longer taken."""
        fresh = self._bearer is None or self._clock.wall() >= self._bearer_until
        try:
            return self._source.get(path, query, self._identify() if fresh else self._bearer or self._login)
        except UsageError:
            if fresh:
                raise
            return self._source.get(path, query, self._identify())

    def _identify(self) -> Secret:
        token = decode(self._source.get("/login", {}, self._login), _Login, NAME).token
        if not token.isascii() or not token.isprintable():
            raise SignalMissing(f"a token of {NAME} that no header can hold", "a bearer token")
        self._bearer = Secret(headers={"authorization": f"Bearer {token}"})
        self._bearer_until = self._clock.wall() + _TOKEN_S
        return self._bearer


def _parts(answer: _Data, quality: Quality) -> list[Part]:
    if (answer.meta.units, answer.meta.signal_type) != (_UNITS, _SIGNAL):
        raise SignalMissing(
            f"{answer.meta.signal_type} in {answer.meta.units} from {NAME}", f"{_SIGNAL} in {_UNITS}"
        )
    length_s = answer.meta.data_point_period_seconds
    return [
        Part(instant(row.point_time, NAME), length_s, row.value * G_PER_KWH, quality)
        for row in answer.data
        if row.value is not None
    ]

"""The ENTSO-E transparency platform: average intensity from actual generation by plant type."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from tidewatt.adapters.grids.entsoe_factors import FACTORS, STORAGE, ZONES
from tidewatt.adapters.grids.hours import check, instant, spans, whole_hours
from tidewatt.adapters.grids.http import HttpSource, Secret
from tidewatt.adapters.grids.zones import unknown_zone
from tidewatt.domain.estimate import Estimate, total
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing
from tidewatt.ports import Clock

NAME = "ENTSO-E generation mix"
BASE_URL = "https://web-api.tp.entsoe.eu"
TOKEN = "TIDEWATT_ENTSOE_TOKEN"  # noqa: S105 - the name of a variable

_LONGEST_S = 30 * DAY_S
"""It answers a year at once; a month keeps answers small."""

_NOTHING_FOUND = "999"
_RESOLUTIONS = {"PT15M": 900.0, "PT30M": 1800.0, "PT60M": HOUR_S}

Energy = dict[float, dict[str, list[tuple[float, float]]]]
"""By hour and plant type: (seconds covered, MW) of each point."""


class EntsoeGrid:
    """A Grid over actual generation per type; imports are not seen, and there is no forecast.

    An hour is known only if every plant type of the answer covers it completely; its range is that of the
    emission factors.

    Args:
        source: the API.
        token: identifies the user.
        clock: nothing beyond the real instant is asked for.
    """

    def __init__(self, source: HttpSource, token: str, clock: Clock) -> None:
        self._source = source
        self._secret = Secret(query={"securityToken": token})
        self._clock = clock

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        return NAME

    def zones(self) -> tuple[str, ...]:
        """Every zone whose code is known here, sorted."""
        return tuple(sorted(ZONES))

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, gCO2e/kWh; hours without complete data are absent.

        Raises:
            UsageError: the zone is unknown, or the token is refused.
            SignalMissing: the source fails.
        """
        if zone not in ZONES:
            raise unknown_zone(zone, self.zones(), NAME)
        first, last = whole_hours(start_at, end_at)
        readings: list[Reading] = []
        for begin, end in spans(first, min(last, self._clock.wall() // HOUR_S * HOUR_S), _LONGEST_S):
            query = {
                "documentType": "A75",
                "processType": "A16",
                "in_Domain": ZONES[zone],
                "periodStart": _stamp(begin),
                "periodEnd": _stamp(end),
            }
            energy = _energy(_document(self._source.get("/api", query, self._secret)))
            readings += (r for r in _readings(energy) if begin <= r.observed_at < end)
        return Signal(zone, tuple(readings))


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%d%H%M}"


def _document(body: bytes) -> ET.Element:
    """The root of an answer, its namespaces removed: they carry the version of the schema and change."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise SignalMissing(f"an answer of {NAME} with a document type", "a plain XML document")
    try:
        root = ET.fromstring(body)  # noqa: S314 - entities, the danger, were refused above
    except ET.ParseError as error:
        raise SignalMissing(f"an answer of {NAME} that cannot be read ({error})", "XML") from None
    for element in root.iter():
        element.tag = re.sub(r"^\{.*\}", "", element.tag)
    return root


def _energy(root: ET.Element) -> Energy:
    if root.tag == "Acknowledgement_MarketDocument":
        if root.findtext("Reason/code") == _NOTHING_FOUND:
            return {}
        raise SignalMissing(f"a refusal by {NAME}: {root.findtext('Reason/text')}", "generation by type")
    if root.tag != "GL_MarketDocument":
        raise SignalMissing(f"<{root.tag}> from {NAME}", "GL_MarketDocument")
    energy: Energy = defaultdict(lambda: defaultdict(list))
    for series in root.iterfind("TimeSeries"):
        kind = series.findtext("MktPSRType/psrType", "")
        if kind in STORAGE or series.find("outBiddingZone_Domain.mRID") is not None:
            continue
        if kind not in FACTORS:
            raise SignalMissing(f"plant type {kind!r} from {NAME}", f"one of {', '.join(FACTORS)}")
        repeats = series.findtext("curveType") == "A03"
        for period in series.iterfind("Period"):
            for at, length_s, megawatts in _points(period, repeats=repeats):
                energy[at // HOUR_S * HOUR_S][kind].append((length_s, megawatts))
    return energy


def _points(period: ET.Element, *, repeats: bool) -> Iterator[tuple[float, float, float]]:
    """(begin, seconds, MW) of each step; on an A03 curve a value holds until the next that is given."""
    start_at = instant(period.findtext("timeInterval/start", ""), NAME)
    end_at = instant(period.findtext("timeInterval/end", ""), NAME)
    step_s = _RESOLUTIONS.get(period.findtext("resolution", ""))
    if step_s is None:
        raise SignalMissing(
            f"resolution {period.findtext('resolution')} from {NAME}", ", ".join(_RESOLUTIONS)
        )
    given: dict[int, float] = {}
    for point in period.iterfind("Point"):
        position, quantity = point.findtext("position", ""), point.findtext("quantity", "")
        try:
            given[int(position)] = float(quantity)
        except ValueError:
            raise SignalMissing(f"point {position!r}: {quantity!r} from {NAME}", "numbers") from None
    held: float | None = None
    for step in range(round((end_at - start_at) / step_s)):
        if step + 1 in given or not repeats:
            held = given.get(step + 1)
        if held is not None:
            yield start_at + step * step_s, step_s, held


def _readings(energy: Energy) -> Iterator[Reading]:
    kinds = {kind for hour in energy.values() for kind in hour}
    for at, hour in sorted(energy.items()):
        if any(sum(length for length, _ in hour.get(kind, ())) != HOUR_S for kind in kinds):
            continue
        mean = {kind: sum(s * mw for s, mw in points) / HOUR_S for kind, points in hour.items()}
        if bad := next((kind for kind, mw in mean.items() if not 0 <= mw < float("inf")), None):
            raise SignalMissing(f"{mean[bad]:g} MW of {bad} from {NAME}", "generation of zero or more")
        if (generated := sum(mean.values())) <= 0:
            continue
        mix: Estimate = total(FACTORS[kind].scaled(mw / generated) for kind, mw in mean.items())
        check(mix.value, at, NAME)
        yield Reading(at, mix.value, mix.low, mix.high, NAME, Quality.MEASURED)

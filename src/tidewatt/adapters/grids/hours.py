"""Turns what grid APIs answer into whole hours: an hour that is not covered completely stays absent."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from tidewatt.adapters.grids.rows import INTENSITY
from tidewatt.domain.signal import Quality, Reading
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import SignalMissing

RANGES = {Quality.MEASURED: INTENSITY.relative_range, Quality.MODELLED: 0.25, Quality.FILLED: 0.5}
"""Default range of a value, either side, by how it came to be: the APIs give none.

Measured as for grid files; modelled as the mix of the offline model; filled twice that.
"""

STALE_S = 6 * HOUR_S
"""A forecast issued longer ago no longer counts as one: its hours are flagged as filled."""

_WORST = (Quality.MEASURED, Quality.MODELLED, Quality.FILLED)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Part:
    """A mean intensity, gCO2e/kWh, from ``start_at`` (UTC seconds) for ``length_s``."""

    start_at: float
    length_s: float
    value: float
    quality: Quality


def whole_hours(start_at: float, end_at: float) -> tuple[float, float]:
    """Begin of the first and end of the last UTC hour that overlap the interval; one hour at least."""
    first = math.floor(start_at / HOUR_S)
    return first * HOUR_S, max(math.ceil(end_at / HOUR_S), first + 1) * HOUR_S


def spans(start_at: float, end_at: float, longest_s: float) -> Iterator[tuple[float, float]]:
    """The interval in pieces that a source answers at once; none for an empty one."""
    while start_at < end_at:
        until = min(end_at, start_at + longest_s)
        yield start_at, until
        start_at = until


def hourly(parts: Iterable[Part], source: str, start_at: float, end_at: float) -> tuple[Reading, ...]:
    """The hours of the interval that the parts cover completely, each as their mean, in order of time.

    A part given twice counts once, as given first; an hour is as good as the worst of its parts.

    Raises:
        SignalMissing: a value is negative, absurd or not a number.
    """
    hours: dict[float, dict[float, Part]] = {}
    for part in parts:
        begin = part.start_at // HOUR_S * HOUR_S
        if start_at <= begin < end_at:
            check(part.value, part.start_at, source)
            hours.setdefault(begin, {}).setdefault(part.start_at, part)
    return tuple(
        _reading(begin, list(of.values()), source)
        for begin, of in sorted(hours.items())
        if _covers(begin, of)
    )


def check(value: float, at: float, source: str) -> None:
    """Refuse an intensity that cannot be true.

    Raises:
        SignalMissing: it is negative, absurd or not a number.
    """
    if not 0 <= value <= INTENSITY.most:
        raise SignalMissing(
            f"an intensity of {value:g} g/kWh at {iso(at)} from {source}",
            f"0 to {INTENSITY.most:g}",
            "tell the source; nothing of its answer was used",
        )


def decode(body: bytes, kind: type[Answer], source: str) -> Answer:
    """A JSON body as the documented shape.

    Raises:
        SignalMissing: it is not JSON, or of another shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SignalMissing(
            f"an answer of {source} that cannot be read ({error})", "JSON of the documented shape"
        ) from None


def instant(text: str, source: str) -> float:
    """UTC seconds of an ISO 8601 time; one without an offset is in UTC.

    Raises:
        SignalMissing: it is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise SignalMissing(f"time {text!r} from {source}", "a time such as 2022-01-31T23:00Z") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def iso(at: float) -> str:
    """An instant (UTC seconds) to the minute, as all sources accept it: ``2022-01-31T23:00Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%MZ}"


def _covers(begin: float, parts: dict[float, Part]) -> bool:
    reached = begin
    for start_at, part in sorted(parts.items()):
        if start_at != reached:
            return False
        reached = start_at + part.length_s
    return reached == begin + HOUR_S


def _reading(begin: float, parts: list[Part], source: str) -> Reading:
    value = sum(part.value * part.length_s for part in parts) / HOUR_S
    quality = max((part.quality for part in parts), key=_WORST.index)
    width = RANGES[quality]
    return Reading(begin, value, value * (1 - width), value * (1 + width), source, quality)

"""Quantities as people write them, and back."""

import re

from tidewatt.errors import UsageError

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
JOULES_PER_KWH = 3_600_000.0
MICROJOULES = 1_000_000

_DURATIONS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": MINUTE_S,
    "min": MINUTE_S,
    "minute": MINUTE_S,
    "h": HOUR_S,
    "hour": HOUR_S,
    "d": DAY_S,
    "day": DAY_S,
    "week": 7 * DAY_S,
}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_GRAMS = {"mg": 0.001, "g": 1.0, "kg": 1000.0, "t": 1_000_000.0}
_JOULES = {
    "mJ": 0.001,
    "J": 1.0,
    "kJ": 1e3,
    "MJ": 1e6,
    "Wh": 3600.0,
    "kWh": JOULES_PER_KWH,
    "MWh": 1000 * JOULES_PER_KWH,
}
_LITRES = {"mL": 0.001, "L": 1.0, "m3": 1000.0}
_DOLLARS = {"USD": 1.0}
_QUANTITY = re.compile(r"^\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([A-Za-z]+3|[A-Za-z]*)\s*$")


def _parse(text: str, units: dict[str, float], what: str, example: str) -> float:
    wanted = f"{what} as a number with a unit, such as '{example}'"
    match = _QUANTITY.match(str(text))  # a number alone is no text, and the more in want of a unit
    if match is None:
        raise UsageError(f"{text!r}", wanted, f"use one of the units {', '.join(units)}")
    number, unit = match.groups()
    if not unit:
        raise UsageError(
            f"{text!r}, which has no unit",
            wanted,
            f"write for example '{number} {next(iter(example.split()[1:]))}'",
        )
    factor = units.get(unit, units.get(unit.removesuffix("s")))
    if factor is None:
        raise UsageError(
            f"{text!r}, whose unit is unknown", wanted, f"use one of the units {', '.join(units)}"
        )
    return float(number) * factor


def parse_duration(text: str) -> float:
    """Seconds in a text such as ``"6 h"``, ``"90min"`` or ``"2 days"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return _parse(text, _DURATIONS, "a duration", "6 h")


def parse_bytes(text: str) -> int:
    """Bytes in a text such as ``"1 GiB"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return int(_parse(text, {k: float(v) for k, v in _BYTES.items()}, "a size", "1 GiB"))


def parse_grams(text: str) -> float:
    """Grams in a text such as ``"2 kg"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return _parse(text, _GRAMS, "a mass", "2 kg")


def parse_joules(text: str) -> float:
    """Joules in a text such as ``"1.5 kWh"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return _parse(text, _JOULES, "an energy", "1.5 kWh")


def parse_litres(text: str) -> float:
    """Litres in a text such as ``"2 L"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return _parse(text, _LITRES, "a volume", "2 L")


def parse_dollars(text: str) -> float:
    """US dollars in a text such as ``"0.5 USD"``.

    Raises:
        UsageError: no unit, an unknown unit, or no number.
    """
    return _parse(text, _DOLLARS, "an amount of money", "0.5 USD")


def format_duration(seconds: float) -> str:
    """A duration at the resolution a reader wants: ``"45 s"``, ``"3 min 20 s"``, ``"26 h 5 min"``."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    seconds = round(seconds)  # before a unit is chosen: 3,599.9 s are an hour, not 60 minutes
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        minutes, rest = divmod(seconds, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def format_quantity(value: float, unit: str) -> str:
    """A value with an SI prefix and three significant digits: ``"12.3 mg"``, ``"4.56 kJ"``."""
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")):
        if abs(value) >= factor * 0.9995:
            return f"{_three_digits(value / factor)} {prefix}{unit}"
    return f"{_three_digits(value / 1e-9)} n{unit}"


def format_bytes(size: int) -> str:
    """A size in the units that limits are given in: ``"512 MiB"``, ``"1.5 GiB"``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _BYTES[unit]:
            return f"{round(size / _BYTES[unit], 2):g} {unit}"
    return f"{size} B"


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    decimals = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    return f"{value:.{decimals}f}"

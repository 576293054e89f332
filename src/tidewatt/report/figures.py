"""Figures as people read them, so that every renderer writes one number in one way."""

from datetime import UTC, datetime
from math import floor, log10

from tidewatt.domain.estimate import Estimate
from tidewatt.domain.units import format_duration, format_quantity

MINUS = "\u2212"


def percent(share: float) -> str:
    """A share as percent: ``"41 %"``, ``"0.4 %"``; below zero with a true minus sign."""
    value = 100 * share
    digits = 0 if abs(value) >= 9.95 or value == 0 else 1
    return _minus(f"{value:.{digits}f} %")


def amount(value: float, unit: str) -> str:
    """A value in its unit with an SI prefix: ``"12.3 mg CO₂e"`` of gCO2e, ``"USD 0.0012"`` of USD."""
    if unit == "USD":
        return money(value)
    if unit == "gCO2e":
        return _minus(format_quantity(value, "g")) + " CO₂e"
    return _minus(format_quantity(value, unit))


def span(estimate: Estimate, unit: str) -> str:
    """The range of an estimate, ``"10.1 to 15.0 mg CO₂e"``, or empty where it is a point."""
    low, high = amount(estimate.low, unit), amount(estimate.high, unit)
    if low == high:
        return ""
    if unit == "USD":
        return f"{low} to {high.removeprefix('USD ')}"
    number, _, low_unit = low.partition(" ")
    high_unit = high.partition(" ")[2]
    if estimate.low == 0 or low_unit == high_unit:
        return f"{number} to {high}"
    return f"{low.removesuffix(' CO₂e')} to {high}"


def money(value: float) -> str:
    """US dollars to two significant digits at least, never in powers of ten: ``"USD 0.00012"``."""
    if value == 0:
        return "USD 0"
    decimals = max(2, 1 - floor(log10(abs(value))))
    return _minus(f"USD {value:,.{decimals}f}")


def exact(microjoules: int) -> str:
    """Microjoules in full: ``"12,345,678 µJ"``."""
    return f"{microjoules:,} µJ"


def duration(seconds: float) -> str:
    """A duration, with a true minus sign."""
    return _minus(format_duration(seconds))


def plain(value: object) -> str:
    """A value that a user's function returned: floats to four significant digits, the rest as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def date(at: float) -> str:
    """The day of an instant, UTC: ``"1 Jun 2022"``."""
    return instant(at).partition(",")[0]


def hour(at: float) -> str:
    """An instant within a known year, UTC: ``"1 Jun 14:05"``."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M").lstrip("0")


def instant(at: float) -> str:
    """An instant to the minute: ``"1 Jun 2022, 14:05 UTC"``."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def iso(at: float) -> str:
    """An instant as ISO 8601 with seconds: ``"2022-06-01T14:05:00Z"``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)

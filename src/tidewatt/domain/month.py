"""Calendar months in UTC, over which what teams and lineages draw is added up."""

from datetime import UTC, datetime


def month_of(at: float) -> tuple[float, float]:
    """The first instant of the month that an instant lies in, and of the one after it, UTC seconds."""
    first = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first.timestamp(), following.timestamp()


def month_name(at: float) -> str:
    """How the month of an instant is called: ``"2026-11"``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m}"

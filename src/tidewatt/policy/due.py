"""When a schedule is due, and which missed times are made up for.

Expressions are read as Debian's cron reads them, by cronsim. Where the clock is put forward, a fixed time
that does not exist is due as soon as it would have passed; where it is put back, a fixed time that comes
twice is due the first time. Expressions whose minutes or hours begin with a star follow the time that
really passes through both. In UTC there is neither.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from tidewatt.domain.trigger import Missed, Schedule
from tidewatt.domain.units import HOUR_S, MINUTE_S
from tidewatt.errors import UsageError

ON_TIME_S = MINUTE_S
"""Looked at so late a time is not yet missed: a busy machine may take a while to start a process."""
_FIELDS = 5


def check(schedule: Schedule) -> None:
    """Refuse a schedule that cannot be read, or is never due.

    Raises:
        UsageError: the expression, the zone or the bound.
    """
    wanted = "five fields: minute, hour, day of month, month and day of week, such as '0 3 * * *'"
    if len(schedule.expression.split()) != _FIELDS:
        raise UsageError(f"a schedule {schedule.expression!r}", wanted)
    if schedule.most < 1:
        raise UsageError(f"most={schedule.most}", "at least 1 missed time to make up for")
    try:
        following(schedule, 0.0)
    except CronSimError as error:
        raise UsageError(f"a schedule {schedule.expression!r}: {str(error).lower()}", wanted) from None


def following(schedule: Schedule, after_wall: float) -> float:
    """The first instant after another at which a schedule is due, UTC seconds.

    Raises:
        UsageError: the zone is unknown, or the schedule is not due within 50 years.
    """
    first = next(_times(schedule, after_wall), None)
    if first is None:
        raise UsageError(
            f"a schedule {schedule.expression!r}, which is never due", "one with times in the next 50 years"
        )
    return first


def upcoming(schedule: Schedule, after_wall: float, most: int) -> list[float]:
    """The next so many instants at which a schedule is due."""
    return list(islice(_times(schedule, after_wall), most))


def made_up(schedule: Schedule, reached_wall: float, now_wall: float) -> list[float]:
    """Of the times after ``reached_wall`` up to now, those that get a job, oldest first."""
    most = schedule.most if schedule.missed is Missed.ALL else 1
    due = _newest(schedule, reached_wall, now_wall, most)
    if schedule.missed is Missed.SKIP:
        return [instant for instant in due if now_wall - instant <= ON_TIME_S]
    return due


def _newest(schedule: Schedule, after_wall: float, until_wall: float, most: int) -> list[float]:
    """The newest times of an interval; it is searched from its end, since it may be years long."""
    span_s = HOUR_S
    while True:
        start_wall = max(after_wall, until_wall - span_s)
        found: list[float] = []
        for instant in _times(schedule, start_wall):
            if instant > until_wall:
                break
            found.append(instant)
        if len(found) >= most or start_wall <= after_wall:
            return found[-most:]
        span_s *= 4


def _times(schedule: Schedule, after_wall: float) -> Iterator[float]:
    """All times after an instant, each once and in order."""
    zone = _zone(schedule.zone)
    last = after_wall
    # Around a change of the clock cronsim may begin with a time that has passed, and tell one twice.
    for moment in CronSim(schedule.expression, datetime.fromtimestamp(after_wall, zone)):
        instant = moment.timestamp()
        if instant > last:
            yield instant
            last = instant


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        raise UsageError(
            f"a time zone {name!r}",
            "one of the IANA database, such as Europe/Berlin or UTC",
            "check its name; where the system has no such database, pip install tzdata",
        ) from None

"""What a trigger waits for, as the decorators are told it: `schedule=`, `on=` and `after=`."""

from pathlib import Path
from typing import Any, Literal, Protocol

from tidewatt.domain.trigger import MOST_MISSED, SETTLE_S, After, Cause, Files, Missed, Schedule
from tidewatt.domain.units import parse_duration
from tidewatt.errors import UsageError


class Decorated(Protocol):
    """A decorated function, as far as another one can follow it."""

    @property
    def __name__(self) -> str:
        """What it is called."""
        ...

    @property
    def body(self) -> Any:  # noqa: ANN401 - any callable
        """What is called."""
        ...


def cron(
    expression: str,
    *,
    zone: str = "UTC",
    missed: Literal["skip", "once", "all"] = "once",
    most: int = MOST_MISSED,
) -> Schedule:
    """Times for ``schedule=``, as cron tells them.

    Args:
        expression: minute, hour, day of month, month and day of week, such as ``"0 3 * * *"``.
        zone: a time zone of the IANA database, such as ``"Europe/Berlin"``.
        missed: what becomes of times at which this machine was off: ``skip`` them, run ``once`` for the
            newest, or ``all``.
        most: how many of them ``all`` makes up for, the newest.

    Raises:
        UsageError: the expression or the zone cannot be read, or no time is ever due.
    """
    from tidewatt.policy import due  # noqa: PLC0415 - keeps `import tidewatt` light

    if missed not in set(Missed):
        raise UsageError(f"missed={missed!r}", "skip, once or all")
    schedule = Schedule(expression=expression, zone=zone, missed=Missed(missed), most=most)
    due.check(schedule)
    return schedule


def files(pattern: str, *, settle: str | None = None, look_every: str | None = None) -> Files:
    """Files for ``on=``: each finished file that matches gets one job.

    Args:
        pattern: such as ``"inbox/*.mp4"`` or ``"data/**/*.csv"``, seen from the folder of the Python file.
        settle: how long a file must have been left alone to count as finished; a second unless given.
        look_every: for file systems that do not tell of changes, such as a network share that others
            write to: how often to look.

    Raises:
        UsageError: an empty pattern, or a duration that cannot be read or is not above zero.
    """
    settle_s = SETTLE_S if settle is None else parse_duration(settle)
    every_s = None if look_every is None else parse_duration(look_every)
    if not Path(pattern).name:
        raise UsageError(f"files {pattern!r}", "a pattern such as 'inbox/*.mp4'")
    if settle_s <= 0 or (every_s is not None and every_s < 1):
        raise UsageError(
            f"settle={settle!r}, look_every={look_every!r}",
            "to settle above zero, and to look every second at most",
        )
    return Files(pattern=pattern, settle_s=settle_s, look_every_s=every_s)


def cause_of(
    *, schedule: str | Schedule | None, on: Files | str | None, after: Decorated | None
) -> Cause | None:
    """The one thing that a function waits for, None if it waits for nothing.

    Raises:
        UsageError: several are given, or one is not what it should be.
    """
    given = [
        name for name, value in (("schedule", schedule), ("on", on), ("after", after)) if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} of one function", "one of them", "give each a function")
    if schedule is not None:
        return cron(schedule) if isinstance(schedule, str) else schedule
    if after is not None:
        if not hasattr(after, "body"):
            raise UsageError(f"after={after!r:.60}", "a function decorated with @tw.function or @tw.training")
        return After(function=after.__name__, origin=origin_of(after.body))
    if isinstance(on, str):
        raise UsageError(f"on={on!r:.60}", "files", f"write on=tw.files({on!r})")
    return on


def origin_of(body: object) -> str:
    """The file that a function was written in, empty if there is none."""
    name = getattr(getattr(body, "__code__", None), "co_filename", "")
    return str(Path(name).resolve()) if name and Path(name).is_file() else ""

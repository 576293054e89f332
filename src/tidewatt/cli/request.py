"""What a user asks for on the command line, parsed once and refused early."""

import math
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidewatt.domain.function import WorkerRange
from tidewatt.domain.units import parse_duration
from tidewatt.errors import UsageError
from tidewatt.sdk.client import Options
from tidewatt.sdk.command import as_handle, is_plain
from tidewatt.sdk.functions import Handle
from tidewatt.sdk.load import load, parse_arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The words of the command line, as they were typed."""

    target: list[str]
    """A file, with a function of it or not; or a command, word by word."""
    arguments: list[str] = field(default_factory=list[str])
    deadline: str | None = None
    length: str | None = None
    zones: list[str] = field(default_factory=list[str])
    labels: list[str] = field(default_factory=list[str])
    secrets: list[str] = field(default_factory=list[str])
    workers: str | None = None
    clock_speed: str | None = None
    start: str | None = None
    carbon: Path | None = None
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A function with its arguments by name, and what is asked for it."""

    handle: Handle[Any, Any]
    arguments: dict[str, Any]
    options: Options


def parse(wanted: Wanted) -> Request:
    """Read everything before anything is done.

    Raises:
        UsageError: something cannot be understood, or the file does not hold the function.
    """
    speed = None if wanted.clock_speed is None else parse_speed(wanted.clock_speed)
    deadline_s = None if wanted.deadline is None else parse_span("--deadline", wanted.deadline)
    length_s = None if wanted.length is None else parse_span("--length", wanted.length)
    workers = None if wanted.workers is None else WorkerRange.parse(wanted.workers)
    start_at = None if wanted.start is None else parse_start(wanted.start)
    path, handle, arguments = _found(wanted)
    return Request(
        handle,
        arguments,
        Options(
            deadline_s=deadline_s,
            length_s=length_s,
            workers=workers,
            zones=tuple(wanted.zones),
            labels=parse_labels(wanted.labels),
            speed=speed,
            start_at=start_at,
            carbon_file=None if wanted.carbon is None else str(wanted.carbon),
            source=path,
        ),
    )


def parse_labels(pairs: list[str]) -> tuple[tuple[str, str], ...]:
    """Keys and values of ``k=v`` pairs.

    Raises:
        UsageError: a pair without an equals sign or a key.
    """
    found = [pair.partition("=") for pair in pairs]
    for pair, (key, equals, _) in zip(pairs, found, strict=True):
        if not equals or not key.strip():
            raise UsageError(f"label {pair!r}", "key=value, such as team=vision")
    return tuple((key.strip(), value.strip()) for key, _, value in found)


def parse_start(text: str) -> float:
    """UTC seconds of an ISO date or time; one without an offset is in UTC.

    Raises:
        UsageError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"start {text!r}", "a date or time such as 2022-06-01 or 2022-06-01T14:00", "write it as ISO 8601"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_speed(text: str) -> float:
    """World seconds for each real one.

    Raises:
        UsageError: not a number above zero.
    """
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise UsageError(
            f"a clock speed of {text!r}", "a number above zero", "1 is real time, 3600 an hour a second"
        )
    return speed


def parse_span(option: str, text: str) -> float:
    """Seconds of an option's duration.

    Raises:
        UsageError: no duration, or not above zero.
    """
    seconds = parse_duration(text)
    if seconds <= 0:
        raise UsageError(f"{option} {text!r}", "a duration above zero", f"write for example {option} 6h")
    return seconds


def _found(wanted: Wanted) -> tuple[Path | None, Handle[Any, Any], dict[str, Any]]:
    """The source to keep, if any, the function to call, and its arguments."""
    target, *rest = wanted.target
    if is_plain(wanted.target):
        if wanted.arguments:
            raise UsageError(
                f"--arg for the command {target}",
                "its own arguments after it",
                f"write -- {target} ARGUMENTS",
            )
        handle, arguments = as_handle(wanted.target, wanted.secrets)
        return None, handle, arguments
    if wanted.secrets:
        raise UsageError(
            f"--secret for a function of {target}",
            "what a command is to be given",
            f'a function names them itself: secrets=["{wanted.secrets[0]}"]',
        )
    if rest:
        raise UsageError(
            f"{target} and then {' '.join(rest)}",
            "arguments of a function by name",
            "write them as --arg name=value",
        )
    named = parse_arguments(wanted.arguments)
    path, handle = _load(target)
    return path, handle, handle.bind([], named)


def _load(target: str) -> tuple[Path, Handle[Any, Any]]:
    """The user's file runs here; what it prints must not be taken for our output, nor its exit for ours."""
    try:
        with redirect_stdout(sys.stderr):
            return load(target)
    except SystemExit as error:
        raise UsageError(
            f"{target}, which exits when it is imported",
            "a file that imports",
            'move that code below `if __name__ == "__main__":`',
        ) from error

"""What a submission says, and the job that it becomes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from tidewatt import settings
from tidewatt.adapters.home import fresh_name
from tidewatt.domain.function import FunctionSpec, Kind, Payload, WorkerRange
from tidewatt.domain.job import Job, Submission
from tidewatt.domain.text import printable
from tidewatt.domain.units import HOUR_S
from tidewatt.errors import UsageError
from tidewatt.ports import Grid
from tidewatt.runtime.payload import version_of
from tidewatt.runtime.storage import checked

_RECENT_S = 48 * HOUR_S
_LONGEST_NAME = 24
_LONGEST_SHOWN = 1000
"""Of an argument, in characters: it is kept in the store, printed in lists and put on receipts."""


class Submittable(Protocol):
    """A function together with what it needs; decorated functions are such."""

    @property
    def spec(self) -> FunctionSpec:
        """Its name and needs."""
        ...

    @property
    def body(self) -> Callable[..., Any]:
        """What is called."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a submission says beyond its function; None leaves it to the function or to what there is."""

    deadline_s: float | None = None
    length_s: float | None = None
    workers: WorkerRange | None = None
    zones: tuple[str, ...] = ()
    """Where to run, the home zone first."""
    labels: tuple[tuple[str, str], ...] = ()
    """What to call it by in reports, beside or in place of the function's own."""
    speed: float | None = None
    start_at: float | None = None
    carbon_file: str | None = None
    source: Path | None = None
    """The file that the function was loaded from, if a copy of it is to be kept."""
    payload: Payload | None = None
    """How the code was kept before, if it was, as with a trigger that was deployed."""
    key: str = ""
    """Names the submission among those of its function: the same again is the same job."""


def key_of(spec: FunctionSpec, options: Options) -> str:
    """What a submission is named by in the store: a key is its function's own.

    Raises:
        UsageError: it holds what cannot be written down.
    """
    if printable(options.key) != options.key:
        raise UsageError(
            f"the idempotency key {options.key!r}", "one in letters that can be written", "use another"
        )
    return f"{spec.name} {options.key}"


def shown(arguments: dict[str, Any]) -> dict[str, str]:
    """Arguments as people see them; of a long one the beginning, and what tells it from others."""
    return {name: _shown(value) for name, value in arguments.items()}


def _shown(value: object) -> str:
    try:
        text = printable(repr(value))
    except Exception as error:  # noqa: BLE001 - whatever a user's class does when it is shown
        text = f"<{type(value).__name__}, which cannot be shown: {type(error).__name__}>"
    if len(text) <= _LONGEST_SHOWN:
        return text
    digest = sha256(text.encode()).hexdigest()[:16]
    return f"{text[:_LONGEST_SHOWN]}... ({len(text):,} characters, SHA-256 {digest}...)"


def versioned(payload: Payload, spec: FunctionSpec, stamp: str) -> Payload:
    """With what says which warm workers may run it, if any may; ``stamp`` is that of its secrets."""
    if spec.kind is not Kind.FUNCTION:
        return payload
    version = version_of(payload.sha256, spec, payload.folder, payload.beside, stamp)
    return replace(payload, version=version)


def specify(spec: FunctionSpec, options: Options) -> FunctionSpec:
    """The function as this submission wants it."""
    workers = options.workers or spec.workers
    if options.workers is not None and workers.most > spec.shards:
        raise UsageError(
            f"{workers.most} workers for {spec.name}, which has shards={spec.shards}",
            f"at most {spec.shards}",
            "shards are fixed by the function, because the result depends on them: @tw.training(shards=...)",
        )
    storage = spec.storage or settings.storage() if spec.kind is Kind.TRAINING else ""
    return replace(
        spec,
        workers=workers,
        storage=checked(storage) if storage else "",
        deadline_s=options.deadline_s or spec.deadline_s,
        length_s=options.length_s or spec.length_s,
        zones=spec.zones or options.zones,
        labels=tuple((dict(spec.labels) | dict(options.labels)).items()),
    )


def check_zone(grid: Grid, zone: str, at: float) -> None:
    """Refuse a zone that the grid does not know, or knows nothing of at the time in question."""
    if not grid.signal(zone, at - _RECENT_S, at + HOUR_S).readings:
        day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise UsageError(
            f"no reading of {zone} within two days of {day} in {grid.name}",
            "data for the time that the job begins at",
            "choose --start inside the period of the file",
        )


def drafted(
    *,
    spec: FunctionSpec,
    arguments: dict[str, Any],
    home_zone: str,
    at: float,
    wall: float,
    payload: Payload,
    key: str | None,
    folders: Path,
) -> Job:
    """A job that nobody has submitted yet, under an identifier that has no folder among these."""
    submission = Submission(
        id=fresh_name(spec.name[:_LONGEST_NAME].replace("_", "-"), folders),
        function=spec,
        payload=payload,
        arguments=shown(arguments),
        submitted_at=at,
        submitted_wall=wall,
        deadline_at=None if spec.deadline_s is None else at + spec.deadline_s,
        home_zone=home_zone,
        idempotency_key=key,
    )
    return Job.draft(submission)

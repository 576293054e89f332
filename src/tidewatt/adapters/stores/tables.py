"""The tables as the newest migration leaves them, and how their columns hold domain values."""

import math
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine
from typing_extensions import override

from tidewatt.domain.function import FunctionSpec, Payload
from tidewatt.domain.ledger import Holder, Phase
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.plan import Plan
from tidewatt.domain.signal import Quality
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.text import printable
from tidewatt.domain.world import World
from tidewatt.errors import TidewattError


class Json(TypeDecorator[Any]):
    """A value of ``shape``, any type that msgspec can decode, as JSON text.

    Text and not the JSON types of a database: those reorder keys and round numbers, and a value must
    come back equal to what was kept.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def __init__(self, shape: Any) -> None:  # noqa: ANN401 - a type form, which Python cannot yet name
        super().__init__()
        self.shape = shape
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape)

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The JSON text of a value.

        Raises:
            TidewattError: JSON would not give the value back, as with an infinite number.
        """
        if value is None:
            return None
        try:
            encoded = msgspec.json.encode(value)
            if self._decoder.decode(encoded) == value:
                return encoded.decode()
        except (msgspec.ValidationError, UnicodeEncodeError):
            pass
        raise TidewattError(
            f"a {type(value).__name__} that JSON cannot hold: {value!r:.200}",
            "finite numbers and Unicode text only",
        )

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value of a JSON text."""
        return None if value is None else self._decoder.decode(value)


class Words(TypeDecorator[str]):
    """Text for people, with what a database would refuse spelt out: zero bytes and lone surrogates.

    The message of a user's exception may hold anything, and must never stop the move that reports it.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text in characters that every database takes."""
        return None if value is None else printable(value)


class Loss(TypeDecorator[float]):
    """A number that may be NaN, which SQLite would keep as NULL: a diverged loss is not a missing one."""

    # Left to the driver: SQLAlchemy would make a number of the name again.
    impl: TypeEngine[Any] | type[TypeEngine[Any]] = NullType
    cache_ok: bool | None = True

    @override
    def process_bind_param(self, value: float | None, dialect: Dialect) -> Any:
        """The number, or its name where the database has none for it."""
        return "nan" if dialect.name == "sqlite" and value is not None and math.isnan(value) else value

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        """The number kept."""
        return None if value is None else float(value)


def _member(kind: type[StrEnum]) -> Enum:
    def names(members: type[StrEnum]) -> list[str]:
        return [member.value for member in members]

    return Enum(kind, native_enum=False, values_callable=names)


metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("seq", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("function", Json(FunctionSpec), nullable=False),
    Column("payload", Json(Payload), nullable=False),
    Column("arguments", Json(dict[str, str]), nullable=False),
    Column("submitted_at", Double, nullable=False),
    Column("submitted_wall", Double, nullable=False),
    Column("deadline_at", Double),
    Column("home_zone", Text, nullable=False),
    Column("world", Json(World), nullable=False),
    Column("grid", Text, nullable=False),
    Column("state", _member(State), nullable=False),
    Column("wish", _member(Wish), nullable=False),
    Column("token", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("steps_done", BigInteger, nullable=False),
    Column("steps_reached", BigInteger, nullable=False),
    Column("steps_total", BigInteger),
    Column("loss", Loss),
    Column("checkpoint", Text),
    Column("result", Text),
    Column("error", Words),
    Column("ended_at", Double),
    Column("idempotency_key", Text),
    Column("unplanned", Text),  # its function, as long as it was not tried and waits for room alone
    Column("priority", Integer, nullable=False, server_default="0"),
    Index("jobs_by_idempotency_key", "idempotency_key", unique=True),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("wall", Double, nullable=False),
    Column("before", _member(State)),
    Column("after", _member(State), nullable=False),
    Column("token", Integer, nullable=False),
    Column("detail", Words, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("token", Integer, primary_key=True),
    Column("site", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("started_wall", Double, nullable=False),
    Column("processes", Json(tuple[tuple[int, float], ...]), nullable=False),
    Column("first_step", BigInteger),
    Column("last_step", BigInteger),
    Column("startup_wall_s", Double),
    Column("training_wall_s", Double, nullable=False),
    Column("ended_at", Double),
    Column("ended_wall", Double),
    Column("outcome", Text),
)

progress = Table(
    "progress",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("token", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("wall", Double, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("workers", Integer, nullable=False),
    Column("loss", Loss),
)

metrics = Table(
    "metrics",
    metadata,
    Column("progress_id", BigInteger, ForeignKey("progress.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Loss, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False),
    Column("token", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("error", Words, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("meter", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("start_at", Double, nullable=False),
    Column("end_at", Double, nullable=False),
    Column("wall_s", Double, nullable=False),
    Column("energy_uj", BigInteger, nullable=False),
    Column("static_uj", BigInteger, nullable=False),
    Column("low_uj", BigInteger, nullable=False),
    Column("high_uj", BigInteger, nullable=False),
    Column("busy_cpu_s", Double, nullable=False),
    Column("cpus", Integer, nullable=False),
)

allocations = Table(
    "allocations",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("reading_id", BigInteger, ForeignKey("readings.id"), nullable=False),
    Column("holder", _member(Holder), nullable=False),
    Column("job_id", Text, nullable=False),
    Column("phase", _member(Phase), nullable=False),
    Column("energy_uj", BigInteger, nullable=False),
    Column("reserved_cpu_s", Double, nullable=False),
    Column("zone", Text, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("cpu_s", Double),
    Column("spare_uj", BigInteger),
)

pages = Table(
    "pages",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("first_reading", BigInteger, nullable=False),
    Column("last_reading", BigInteger, nullable=False),
    Column("last_share", BigInteger, nullable=False),
    Column("first_open", BigInteger, nullable=False),
)
"""Stretches of the ledger that are summed: their readings, the last of their allocations, and the first
allocation of any reading after them."""

balances = Table(
    "balances",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("page_id", BigInteger, ForeignKey("pages.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("holder", _member(Holder), nullable=False),
    Column("job_id", Text, nullable=False),
    Column("phase", _member(Phase), nullable=False),
    Column("token", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("meter", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("cpus", Integer, nullable=False),
    Column("crossing", BigInteger, nullable=False),
    Column("start_at", Double, nullable=False),
    Column("end_at", Double, nullable=False),
    Column("energy_uj", BigInteger, nullable=False),
    Column("low_j", Double, nullable=False),
    Column("high_j", Double, nullable=False),
    Column("machine_s", Double, nullable=False),
    Column("spare_uj", BigInteger),
)

signals = Table(
    "signals",
    metadata,
    Column("grid", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("observed_at", Double, primary_key=True),
    Column("value", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("quality", _member(Quality), nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("snapshot", Json(Snapshot), nullable=False),
    Column("plan", Json(Plan), nullable=False),
)

world = Table(
    "world",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("world", Json(World), nullable=False),
)

triggers = Table(
    "triggers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("function", Json(FunctionSpec), nullable=False),
    Column("payload", Json(Payload), nullable=False),
    Column("arguments", Json(tuple[tuple[str, str], ...]), nullable=False),
    Column("handed", Text, nullable=False),
    Column("zones", Json(tuple[str, ...]), nullable=False),
    Column("deployed_wall", Double, nullable=False),
    Column("reached_wall", Double, nullable=False),
)

occasions = Table(
    "occasions",
    metadata,
    Column("seq", BigInteger, primary_key=True),
    Column("trigger_name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("said", Words, nullable=False),
    Column("wall", Double, nullable=False),
    Column("job_id", Text),
    Column("refused", Words, nullable=False),
)

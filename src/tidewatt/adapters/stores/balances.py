"""Sums of the ledger, made by the database: a page of entries is summed once and for all when it is full.

A receipt of a long job would otherwise read a million entries. Whoever asks is given the sums of the pages
and, in the same statement, the sum of the entries that came since.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    RowMapping,
    Select,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from tidewatt.accounting.balance import merged
from tidewatt.adapters.stores.tables import allocations, balances, pages, readings
from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import SPAN_S, Account, Balance, Holder
from tidewatt.domain.units import MICROJOULES

PAGE = 1000
"""Readings to a page."""
_OPEN = 64
"""The newest readings stay out of a page: on PostgreSQL a lower number may yet appear."""
_AT_ONCE = 1000
_ALIKE = ("holder", "job_id", "phase", "token", "zone", "workers", "meter", "tier", "cpus", "crossing")


def close_page(connection: Connection) -> None:
    """Sum the entries that no page holds yet, but for the newest, and keep the sums."""
    newest = connection.execute(select(func.max(readings.c.id))).scalar_one() or 0
    last, opened = connection.execute(
        select(func.max(pages.c.last_reading), func.max(pages.c.first_open))
    ).one()
    first, since, until = (last or 0) + 1, opened or 0, newest - _OPEN
    if until < first:
        return
    share = allocations.c
    of_page = (share.id >= since, share.reading_id >= first, share.reading_id <= until)
    last_share = connection.execute(select(func.max(share.id)).where(*of_page)).scalar_one() or since
    still = select(func.min(share.id)).where(share.id >= since, share.reading_id > until)
    page = insert(pages).values(
        first_reading=first,
        last_reading=until,
        last_share=last_share,
        first_open=connection.execute(still).scalar_one() or last_share + 1,
    )
    page_id: int = connection.execute(page.returning(pages.c.id)).scalar_one()
    sums = _sums(*of_page).add_columns(literal(page_id, BigInteger).label("page_id"))
    connection.execute(insert(balances).from_select([column.name for column in sums.selected_columns], sums))


def read(
    connection: Connection, job_id: str | None, since_at: float | None, until_at: float | None
) -> list[Balance]:
    """The balances of a job or of all, of readings that began between the two."""
    columns: list[ColumnElement[object]] = [balances.c[c.name] for c in _sums().selected_columns]
    paged = select(*columns)
    fresh = _sums(
        allocations.c.id >= select(func.coalesce(func.max(pages.c.first_open), 0)).scalar_subquery(),
        allocations.c.reading_id > select(func.coalesce(func.max(pages.c.last_reading), 0)).scalar_subquery(),
        *(() if job_id is None else (allocations.c.job_id == job_id,)),
        *(() if since_at is None else (readings.c.start_at >= since_at,)),
        *(() if until_at is None else (readings.c.start_at < until_at,)),
    )
    if job_id is not None:
        paged = paged.where(balances.c.job_id == job_id)
    if since_at is not None:
        paged = paged.where(balances.c.start_at >= since_at)
    if until_at is not None:
        paged = paged.where(balances.c.start_at < until_at)
    both = union_all(paged, fresh).subquery()
    found = connection.execute(select(both).order_by(both.c.seq)).mappings()
    return merged((_balance(row), row["crossing"]) for row in found)


def beside(connection: Connection, job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
    """What each kind of account received from the readings of a job's time, microjoules.

    Those are the readings around the job's own, as far as they overlap the time and as long as the clock
    does not jump back: two replays may pass through the same hours.
    """
    mine = select(allocations.c.reading_id).where(allocations.c.job_id == job_id).limit(1)
    first = connection.execute(mine.order_by(allocations.c.id)).scalar_one_or_none()
    last = connection.execute(mine.order_by(allocations.c.id.desc())).scalar_one_or_none()
    if first is None or last is None:
        return {}
    first = _reach(connection, first, lambda here, each: start_at < each[2] <= here[1], back=True)
    last = _reach(connection, last, lambda here, each: here[2] <= each[1] < end_at, back=False)
    return _between(connection, first, last)


def _sums(*where: ColumnElement[bool]) -> "Select[*tuple[object, ...]]":
    """Entries that are alike, summed; ``crossing`` keeps apart the readings that lie in two spans."""
    start, end = _Span(readings.c.start_at), _Span(readings.c.end_at)
    crossing = case((start == end, literal(0, BigInteger)), else_=readings.c.id)
    share_j = cast(allocations.c.energy_uj, Double) / MICROJOULES
    nothing = readings.c.energy_uj == 0

    def bound(of_reading: ColumnElement[int]) -> ColumnElement[float]:
        ratio = cast(of_reading, Double) / cast(readings.c.energy_uj, Double)
        return func.sum(case((nothing, share_j), else_=share_j * ratio))

    return (
        select(
            func.min(allocations.c.id).label("seq"),
            allocations.c.holder,
            allocations.c.job_id,
            allocations.c.phase,
            allocations.c.token,
            allocations.c.zone,
            allocations.c.workers,
            readings.c.meter,
            readings.c.tier,
            readings.c.cpus,
            crossing.label("crossing"),
            func.min(readings.c.start_at).label("start_at"),
            func.max(readings.c.end_at).label("end_at"),
            cast(func.sum(allocations.c.energy_uj), BigInteger).label("energy_uj"),
            bound(readings.c.low_uj).label("low_j"),
            bound(readings.c.high_uj).label("high_j"),
            func.sum(allocations.c.reserved_cpu_s / readings.c.cpus).label("machine_s"),
            _if_all_known(allocations.c.spare_uj).label("spare_uj"),
        )
        .join_from(allocations, readings, allocations.c.reading_id == readings.c.id)
        .where(*where)
        .group_by(
            *(allocations.c[name] for name in _ALIKE[:6]),
            *(readings.c[name] for name in _ALIKE[6:9]),
            start,
            crossing,
        )
    )


def _if_all_known(column: ColumnElement[int | None]) -> ColumnElement[int | None]:
    """The sum, or NULL where any of it is, since the sum of a part would pass for all of it."""
    return case((func.count() == func.count(column), cast(func.sum(column), BigInteger)))


class _Span(FunctionElement[int]):
    """The number of the span of an instant."""

    type: TypeEngine[int] = BigInteger()
    inherit_cache: bool | None = True


@compiles(_Span)
def _floored(element: _Span, compiler: SQLCompiler, **_: object) -> str:
    return f"CAST(floor({compiler.process(element.clauses)} / {SPAN_S}) AS BIGINT)"


@compiles(_Span, "sqlite")
def _truncated(element: _Span, compiler: SQLCompiler, **_: object) -> str:
    """Not every SQLite has floor(), and no instant lies before 1970."""
    return f"CAST({compiler.process(element.clauses)} / {SPAN_S} AS INTEGER)"


def _balance(row: RowMapping) -> Balance:
    values = {name: row[name] for name in _ALIKE[2:9] if name != "tier"}
    return Balance(
        account=Account(row["holder"], row["job_id"]),
        tier=Tier(row["tier"]),
        start_at=row["start_at"],
        end_at=row["end_at"],
        energy_uj=row["energy_uj"],
        low_j=row["low_j"],
        high_j=row["high_j"],
        machine_s=row["machine_s"],
        spare_uj=row["spare_uj"],
        **values,
    )


_Look = tuple[int, float, float, str]
"""A reading's number, the interval that it was taken over, and its meter."""


def _reach(
    connection: Connection, number: int, goes_on: Callable[[_Look, _Look], bool], *, back: bool
) -> int:
    """The last of the readings before or after one that follow each other without a break.

    Devices are read over the same interval as their node: those readings are one look, and belong together.
    """
    kept = readings.c
    columns = select(kept.id, kept.start_at, kept.end_at, kept.meter)
    (here,) = _rows(connection, columns.where(kept.id == number))
    beyond = columns.where(kept.id < number if back else kept.id > number)
    meters = {here[3]}
    for each in _rows(connection, beyond.order_by(kept.id.desc() if back else kept.id)):
        together = each[1:3] == here[1:3] and each[3] not in meters
        if not together and not goes_on(here, each):
            break
        meters = {*meters, each[3]} if together else {each[3]}
        here = each
    return here[0]


def _rows(connection: Connection, statement: "Select[int, float, float, str]") -> Iterator[_Look]:
    """The rows of a statement, fetched as they are asked for."""
    with connection.execution_options(yield_per=_AT_ONCE).execute(statement) as found:
        yield from found


def _between(connection: Connection, first: int, last: int) -> dict[Holder, int]:
    """What each kind of account received from a row of readings: whole pages, and what is beside them."""
    held, kept = pages.c, balances.c
    inside = (held.first_reading >= first, held.last_reading <= last)
    edges = select(func.min(held.first_reading), func.max(held.last_reading)).where(*inside)
    page_first, page_last = connection.execute(edges).one()
    if page_first is None:
        parts = [_singles(connection, first, last)]
    else:
        within = (held.first_reading >= page_first, held.last_reading <= page_last)
        of_pages = select(kept.holder, func.sum(kept.energy_uj)).join(pages, kept.page_id == held.id)
        parts = [
            _singles(connection, first, page_first - 1),
            of_pages.where(*within).group_by(kept.holder),
            _singles(connection, page_last + 1, last),
        ]
    totals: Counter[Holder] = Counter()
    for statement in parts:
        for holder, energy_uj in connection.execute(statement):
            totals[holder] += int(energy_uj)
    return dict(totals)


def _singles(connection: Connection, first: int, last: int) -> "Select[Holder, int]":
    """The entries of some readings, which lie between what pages before and after them hold."""
    share, held = allocations.c, pages.c
    lower = connection.execute(
        select(func.max(held.first_open)).where(held.last_reading < first)
    ).scalar_one()
    upper = connection.execute(
        select(func.min(held.last_share)).where(held.last_reading >= last)
    ).scalar_one()
    bounds = [share.id >= (lower or 0), share.reading_id >= first, share.reading_id <= last]
    if upper is not None:
        bounds.append(share.id <= upper)
    return select(share.holder, func.sum(share.energy_uj)).where(*bounds).group_by(share.holder)

"""Statements that go straight to the driver: what the library does around one outlasts the database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any] | None


@dataclass(slots=True)
class _Compiled:
    """A statement in the words of one database."""

    text: str
    binds: tuple[tuple[str, Convert], ...]
    """Its parameters, in order, and how their values are handed over."""
    fixed: Mapping[str, Any]
    """Values that are part of it."""
    by_name: bool
    """Whether the driver takes values by name."""
    columns: tuple[tuple[str, Convert], ...] = ()
    """Of the rows that it returns, and how their values are taken over; known from the first time on."""

    def values(self, given: Mapping[str, Any]) -> Mapping[str, Any] | tuple[Any, ...]:
        """What the driver is handed."""
        whole = {**self.fixed, **given}
        made = [(name, whole[name] if make is None else make(whole[name])) for name, make in self.binds]
        return dict(made) if self.by_name else tuple(value for _, value in made)

    def row(self, found: Sequence[Any]) -> dict[str, Any]:
        """A row, by the names of its columns."""
        pairs = zip(self.columns, found, strict=True)
        return {name: value if read is None else read(value) for (name, read), value in pairs}


class Prepared:
    """One statement of the library, worked out once for each kind of database.

    Types of columns, parameters and errors are the library's; what it does for rows of any kind, and to pool
    what is at hand, is left out. ``columns`` names those that an insertion fills.
    """

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        self._statement: Any = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: object) -> list[dict[str, Any]]:
        """Every row that it returns."""
        compiled, cursor = self._run(connection, values)
        return [compiled.row(found) for found in cursor.fetchall()]

    def first(self, connection: Connection, **values: object) -> dict[str, Any] | None:
        """The first row that it returns, if there is one."""
        compiled, cursor = self._run(connection, values)
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else compiled.row(found)

    def run(self, connection: Connection, **values: object) -> None:
        """Have it done, where it returns no rows."""
        self._run(connection, values)

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> tuple[_Compiled, Any]:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        cursor = drive(connection, compiled.text, compiled.values(values))
        if not compiled.columns and cursor.description:
            compiled.columns = self._returned(cursor.description, dialect)
        return compiled, cursor

    def _compile(self, dialect: Dialect) -> _Compiled:
        made = self._statement.compile(dialect=dialect, column_keys=self._columns)
        names: Sequence[str] = made.positiontup or list(made.params)
        return _Compiled(
            text=str(made),
            binds=tuple((name, _binder(made.binds[name], dialect)) for name in names),
            fixed={name: made.params[name] for name in names if not made.binds[name].required},
            by_name=made.positiontup is None,
        )

    def _returned(
        self, described: Sequence[Sequence[Any]], dialect: Dialect
    ) -> tuple[tuple[str, Convert], ...]:
        pairs = zip(self._statement.exported_columns, described, strict=True)
        return tuple((column.key, _reader(column.type, told[1], dialect)) for column, told in pairs)


def drive(connection: Connection, text: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a driver's cursor
    """Have a driver execute a statement in its own words; the cursor that holds what it returns.

    Raises:
        DBAPIError: what the driver raises, as the library would tell it.
    """
    driver: Any = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, values)
    except driver.Error as error:
        raise _told(connection, text, error) from error
    return cursor


def drive_all(connection: Connection, text: str, values: Sequence[Sequence[Any]]) -> None:
    """The same for each of many rows of values.

    Raises:
        DBAPIError: what the driver raises, as the library would tell it.
    """
    driver: Any = connection.dialect.loaded_dbapi
    try:
        connection.connection.cursor().executemany(text, values)
    except driver.Error as error:
        raise _told(connection, text, error) from error


def commit(connection: Connection) -> None:
    """Save a transaction that the library knows nothing of.

    Raises:
        DBAPIError: what the driver raises, as the library would tell it.
    """
    driver: Any = connection.dialect.loaded_dbapi
    try:
        connection.connection.commit()
    except driver.Error as error:
        raise _told(connection, "COMMIT", error) from error


def _told(connection: Connection, text: str, error: Exception) -> BaseException:
    """An error of a driver, as the library would tell it."""
    driver: Any = connection.dialect.loaded_dbapi
    return DBAPIError.instance(text, None, error, driver.Error, dialect=connection.dialect)


def _binder(parameter: BindParameter[Any], dialect: Dialect) -> Convert:
    return parameter.type.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: TypeEngine[Any], told: object, dialect: Dialect) -> Convert:
    """How a value is taken over of which the driver tells this kind."""
    return kind.dialect_impl(dialect).result_processor(dialect, told)

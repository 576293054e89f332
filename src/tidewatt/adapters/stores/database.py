"""Transactions on SQLite and PostgreSQL, each begun the way its database needs."""

import sqlite3
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, StaticPool, Table, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StatementError,
)

from tidewatt.adapters.stores.prepared import commit, drive
from tidewatt.errors import StoreUnavailable, TidewattError, UsageError

BUSY_TIMEOUT_S = 15
CACHE_KB = 512
"""Of pages that a connection to SQLite keeps: what it has let go of is read from the system's cache of files,
which costs too little to be measured, also with 100,000 jobs. SQLite itself would keep 2 MB."""
_MIGRATION_LOCK = 0x7469_6465  # "tide" in ASCII: any number that other programs are unlikely to lock


_NO_ROOM = ("a disk with room", "free some space: what waits for it goes on by itself")
_LOCKED = ("a store that others leave free", "see which process has it locked: what waits goes on by itself")
_SQLITE_PASSING = {
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_IOERR_WRITE: _NO_ROOM,
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_ROOM,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_BUSY_SNAPSHOT: _LOCKED,
    sqlite3.SQLITE_BUSY_RECOVERY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
}
"""What stands in the way of a transaction for now, and has certainly undone it; with what to do about it.

An error of synchronising is not among them: what was written may be there or not."""
_POSTGRES_PASSING = {"53100": _NO_ROOM, "55P03": _LOCKED}
"""disk_full and lock_not_available (PostgreSQL manual, appendix A)."""


class _Mode(Enum):
    GLANCING = auto()
    READING = auto()
    WRITING = auto()
    DURABLE = auto()
    LOCKED = auto()


_NORMAL = ("PRAGMA foreign_keys=ON", "PRAGMA synchronous=NORMAL")
_FULL = ("PRAGMA foreign_keys=ON", "PRAGMA synchronous=FULL")
_BARE = ("PRAGMA foreign_keys=OFF", "PRAGMA synchronous=FULL")
_BEGIN: dict[str, dict[_Mode, tuple[tuple[str, ...], str]]] = {
    # Settings of a connection, and what begins a transaction. On SQLite a writer takes its lock at once: a
    # reader that becomes a writer may fail without waiting. The level of synchronisation cannot be changed
    # inside a transaction; a later FULL one syncs all before it.
    "sqlite": {
        _Mode.GLANCING: ((), ""),
        _Mode.READING: ((), "BEGIN"),
        _Mode.WRITING: (_NORMAL, "BEGIN IMMEDIATE"),
        _Mode.DURABLE: (_FULL, "BEGIN IMMEDIATE"),
        _Mode.LOCKED: (_BARE, "BEGIN IMMEDIATE"),
    },
    "postgresql": {
        _Mode.GLANCING: ((), ""),
        _Mode.READING: ((), ""),
        _Mode.WRITING: ((), "SET LOCAL synchronous_commit TO OFF"),
        _Mode.DURABLE: ((), ""),
        _Mode.LOCKED: ((), f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"),
    },
}
_SET = "tidewatt_settings"
"""Under this, a connection knows the settings that it was given last."""


class Database:
    """One database and the connections to it; ``name`` is its URL without a password."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Connection] = deque()
        """Connections to a file that wait for their next use; the library's own pool takes longer."""
        self._closed = False
        self._begin = _BEGIN[engine.dialect.name]
        self.name = engine.url.render_as_string(hide_password=True)
        self.file = _file_of(engine)
        """The file of an SQLite database that has one."""

    @classmethod
    def at(cls, url: str) -> "Database":
        """The database of a URL; nothing is opened before the first transaction.

        Raises:
            UsageError: neither SQLite nor PostgreSQL, or the driver is not installed.
        """
        wanted = "sqlite:///FILE or postgresql://USER@HOST/NAME"
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # The beginning is enough to know it by; what follows may hold a password.
            raise UsageError(f"a store's URL that begins with {url[:10]!r}", wanted) from None
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
            raise UsageError(f"a store of kind {parsed.drivername!r}", wanted)
        options: dict[str, Any] = {"pool_pre_ping": True}
        if parsed.drivername == "sqlite":
            # Without an isolation level the driver begins no transaction of its own accord.
            options = {"connect_args": {"isolation_level": None}}
            if "timeout" not in parsed.query:
                options["connect_args"]["timeout"] = BUSY_TIMEOUT_S
            if parsed.database in {None, "", ":memory:"}:
                options["poolclass"] = StaticPool
        try:
            engine = create_engine(parsed, **options)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"no Python package {error.name}", wanted, "install 'tidewatt[postgres]'"
            ) from error
        if parsed.drivername == "sqlite":
            event.listen(engine, "connect", _bound_cache)
        return cls(engine)

    def insertion(self, table: Table, columns: Sequence[str], returning: str | None = None) -> str:
        """The statement that adds a row of values in this order, for the driver.

        What is written every second goes past the library's own handling of rows, which costs more than
        the database does.
        """
        dialect: Dialect = sqlite.dialect(paramstyle="qmark")
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import (  # noqa: PLC0415 - slow to load, and most stores are files
                psycopg,
            )

            dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        statement = table.insert() if returning is None else table.insert().returning(table.c[returning])
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        if tuple(compiled.positiontup or ()) != tuple(columns):
            raise TidewattError(f"columns in the order {compiled.positiontup}", f"{columns}")
        return str(compiled)

    @contextmanager
    def glancing(self) -> Generator[Connection]:
        """For a single statement that reads: it sees one state without a transaction around it."""
        with self._transaction(_Mode.GLANCING) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees one state throughout (PostgreSQL: for each statement)."""
        with self._transaction(_Mode.READING) as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool) -> Generator[Connection]:
        """A transaction that is saved on leaving, or undone by an exception.

        Where it is not ``durable``, a power cut may lose its last moments; a crash of a process never does.
        """
        with self._transaction(_Mode.DURABLE if durable else _Mode.WRITING) as connection:
            yield connection

    @contextmanager
    def locked(self) -> Generator[Connection]:
        """A durable transaction that no other process can be in at the same time."""
        with self._transaction(_Mode.LOCKED) as connection:
            yield connection

    def settle(self, *, migrated: bool) -> None:
        """Put SQLite in write-ahead mode, and a new schema in its file rather than in its log.

        The change of mode needs the file for itself and, alone among statements, does not wait for it:
        so an exclusive transaction does the waiting. If others keep coming the mode stays as it is,
        which is slower and just as safe, and the next to open the store tries again.
        """
        if self.file is None:
            return
        with self._connected() as connection:
            for _ in range(20):
                try:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL").all()
                    break
                except OperationalError:
                    connection.exec_driver_sql("BEGIN EXCLUSIVE")
                    connection.commit()
            if migrated:
                connection.exec_driver_sql("PRAGMA main.wal_checkpoint(TRUNCATE)").all()

    def close(self) -> None:
        """Close every connection; on SQLite the last one to close takes the log files with it."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self, mode: _Mode) -> Generator[Connection]:
        with self._connected() as connection:
            settings, begin = self._begin[mode]
            if settings and connection.info.get(_SET) != settings:
                for setting in settings:
                    drive(connection, setting)
                connection.info[_SET] = settings
            if begin:
                drive(connection, begin)
            yield connection
            if connection.in_transaction():
                connection.commit()
            else:  # nothing in it went by way of the library
                commit(connection)

    @contextmanager
    def _borrowed(self) -> Generator[Connection]:
        """A connection, put aside for its next use unless something went wrong with it."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.in_transaction():
            connection.rollback()
        if self.file is None or self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        """A connection; what its database cannot do is said in words, and all not committed is undone."""
        try:
            with self._borrowed() as connection:
                yield connection
        except (IntegrityError, ProgrammingError, DataError):
            raise
        except StatementError as error:
            if isinstance(error.orig, TidewattError):
                raise error.orig from None
            if not isinstance(error, DatabaseError):
                raise
            passing = _passing(error.orig)
            if passing is not None:
                raise StoreUnavailable(f"the store {self.name}: {error.orig}", *passing) from error
            raise TidewattError(
                f"the store {self.name} failing: {error.orig}",
                "a database that can be read and written",
                "see that it exists, is a store of Tidewatt, is not full and that you may write to it",
            ) from error


def _bound_cache(driven: sqlite3.Connection, _: object) -> None:
    driven.execute(f"PRAGMA cache_size=-{CACHE_KB}").close()


def _file_of(engine: Engine) -> Path | None:
    name = engine.url.database
    if engine.dialect.name != "sqlite" or name is None or name in {"", ":memory:"}:
        return None
    return Path(name)


def _passing(error: BaseException | None) -> tuple[str, str] | None:
    """What is wanted and what to do, if an error of a driver is one that passes by itself."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE_PASSING.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK))
    return _POSTGRES_PASSING.get(getattr(error, "sqlstate", None) or "")

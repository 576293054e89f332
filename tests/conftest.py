"""What tests share: stores, a real PostgreSQL among them, and a state folder that must end up idle."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import URL, create_engine, make_url

from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.sdk.client import Client

_PATIENCE_S = 30.0
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell without a terminal starts in the background ignores Ctrl-C, and our commands inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _binaries() -> Path | None:
    """The folder of a PostgreSQL server, the newest where there are several."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    installed = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(installed, key=lambda p: float(p.parent.name), default=None)


def _unprivileged() -> str | None:
    """Whom the server is to run as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _cluster(binaries: Path, folder: Path) -> Generator[URL]:
    """A PostgreSQL server of our own, reached by a socket in ``folder`` alone and gone afterwards."""
    user = _unprivileged()
    if user is not None:
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        # Its programs are given files and not pipes, which a server that stays would keep open.
        with (folder / "calls.log").open("w+b") as log:
            command = [str(binaries / program), *arguments]
            done = subprocess.run(
                command, cwd=folder, user=user, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
            log.seek(0)
            assert done.returncode == 0, log.read().decode()

    data = str(folder / "data")
    call("initdb", "-D", data, "--username=tester", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", data, "-l", str(folder / "server.log"), "-o", options, "-w", "start")
    try:
        yield URL.create(
            "postgresql+psycopg", username="tester", database="postgres", query={"host": str(folder)}
        )
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _server() -> Generator[URL]:
    given = os.environ.get("TIDEWATT_TEST_POSTGRES")
    binaries = _binaries()
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if given:
        yield make_url(given)
    elif binaries is None:
        pytest.skip("no PostgreSQL server is installed, and TIDEWATT_TEST_POSTGRES is not set")
    elif os.geteuid() == 0 and _unprivileged() is None:
        pytest.skip(f"PostgreSQL refuses to run as {getpass.getuser()}")
    else:
        # A short path: a socket's may have 107 characters at most.
        folder = Path(tempfile.mkdtemp(prefix="tw"))
        try:
            yield from _cluster(binaries, folder)
        finally:
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_database() -> Generator[str]:
    """The URL of an empty PostgreSQL database that this test process has to itself."""
    for server in _server():
        name = f"tidewatt_{uuid4().hex}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        yield server.set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        engine.dispose()


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The URL of a PostgreSQL database with nothing in it."""
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return postgres_database


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet, in a folder of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    return f"sqlite:///{folder / 'tidewatt.db'}"


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new store that several processes can use at once, for each database in turn."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(params=["sqlite_url", "memory", "postgres_url", "no database"])
def store(request: pytest.FixtureRequest) -> Generator[SqlStore | MemoryStore]:
    """An empty store, for each kind in turn."""
    opened: SqlStore | MemoryStore
    if request.param == "no database":
        opened = MemoryStore()
    elif request.param == "memory":
        opened = SqlStore.open("sqlite://")
    else:
        opened = SqlStore.open(request.getfixturevalue(request.param))
    yield opened
    opened.close()


@pytest.fixture
def processes_of() -> Callable[[Client], list[psutil.Process]]:
    """Finds the supervisor of a client's state folder and everything below it."""
    return _processes_of


def _processes_of(client: Client) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "tidewatt.cli.supervisor" in command and str(client.home.path) in command:
            found += [process, *process.children(recursive=True)]
    return found


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Client]:
    """A client whose state folder must have neither a process nor a socket in the end (law 9)."""
    monkeypatch.setenv("TIDEWATT_LINGER_S", "0.2")
    monkeypatch.setenv("TIDEWATT_ZONE", "DE")
    client = Client(tmp_path / "home")
    yield client
    _, alive = psutil.wait_procs(_processes_of(client), timeout=_PATIENCE_S)
    for process in alive:
        process.kill()
    assert alive == []
    client.wake()  # whoever looks next removes the socket of a supervisor that was killed
    assert not client.home.socket.exists()
    client.close()

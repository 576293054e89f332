"""A state folder is its owner's alone: each way in is tried by somebody else, and with nonsense."""

import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON

import tidewatt as tw
from tidewatt.adapters.bell import Caller
from tidewatt.adapters.engines.door import MOST_SILENT
from tidewatt.adapters.home import Home
from tidewatt.adapters.unix import connect, listen
from tidewatt.errors import UsageError
from tidewatt.sdk.client import Client

ProcessesOf = Callable[[Client], list[psutil.Process]]
NOBODY = 65534
STRANGER = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
try:
    {attempt}
except OSError as error:
    print(type(error).__name__)
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
HEADER = struct.Struct("!BBQ")


@tw.function()
def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def calling(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose state folder functions are called in."""
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    return client


def stranger(attempt: str) -> str:
    """What comes of something that somebody else tries."""
    program = STRANGER.format(nobody=NOBODY, attempt=attempt)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def knocking(path: Path) -> str:
    """To connect, to send a frame, and to print what is answered."""
    frame = HEADER.pack(1, 0, 4) + b"junk"
    return (
        f"s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect({str(path)!r}); "
        f"s.sendall({frame!r}); print('said', s.recv(100))"
    )


@contextmanager
def open_to_all(*paths: Path) -> Iterator[None]:
    """Have anybody come to these paths during the body."""
    ways = {way for path in paths for way in (path, *path.parents[:-2])}
    modes = {way: stat.S_IMODE(way.stat().st_mode) for way in ways}
    try:
        for way in ways:
            way.chmod(0o777)
        yield
    finally:
        for way, mode in modes.items():
            way.chmod(mode)


@needs_root
def test_another_user_gets_nowhere(calling: Client) -> None:
    assert double.remote(1) == 2
    home = calling.home
    for socket_path in (home.socket, home.door):
        assert stranger(knocking(socket_path)) == "PermissionError\n"
    for attempt in (f"os.listdir({str(home.path)!r})", f"open({str(home.path / 'state.db')!r})"):
        assert stranger(attempt) == "PermissionError\n"
    assert stranger(f"open({str(home.jobs / 'planted')!r}, 'w')") == "PermissionError\n"


@needs_root
def test_another_user_is_hung_up_on_even_where_the_folder_lets_him_come(calling: Client) -> None:
    assert double.remote(1) == 2
    home = calling.home
    with open_to_all(home.socket, home.door):
        for socket_path in (home.socket, home.door):
            said = stranger(knocking(socket_path))
            assert said in {"said b''\n", "BrokenPipeError\n", "ConnectionResetError\n"}
        assert double.remote(2) == 4


def test_a_folder_that_others_may_enter_is_closed_to_them(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.path.chmod(0o775)
    home.prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


@needs_root
def test_a_folder_that_others_have_written_into_is_refused_and_not_touched(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.path.chmod(0o777)
    planted = home.path / "budget.toml"
    planted.write_text("")
    os.chown(planted, NOBODY, NOBODY)
    with pytest.raises(UsageError, match="which another user owns, or something in it; wanted"):
        home.prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o777


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(UsageError, match="which another user owns"):
        Home(theirs).prepare()


def test_a_link_in_place_of_a_socket_is_removed_and_what_it_names_is_not(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "supervisor.sock"
    target.write_text("kept")
    path.symlink_to(target)
    with listen(path):
        assert path.is_socket()
        assert not path.is_symlink()
    assert target.read_text() == "kept"


@needs_root
def test_a_link_to_a_socket_of_another_user_is_not_spoken_to(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "supervisor.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(theirs))
        os.seteuid(NOBODY)
        try:
            listener.listen()  # the kernel notes who does
        finally:
            os.seteuid(0)
        ours.symlink_to(theirs)
        assert connect(ours) is None
        assert Caller.ring(ours) is None


NONSENSE = {
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "a length beyond all bounds": struct.pack("!I", 2**32 - 1) + b"{}",
    "no JSON": struct.pack("!I", 4) + b"\xff\xfe\xfd\xfc",
    "zeros": bytes(1 << 16),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_who_talks_nonsense_is_turned_away_and_others_are_served(calling: Client, nonsense: bytes) -> None:
    assert double.remote(1) == 2
    caller = connect(calling.home.door)
    assert caller is not None
    with caller:
        caller.sendall(nonsense)
        caller.settimeout(SOON)
        with suppress(ConnectionResetError):  # it has sent more than was read
            assert b"does not say what it wants" in caller.recv(1000)
    follower = connect(calling.home.socket)
    assert follower is not None
    with follower:
        follower.sendall(nonsense)
        follower.settimeout(SOON)
        assert follower.recv(100).startswith(b"tidewatt 1")
        assert double.remote(2) == 4


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**45], ids=["2^63", "2^64 - 1", "2^45"])
def test_a_frame_that_says_to_be_endless_ends_its_caller_alone(calling: Client, length: int) -> None:
    assert double.remote(1) == 2
    (kept,) = double.remote._caller._board._free  # noqa: SLF001 - a line that a worker is at
    kept._sock.sendall(HEADER.pack(2, 0, length))  # noqa: SLF001 - the same
    kept._sock.settimeout(SOON)  # noqa: SLF001 - the same
    assert kept._sock.recv(1) == b""  # noqa: SLF001 - the same
    assert double.remote(2) == 4
    logs = "".join(log.read_text() for log in calling.home.jobs.glob("double-calls-*/attempt-1.log"))
    assert "Traceback" not in logs


def test_who_says_nothing_keeps_nobody_waiting_and_no_supervisor_alive(
    calling: Client, processes_of: ProcessesOf
) -> None:
    assert double.remote(1) == 2
    silent = [connect(calling.home.door) for _ in range(MOST_SILENT + 1)]
    assert double.remote(2) == 4
    first, *others = silent
    assert first is not None
    first.settimeout(SOON)
    assert first.recv(1) == b""  # of too many, the one that came first is hung up on
    psutil.wait_procs(processes_of(calling), timeout=SOON)
    assert processes_of(calling) == []
    for each in (first, *others):
        assert each is not None
        each.close()

"""The supervisor of a state folder as others see it: whether one is there, and how to reach or start it."""

import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from threading import Event
from types import FrameType
from typing import BinaryIO, TextIO

from tidewatt.adapters.bell import Caller
from tidewatt.adapters.home import Home
from tidewatt.adapters.unix import connect
from tidewatt.domain.units import format_duration
from tidewatt.errors import TidewattError, UsageError

_READY = b"ready"
_BEGIN = b"begin"
_MOST_FAILURES = 5
_LONGEST_LOG = 1_000_000
"""From so many bytes on the log of supervisors is begun anew, and the one before is kept."""
_MOMENT_S = 0.2
_RETRY_S = 1.0
_PATIENCE_S = 60.0
"""A supervisor that was readied waits so long for whoever is to tell it to begin."""
_TRIES = 100
"""A supervisor that is leaving may take seconds to end its zygote; each try waits for it a moment."""

Begin = Callable[[], bool]
"""Tells a supervisor that was readied to begin, and whether it then listens."""


@contextmanager
def submitting(home: Home) -> Generator[Callable[[str], None]]:
    """Keep other submissions to the same state folder waiting during the body.

    It is given what to call with the name of each job, before that has a folder: should the body be killed,
    whoever comes next finds those names, and removes what came to nothing.
    """
    with home.submitting.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        size = os.fstat(lock.fileno()).st_size  # names of submissions that were killed

        def begin(job_id: str) -> None:
            with suppress(OSError):  # a disk that is full
                os.write(lock.fileno(), f"{job_id}\n".encode())

        try:
            yield begin
        finally:
            lock.truncate(size)


def supervised(home: Home) -> bool:
    """Whether a supervisor holds the state folder at this moment."""
    return is_held(home.lock)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file, which the kernel lets go of with its holder."""
    if not path.exists():
        return False
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def left_open(home: Home) -> bool:
    """Whether a supervisor or a submission was killed before it could clear up after itself.

    A socket without a supervisor says so, and a name in the file that submissions lock.
    """
    sockets = home.socket.exists() or home.door.exists()
    return sockets or (home.submitting.exists() and home.submitting.stat().st_size > 0)


def tidy(home: Home, kept: Callable[[str], bool]) -> None:
    """Clear up after whoever was killed before it could, unless a supervisor is there, who does the same."""
    if left_open(home):
        with home.lock.open("a+") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # while it is held nobody else binds a socket
            sweep(home, kept)
            home.socket.unlink(missing_ok=True)
            home.door.unlink(missing_ok=True)


def sweep(home: Home, kept: Callable[[str], bool]) -> None:
    """Remove folders of jobs that came to nothing: whoever made them was killed before the store knew them.

    Only for who holds the lock of the supervisor. While a submission is being made, the next one does it. No
    other folder is touched, whatever the store that is asked for ``kept`` knows: it may be the wrong one.
    """
    with home.submitting.open("a+") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.seek(0)
        for name in [*lock.read().split(), *_opened(home)]:
            if not kept(name):
                rmtree(home.jobs / name, ignore_errors=True)
        lock.truncate(0)


def _opened(home: Home) -> list[str]:
    """Jobs for direct calls whose folders the supervisor made that left its socket."""
    if not home.door.exists():
        return []
    since = home.door.stat().st_mtime
    return [path.name for path in home.jobs.glob("*-calls-*") if path.stat().st_mtime >= since]


def wake(home: Home, environment: Mapping[str, str], begin: Begin | None = None) -> Caller:
    """Ring the supervisor of a state folder, starting one if there is none.

    It is no child of this process in any way that matters: a session of its own, no terminal.

    Args:
        home: the state folder.
        environment: that of a supervisor that is started.
        begin: has one begin that was readied; it is tried first.

    Raises:
        UsageError: it does not start; its log says why.
    """
    failures = 0
    for _ in range(_TRIES):
        caller = Caller.ring(home.socket)
        if caller is not None:
            return caller
        listens = begin() if begin is not None else _start(home, environment)
        begin = None
        if not listens and not supervised(home):
            failures += 1
        if failures == _MOST_FAILURES:
            break
    tail = home.log.read_text(errors="replace").strip().splitlines()[-1:] if home.log.exists() else []
    raise UsageError(
        f"no supervisor for {home.path}: {' '.join(tail) or 'it does not say why'}",
        "one that starts",
        f"read {home.log}",
    )


@contextmanager
def readied(home: Home, environment: Mapping[str, str]) -> Generator[Begin | None]:
    """Start a supervisor that has a zygote load its libraries and touches nothing until it is told to begin.

    Whoever knows that one will be needed, and has things to do before, does them in the body. At its end a
    supervisor that was not told to begin leaves. None is started where one is there, or is being readied.

    Raises:
        NewerState: a newer version wrote the folder.
        UsageError: the folder cannot be used.
    """
    home.prepare()
    with _alone(home) as alone:
        if not alone or supervised(home):
            yield None
            return
        waiting, word = os.pipe()
        try:
            reader, process = _open(home, environment, [waiting])
        except BaseException:
            os.close(word)
            raise
        finally:
            os.close(waiting)

        def begin() -> bool:
            with suppress(BrokenPipeError):  # it has ended
                os.write(word, _BEGIN)
            return _listens(reader)

        try:
            yield begin
        finally:
            os.close(word)
            reader.close()
            process.wait()


def told_to_begin(begin: int) -> bool:
    """Wait until it is known whether a supervisor that was readied is wanted."""
    with os.fdopen(begin, "rb", 0) as word:
        told, _, _ = select.select([word], [], [], _PATIENCE_S)
        return bool(told) and word.read(len(_BEGIN)) == _BEGIN


@contextmanager
def _alone(home: Home) -> Generator[bool]:
    """Whether nobody else readies a supervisor; one that is begun tells so by its own lock."""
    folder = os.open(home.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        alone = True
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(folder)


def knock(home: Home) -> bool:
    """Ring the supervisor of a state folder without waiting for it to answer; False if there is none."""
    visitor = connect(home.socket)
    if visitor is not None:
        visitor.close()
    return visitor is not None


def dial(home: Home) -> socket.socket | None:
    """A line to the supervisor of a state folder, on which functions are called; None if there is none."""
    return connect(home.door)


def _start(home: Home, environment: Mapping[str, str]) -> bool:
    """Start a supervisor and wait until it listens; False if it left, as it does if there is one already."""
    reader, process = _open(home, environment, [])
    with reader:
        process.wait()
        return _listens(reader)


def _listens(reader: BinaryIO) -> bool:
    """Wait for the word of a supervisor, or its end."""
    return reader.read(len(_READY)) == _READY


def _open(
    home: Home, environment: Mapping[str, str], given: Sequence[int]
) -> tuple[BinaryIO, "subprocess.Popen[bytes]"]:
    """Start a supervisor with further descriptors; where it says that it listens, and what to wait for."""
    said, writer = os.pipe()
    reader = os.fdopen(said, "rb")
    passed = [writer, *given]
    command = [sys.executable, "-m", "tidewatt.cli.supervisor", str(home.path), *map(str, passed)]
    try:
        with suppress(OSError):  # another one is doing the same
            if home.log.stat().st_size > _LONGEST_LOG:
                home.log.replace(home.log.with_suffix(".log.1"))
        with home.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module, with arguments of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
                cwd="/",
                env=environment,
            )
    except BaseException:
        reader.close()
        raise
    finally:
        os.close(writer)
    return reader, process


class Outage:
    """Waits for what the supervisor cannot go on without, and tells its log as it begins and when it is over.

    The log may lie on the disk that is full; then it is told as soon as there is room.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._since: float | None = None
        self._unsaid = b""

    def pause(self, error: TidewattError) -> None:
        """Wait a moment."""
        if self._since is None:
            self._since = self._wall()
            self._say(f"waiting: {error}")
        Event().wait(_RETRY_S)

    def over(self) -> None:
        """It goes on."""
        if self._since is not None:
            waited_s, self._since = self._wall() - self._since, None
            self._say(f"the store can be used again, after {format_duration(waited_s)}")

    def _say(self, words: str) -> None:
        self._unsaid += f"tidewatt: {words}\n".encode()
        with suppress(OSError):
            self._unsaid = self._unsaid[os.write(sys.stderr.fileno(), self._unsaid) :]


def hold(lock: TextIO) -> bool:
    """Take the lock; False if another supervisor has it and does not leave in a moment.

    That one either listens, or will in a moment, or is about to leave: whoever asked rings again.
    """

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _MOMENT_S)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def tell(ready: int) -> None:
    """Let whoever started this supervisor know that it listens, once."""
    if ready >= 0:
        os.write(ready, _READY)
        os.close(ready)

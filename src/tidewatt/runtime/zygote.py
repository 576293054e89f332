"""The preloaded process that workers are forked from: never runs an op, never trains."""

import argparse
import gc
import importlib
import json
import linecache
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.runtime import pages, warm, worker
from tidewatt.runtime.allowance import Allowance, clear, excess
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.child import die_with_parent
from tidewatt.runtime.messages import Fork, Forked, Hire, Hired, Post, Reaped, Refused
from tidewatt.runtime.orphans import Orphans, Watch
from tidewatt.runtime.payload import importable
from tidewatt.runtime.secret import Secrets

_FULL = 2
"""The generation of a collection that leaves nothing out."""


class Zygote:
    """Forks workers on request and tells how they end, until its supervisor is gone."""

    def __init__(self, channel: Channel, trainer: str, groups: Path | None, secrets: Path | None) -> None:
        self._channel = channel
        self._groups = groups
        """Where workers may have control groups that hold them to what they may take."""
        self._secrets = secrets
        self._trainer = trainer
        self._children: dict[int, Kind] = {}
        """Of what kind the work of each worker is."""
        self._orphans = Orphans()
        self._bell, signalled = socket.socketpair()
        self._bell.setblocking(False)
        signalled.setblocking(False)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        self._signalled = signalled
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)

    def serve(self) -> None:
        """Work until the supervisor hangs up and the last worker has left."""
        while not self._channel.closed or self._children:
            alone = self._channel.closed
            others: Orphans | Channel = self._orphans if alone else self._channel
            ready, _, _ = select.select([self._bell, others], [], [], self._orphans.due_s())
            if self._bell in ready:
                with suppress(BlockingIOError):
                    self._bell.recv(4096)
                self._reap()
            if alone:  # a supervisor would see for itself who has hung up
                self._orphans.look()
            if self._channel in ready:
                for message in self._channel.receive():
                    if isinstance(message, Fork):
                        self._fork(message, self._channel.take_fd())
                    elif isinstance(message, Hire):
                        self._hire(message.post, self._channel.take_fd())

    def _fork(self, request: Fork, fd: int) -> None:
        order, rank = request.order, request.rank
        why = self._spoilt()
        if why:
            os.close(fd)
            self._channel.send(Refused(order.job_id, order.token, rank, why))
            return
        pid, started = self._child(
            fd, order.function, lambda channel: worker.main(order, rank, channel, self._trainer)
        )
        self._channel.send(Forked(order.job_id, order.token, rank, pid, started))

    def _hire(self, post: Post, fd: int) -> None:
        why = self._spoilt()
        if why:
            os.close(fd)
            self._channel.send(Hired(post.number, why=why))
            return
        watch = Watch()
        pid, started = self._child(fd, post.function, lambda channel: warm.main(post, channel, watch))
        self._orphans.add(pid, watch)
        self._channel.send(Hired(post.number, pid, started))

    def _spoilt(self) -> str:
        """Why this process must not fork, if so."""
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - before every fork
        return "" if threads == 1 else f"{threads} threads in the zygote, and a fork copies only one"

    def _child(self, fd: int, function: FunctionSpec, work: Callable[[Channel], int]) -> tuple[int, float]:
        """Fork a worker with its end of a channel; its number and start time."""
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            os._exit(self._become_worker(zygote, fd, function, work))
        os.close(fd)
        self._children[pid] = function.kind
        return pid, psutil.Process(pid).create_time()

    def _become_worker(
        self, zygote: int, fd: int, function: FunctionSpec, work: Callable[[Channel], int]
    ) -> int:
        """In the child: forget the zygote, then work."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        die_with_parent(zygote)
        for ours in (self._bell, self._signalled, self._channel, self._orphans):
            ours.close()
        Allowance.of(function).hold(self._groups)
        if self._secrets is not None:
            Secrets(self._secrets).hand_over(function.secrets)
        return work(Channel(socket.socket(fileno=fd)))

    def _reap(self) -> None:
        for pid, kind in tuple(self._children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if kind is not Kind.COMMAND:  # that is run as in a shell, which leaves such processes alone
                    self._end_what_is_left(pid)
                _, status, usage = os.wait4(pid, 0)
                del self._children[pid]
                self._orphans.forget(pid)
                cpu_s = usage.ru_utime + usage.ru_stime
                why = excess(self._groups / str(pid)) if self._groups is not None else ""
                self._channel.send(Reaped(pid, os.waitstatus_to_exitcode(status), cpu_s, why))

    @staticmethod
    def _end_what_is_left(pid: int) -> None:
        """End what a worker has started and not ended; its number is its own until it is waited for."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def preload(modules: list[str]) -> None:
    """Import what workers will need; what is absent or broken is left to the worker that wants it."""
    with _gone_through_once():
        for name in modules:
            if importable(name):
                with suppress(Exception):
                    importlib.import_module(name)
            linecache.clearcache()  # sources that a library has read of itself: the next can have the room
    gc.collect()
    gc.freeze()  # the children share these pages until they write to them


@contextmanager
def _gone_through_once() -> Generator[None]:
    """Have each collection of garbage go through what came since the last full one, and not through all."""

    def keep(phase: str, about: dict[str, int]) -> None:
        if phase == "stop" and about["generation"] == _FULL:
            gc.freeze()

    gc.callbacks.append(keep)
    try:
        yield
    finally:
        gc.callbacks.remove(keep)


def main() -> None:
    """Serve on the descriptor given, after loading the modules given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--home")  # read by nobody but those who look for what was left of a state folder
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--secrets", type=Path)
    parser.add_argument("--preload", type=json.loads, default=[])
    parser.add_argument("--behind", type=json.loads, default=[])
    options = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the command in front, not for the work behind
    sys.path += options.behind
    supervisor = os.getppid()
    preload(options.preload)
    pages.give_back()  # they do not get those of files from here, but from the system's cache
    channel = Channel(socket.socket(fileno=options.fd))
    Zygote(channel, options.trainer, options.groups, options.secrets).serve()
    if options.groups is not None and os.getppid() != supervisor:  # it was killed, and cannot clear up
        clear(options.groups)


if __name__ == "__main__":
    main()

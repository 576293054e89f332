"""The preloaded process that workers are forked from: never runs an op, never trains."""

import argparse
import gc
import importlib
import json
import os
import select
import signal
import socket
from contextlib import suppress

import psutil

from tidewatt.ports import Order
from tidewatt.runtime import worker
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.child import die_with_parent
from tidewatt.runtime.messages import Fork, Forked, Reaped, Refused
from tidewatt.runtime.payload import importable


class Zygote:
    """Forks workers on request and tells how they end, until its supervisor is gone."""

    def __init__(self, channel: Channel, trainer: str) -> None:
        self._channel = channel
        self._trainer = trainer
        self._children: set[int] = set()
        self._bell, signalled = socket.socketpair()
        self._bell.setblocking(False)
        signalled.setblocking(False)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        self._signalled = signalled
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)

    def serve(self) -> None:
        """Work until the supervisor hangs up and the last worker has left."""
        while not self._channel.closed or self._children:
            sources: list[Channel | socket.socket] = [self._bell]
            if not self._channel.closed:
                sources.append(self._channel)
            ready, _, _ = select.select(sources, [], [])
            if self._bell in ready:
                with suppress(BlockingIOError):
                    self._bell.recv(4096)
                self._reap()
            if self._channel in ready:
                for message in self._channel.receive():
                    if isinstance(message, Fork):
                        self._fork(message, self._channel.take_fd())

    def _fork(self, request: Fork, fd: int) -> None:
        order = request.order
        threads = psutil.Process().num_threads()
        if threads != 1:
            os.close(fd)
            why = f"{threads} threads in the zygote, and a fork copies only one"
            self._channel.send(Refused(order.job_id, order.token, request.rank, why))
            return
        pid = os.fork()
        if pid == 0:
            os._exit(self._become_worker(order, request.rank, fd))
        os.close(fd)
        self._children.add(pid)
        started = psutil.Process(pid).create_time()
        self._channel.send(Forked(order.job_id, order.token, request.rank, pid, started))

    def _become_worker(self, order: Order, rank: int, fd: int) -> int:
        """In the child: forget the zygote, then work."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        die_with_parent()
        for ours in (self._bell, self._signalled, self._channel):
            ours.close()
        return worker.main(order, rank, Channel(socket.socket(fileno=fd)), self._trainer)

    def _reap(self) -> None:
        for pid in tuple(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                cpu_s = usage.ru_utime + usage.ru_stime
                self._channel.send(Reaped(pid, os.waitstatus_to_exitcode(status), cpu_s))


def preload(modules: list[str]) -> None:
    """Import what workers will need; what is absent or broken is left to the worker that wants it."""
    for name in modules:
        if importable(name):
            with suppress(Exception):
                importlib.import_module(name)


def main() -> None:
    """Serve on the descriptor given, after loading the modules given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--preload", type=json.loads, default=[])
    options = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the command in front, not for the work behind
    preload(options.preload)
    gc.collect()
    gc.freeze()  # the children share these pages until they write to them
    Zygote(Channel(socket.socket(fileno=options.fd)), options.trainer).serve()


if __name__ == "__main__":
    main()

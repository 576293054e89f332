"""The zygote as its supervisor sees it: started when needed, asked to fork, heard when workers end."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from tidewatt.adapters.engines.processes import cpu_seconds
from tidewatt.ports import Order
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.child import ONE_THREAD
from tidewatt.runtime.messages import Fork, Message

_PRELOAD = ("numpy", "torch", "torch._dynamo", "torch.utils.data", "torch.distributed")
_CLOSE_PATIENCE_S = 10.0


class Nursery:
    """Keeps one zygote; one that dies or spoils is replaced by the next request."""

    def __init__(self, trainer: str) -> None:
        self._trainer = trainer
        self._process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self._cpu_s_before = 0.0
        self._plain = False
        """A user's import spoiled the zygote before: from then on it loads only what it knows."""

    def fork(self, order: Order, rank: int, end: socket.socket) -> bool:
        """Ask for a worker that talks through ``end``, which is taken over; False if there is no zygote."""
        self._ensure(order.payload.imports)
        with end:
            return self.channel is not None and self.channel.send(Fork(order, rank), [end.fileno()])

    def receive(self) -> Sequence[Message]:
        """What the zygote has said."""
        return self.channel.receive() if self.channel else ()

    @property
    def gone(self) -> bool:
        """Whether there was a zygote and it has ended."""
        return self._process is not None and self._process.poll() is not None

    def be_plain(self) -> None:
        """Have zygotes to come load only what they know is good."""
        self._plain = True

    def discard(self) -> None:
        """Let go of the zygote, which ends once its workers have."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self._process is not None:
            self._cpu_s_before = self.cpu_s()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSE_PATIENCE_S)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None

    def cpu_s(self) -> float:
        """Processor seconds of all zygotes so far, their workers not included."""
        current = cpu_seconds(self._process.pid) if self._process else None
        return self._cpu_s_before + (current or 0.0)

    def _ensure(self, imports: Sequence[str]) -> None:
        if self._process is not None:
            return
        self.channel, theirs = Channel.pair()
        preload = [*_PRELOAD, *(() if self._plain else imports)]
        command = [sys.executable, "-m", "tidewatt.runtime.zygote", "--fd", str(theirs.fileno())]
        command += ["--trainer", self._trainer, "--preload", json.dumps(preload)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, with arguments of our own
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
            )

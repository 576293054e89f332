"""A stream of messages over a Unix socket, one JSON object a line."""

import array
import socket
from collections import deque
from collections.abc import Sequence

import msgspec

from tidewatt.runtime.messages import Message

_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()
_CHUNK = 1 << 16
_ROOM_FOR_FDS = socket.CMSG_SPACE(16 * array.array("i").itemsize)


class Channel:
    """One end of a connection; reading never blocks, writing blocks unless told otherwise."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pending = b""
        self._fds: deque[int] = deque()
        self.closed = False
        """The other end is gone and all that it said has been read."""

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """A channel for this process and the other end, to be given away."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours), theirs

    def fileno(self) -> int:
        """For selectors."""
        return self._sock.fileno()

    def send(self, message: Message, *more: Message, fds: Sequence[int] = ()) -> bool:
        """Say something, handing over copies of file descriptors; False if nobody is there."""
        data = b"".join(_encoder.encode(each) + b"\n" for each in (message, *more))
        try:
            if fds:
                socket.send_fds(self._sock, [data[:1]], list(fds))
                data = data[1:]
            self._sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def offer(self, message: Message) -> bool:
        """Say something unless the other end is behind with its reading; False if it was not said."""
        data = _encoder.encode(message) + b"\n"
        try:
            sent = self._sock.send(data, socket.MSG_DONTWAIT)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return False
        if sent < len(data):
            try:
                self._sock.sendall(data[sent:])
            except (BrokenPipeError, ConnectionResetError):
                return False
        return True

    def receive(self) -> list[Message]:
        """All that has come in; empty if nothing has."""
        while not self.closed:
            try:
                data, ancillary, _, _ = self._sock.recvmsg(_CHUNK, _ROOM_FOR_FDS, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data, ancillary = b"", []
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self._fds.extend(array.array("i", payload))
            if not data:
                self.closed = True
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        return [_decoder.decode(line) for line in lines]

    def take_fd(self) -> int:
        """The next descriptor handed over; they keep the order of the messages they came with."""
        return self._fds.popleft()

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self._sock.close()

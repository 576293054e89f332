"""A warm worker: it serves calls and jobs of one version of a function until it is let go."""

import pickle
import random
import select
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

from tidewatt.errors import UsageError
from tidewatt.runtime import faults, frames, pages, payload, worker
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.child import ForksEndHere
from tidewatt.runtime.faults import Fault
from tidewatt.runtime.frames import Gone
from tidewatt.runtime.messages import Busy, Idle, Leave, Post, Take, Took, Work, Yield
from tidewatt.runtime.orphans import Watch
from tidewatt.runtime.secret import Veil, check_given

_QUIET_S = 0.1
"""Without a call for so long a worker tells the supervisor that it is idle."""
_STILL_S = 5.0
"""After so long it gives memory back: sooner, that would be in the way of other workers that start."""
_AGAIN_S = 1.0
"""... and only once it has computed for so long since the last time."""

Outcome = tuple[bool, Any]
"""Whether a call returned, and what; else its fault."""


def main(post: Post, channel: Channel, watch: Watch) -> int:
    """Serve until the supervisor lets go or is gone; the exit code is for the zygote."""
    settle(post)
    random.seed()
    if "numpy" in sys.modules:  # its generator came with the fork, and would be the same in every worker
        sys.modules["numpy"].random.seed()
    worker.redirect_output(post.log, Veil(post.function.secrets))
    Warm(post, channel, watch).serve()
    worker.flush()
    return worker.OK


def settle(post: Post) -> None:
    """Be where the caller is, with its modules."""
    apart = post.function.environment is not None
    payload.settle(post.where.folder, post.where.beside, apart=apart)


class Warm:
    """One worker's state between calls: at most one line, and the function that it is for."""

    def __init__(self, post: Post, channel: Channel, watch: Watch) -> None:
        self._post = post
        self._channel = channel
        self._watch = watch
        self._veil = Veil(post.function.secrets)
        self._limits = frames.Limits(
            most_bytes=post.most_bytes, spill_bytes=post.spill_bytes, folder=post.spill
        )
        self._line: socket.socket | None = None
        self._bodies: dict[bytes, Callable[..., Any]] = {}
        self._body: Callable[..., Any] | Fault | None = None
        self._calls = 0
        self._busy = False
        self._leaving = False
        self._yielding = False
        """Others wait for a worker: after one more message the caller has had its turn."""
        self._served = False
        self._still = pages.Still(_STILL_S, _AGAIN_S)

    def serve(self) -> None:
        """Work until told to leave; what the supervisor says goes before what callers say."""
        while not self._leaving:
            ready = self._still.wait(self._heard_of, _QUIET_S if self._busy else None)
            if self._channel in ready:
                self._told()
            elif self._line is not None and self._line in ready:
                self._heard(self._line)
            elif self._busy:
                self._rest()
            if self._yielding and self._served:
                self._let_go()
                self._rest()
        self._let_go()

    def _heard_of(self, wait_s: float | None) -> list[Channel | socket.socket]:
        sources: list[Channel | socket.socket] = [self._channel]
        if self._line is not None:
            sources.append(self._line)
        ready, _, _ = select.select(sources, [], [], wait_s)
        return ready

    def _told(self) -> None:
        for message in self._channel.receive():
            match message:
                case Take():
                    self._let_go()
                    self._line = socket.socket(fileno=self._channel.take_fd())
                    self._line.setblocking(True)
                    self._watch.enter(self._line)
                    self._yielding = self._served = False
                    worker.redirect_output(self._post.log, self._veil)
                    self._channel.send(Took())
                    self._begin()
                case Yield():
                    self._yielding = self._line is not None
                case Work(order):
                    self._let_go()
                    worker.run_order(order, self._channel, self._post.most_bytes)
                    worker.redirect_output(self._post.log, self._veil)
                case Leave():
                    self._leaving = True
                case _:
                    pass
        self._leaving = self._leaving or self._channel.closed

    def _heard(self, line: socket.socket) -> None:
        """Deal with one frame of the caller; half a frame or nonsense is the caller's end."""
        try:
            kind, body = frames.receive(line)
            if kind is frames.Kind.CODE:
                self._learn(bytes(body))
            elif kind is frames.Kind.CALLS:
                self._begin()
                self._answer(line, body)
                self._served = True
        except Gone:
            self._drop(line)
            self._rest()

    def _learn(self, code: bytes) -> None:
        body = self._bodies.get(code)
        if body is None:
            try:
                check_given(self._post.function.secrets)
                body = pickle.loads(code)  # noqa: S301 - the supervisor let in nobody but this user
            except BaseException as error:  # noqa: BLE001 - a module that is not there, or that raises
                self._body = faults.packed(error, self._veil)
                return
            self._bodies[code] = body
        self._body = body

    def _answer(self, line: socket.socket, body: Any) -> None:  # noqa: ANN401 - bytes of any kind
        try:
            calls: list[tuple[Sequence[Any], dict[str, Any]]] = pickle.loads(body)  # noqa: S301 - the same
        except BaseException as error:  # noqa: BLE001 - the same
            outcomes: list[Outcome] = [(False, faults.packed(error))]
        else:
            outcomes = [self._call(args, kwargs) for args, kwargs in calls]
        self._calls += len(outcomes)
        replies = _pickled(outcomes)
        try:
            frames.send(line, frames.Kind.REPLIES, replies, self._limits)
        except UsageError as error:  # too large, or no room for it
            said = [(False, faults.packed(error))] * len(outcomes)
            frames.send(line, frames.Kind.REPLIES, _pickled(said), self._limits)

    def _call(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Outcome:
        if isinstance(self._body, Fault):
            return False, self._body
        try:
            assert self._body is not None  # noqa: S101 - a caller sends the code first
            settle(self._post)
            with ForksEndHere():
                return True, self._body(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises ends the call alone
            fault = faults.packed(error, self._veil)
            worker.complain(fault.text)
            return False, fault

    def _begin(self) -> None:
        if not self._busy:
            self._busy = True
            self._channel.send(Busy())

    def _rest(self) -> None:
        self._busy = False
        self._channel.send(Idle(self._calls, free=self._line is None))

    def _let_go(self) -> None:
        """Send the caller elsewhere; what it has sent and was not read, it sends again."""
        if self._line is not None:
            frames.farewell(self._line, frames.Kind.BYE)
            self._drop(self._line)
        self._yielding = False

    def _drop(self, line: socket.socket) -> None:
        self._watch.leave(line)
        line.close()
        self._line = None


def _pickled(outcomes: list[Outcome]) -> bytes:
    """All outcomes at once, or each with its own fault where a result cannot be pickled."""
    try:
        data: bytes = cloudpickle.dumps(outcomes)
    except Exception:  # noqa: BLE001 - whatever a user's class does when it is pickled
        data = cloudpickle.dumps([_picklable(outcome) for outcome in outcomes])
    return data


def _picklable(outcome: Outcome) -> Outcome:
    try:
        cloudpickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 - the same
        return False, faults.packed(faults.unpicklable(outcome[1], error))
    return outcome

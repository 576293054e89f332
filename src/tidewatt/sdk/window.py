"""Many calls at once, on as many lines as there is room for: sent ahead, but never far ahead."""

import math
import select
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from tidewatt.domain.function import FunctionSpec
from tidewatt.errors import WorkerLost
from tidewatt.sdk.lines import Arguments, Elsewhere, Line, Switchboard, pickled

if TYPE_CHECKING:
    from tidewatt.runtime.warm import Outcome

_SHORT_S, _LONG_S = 0.002, 0.02
"""A message whose calls took less is followed by one of twice as many calls, one that took more by half."""
_MOST_CALLS = 256
_AHEAD = 4
"""Messages for each line that are sent or answered before the first of them is taken."""


@dataclass(slots=True, eq=False)
class _Batch:
    """Calls that are sent together, and what came of them."""

    items: list[Arguments]
    sent: bytes
    began: float = 0.0
    outcomes: "list[Outcome] | list[Exception] | None" = None


@dataclass(slots=True, eq=False)
class _Lane:
    """A line with what was sent on it and is not answered."""

    line: Line
    flying: deque[_Batch] = field(default_factory=deque[_Batch])


def _ready(lanes: Sequence[_Lane], wait_s: float | None) -> set[int]:
    """The descriptors on which something has come in; not by select, which knows of 1,024 alone."""
    poll = select.poll()
    for lane in lanes:
        poll.register(lane.line, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if wait_s is None else math.ceil(1000 * wait_s))}


class Window:
    """The calls of one ``map`` between the first that is not taken and the last that is sent."""

    def __init__(self, board: Switchboard, spec: FunctionSpec, items: Iterator[Arguments]) -> None:
        self._board = board
        self._spec = spec
        self._items = items
        self._lanes: list[_Lane] = []
        self._queue: deque[_Batch] = deque()
        self._most_lanes = board.most_lines
        self._size = 1
        self._depth = 1

    def run(self) -> "Iterator[tuple[Arguments, Outcome | Exception]]":
        """Each item with what came of it, in order."""
        while True:
            self._fill()
            if not self._queue:
                return
            head = self._queue[0]
            while head.outcomes is None:
                self._wait()
            self._queue.popleft()
            self._fill()
            yield from zip(head.items, head.outcomes, strict=True)

    def close(self) -> None:
        """Keep the lines that are free; hang up the others, and nobody waits for what they are at."""
        for lane in self._lanes:
            if lane.flying:
                lane.line.close()
            else:
                self._board.keep(lane.line)
        self._lanes.clear()

    def _fill(self) -> None:
        """Send on, as far ahead as is allowed."""
        while len(self._queue) < _AHEAD * max(1, len(self._lanes)):
            lane = self._free()
            if lane is None:
                return
            items = list(islice(self._items, self._size))
            if not items:
                return
            batch = _Batch(items, pickled(items, self._spec.name))
            self._queue.append(batch)
            self._send(lane, batch)

    def _free(self) -> _Lane | None:
        """The line with the least to do; another one while there may be more and all have something."""
        lane = min(self._lanes, key=lambda each: len(each.flying), default=None)
        if (lane is None or lane.flying) and len(self._lanes) < self._most_lanes:
            lane = self._open()
        return None if lane is None or len(lane.flying) >= self._depth else lane

    def _open(self) -> _Lane:
        lane = _Lane(self._board.line(spare=bool(self._lanes)))
        self._lanes.append(lane)
        return lane

    def _send(self, lane: _Lane, batch: _Batch) -> None:
        batch.began = time.perf_counter()
        lane.flying.append(batch)
        lane.line.begin(batch.sent)

    def _wait(self) -> None:
        """Hear of calls that were made; those that took too long end here."""
        flying = [lane for lane in self._lanes if lane.flying]
        timeout_s = self._spec.timeout_s
        left_s = None
        if timeout_s is not None:
            first = min(lane.flying[0].began for lane in flying)
            left_s = max(0.0, first + timeout_s - time.perf_counter())
        ready = _ready(flying, left_s)
        for lane in flying:
            if lane.line.fileno() in ready:
                self._hear(lane)
            elif timeout_s is not None and time.perf_counter() - lane.flying[0].began >= timeout_s:
                lane.line.close()
                self._give_up(lane, TimeoutError(f"{self._spec.name}: still running after {timeout_s:g} s"))

    def _hear(self, lane: _Lane) -> None:
        try:
            outcomes = lane.line.hear()
        except Elsewhere:
            self._most_lanes = max(1, len(self._lanes) - 1)
            self._lanes.remove(lane)
            self._resend(lane)
        except WorkerLost as error:
            self._give_up(lane, error)
        else:
            if outcomes is None:
                return
            batch = lane.flying.popleft()
            batch.outcomes = outcomes if len(outcomes) == len(batch.items) else outcomes * len(batch.items)
            if self._spec.timeout_s is None:
                self._adapt(time.perf_counter() - batch.began)

    def _give_up(self, lane: _Lane, error: Exception) -> None:
        """The calls being made are lost; those behind them were not begun."""
        batch = lane.flying.popleft()
        batch.outcomes = [error] * len(batch.items)
        self._lanes.remove(lane)
        self._resend(lane)

    def _resend(self, lane: _Lane) -> None:
        for batch in lane.flying:
            other = min(self._lanes, key=lambda each: len(each.flying), default=None) or self._open()
            self._send(other, batch)

    def _adapt(self, took_s: float) -> None:
        """Short calls travel together, and a message is sent while the one before it is worked on."""
        if took_s < _SHORT_S * self._depth:
            self._size, self._depth = min(_MOST_CALLS, 2 * self._size), 2
        elif took_s > _LONG_S * self._depth:
            self._size = max(1, self._size // 2)
            self._depth = 1 if self._size == 1 else 2

"""The door where callers ask for a worker: who may come in, and who is told why not."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tidewatt.adapters.ears import Ears
from tidewatt.adapters.unix import listen, same_user
from tidewatt.runtime import frames
from tidewatt.runtime.frames import Limits
from tidewatt.runtime.messages import Dial

MOST_SILENT = 64
"""Whoever connects says at once what it wants; of more that do not, the one that came first is hung up on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a hall is, and how much it may take."""

    socket: Path
    jobs: Path
    limits: Limits
    zones: Callable[[], Sequence[str]]
    """Where this machine is, or stands in for."""
    processors: int
    warm_s: float
    """Real seconds that a worker waits for its next call before it is let go."""
    wall: Callable[[], float]
    answer_s: float = 60.0
    """Real seconds in which a zygote has to answer who asks it for a worker."""


class Door:
    """Lets in callers of the same user whose function may run here."""

    def __init__(self, place: Place, ears: Ears, enter: Callable[[socket.socket, Dial], None]) -> None:
        self._place = place
        self._ears = ears
        self._enter = enter
        self._socket = listen(place.socket)
        self._callers: dict[socket.socket, None] = {}
        """Those who have not said yet what they want, in the order that they came in."""
        ears.listen(self._socket.fileno(), self._arrive)

    def close(self) -> None:
        """Let in nobody any more; who has not said yet what it wants is hung up on, and may try again."""
        self._place.socket.unlink(missing_ok=True)
        self._socket.close()
        while self._callers:
            self._callers.popitem()[0].close()

    def _arrive(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except BlockingIOError:
                return
            if same_user(caller):
                if len(self._callers) >= MOST_SILENT:
                    self._forget(next(iter(self._callers))).close()
                self._callers[caller] = None
                self._ears.listen(caller.fileno(), partial(self._dialled, caller))
            else:
                caller.close()

    def _forget(self, caller: socket.socket) -> socket.socket:
        """It has said what it wants, or is not waited for any longer."""
        self._ears.ignore(caller.fileno())
        del self._callers[caller]
        return caller

    def _dialled(self, caller: socket.socket) -> None:
        self._forget(caller)
        dial = frames.asked(caller)
        refusal = "" if dial is None else self._refusal(dial)
        if dial is None or refusal:
            frames.farewell(
                caller, frames.Kind.REFUSED, refusal or "a caller that does not say what it wants"
            )
            caller.close()
            return
        frames.farewell(caller, frames.Kind.HELLO)
        self._enter(caller, dial)

    def zone(self, dial: Dial) -> str:
        """Where its calls are charged to: the zone asked for if the machine is there; empty if nowhere."""
        there = self._place.zones()
        allowed = [zone for zone in there if not dial.function.zones or zone in dial.function.zones]
        return dial.zone if dial.zone in allowed else next(iter(allowed), "")

    def _refusal(self, dial: Dial) -> str:
        """Why a function may not be called here, if so."""
        if not self.zone(dial):
            there, wanted = ", ".join(self._place.zones()), " or ".join(dial.function.zones)
            return f"a machine in {there or 'no zone'}, and a function that may run in {wanted or 'any'}"
        if dial.function.cpus > self._place.processors:
            return f"a need of {dial.function.cpus} processors, and {self._place.processors} that there are"
        return ""

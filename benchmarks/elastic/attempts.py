"""Running a training attempt by attempt on the real engine, as the control loop would."""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import cloudpickle

from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.domain.function import WorkerRange
from tidewatt.ports import Checkpointed, EngineEvent, Exited, Order, Progressed, Rung, Started
from tidewatt.runtime import payload
from tidewatt.sdk.load import load

TRAININGS = Path(__file__).with_name("trainings.py")
_PATIENCE_S = 60.0
E = TypeVar("E", bound=EngineEvent)


def source() -> ModuleType:
    """The file of trainings as a module, for the constants in it."""
    return payload.load_module(TRAININGS, TRAININGS)


class Gate:
    """Where a worker knocks and stands still, so that what is done to it is done at a known step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("knock", "let"):
            os.mkfifo(folder / name)
        # Opened for both, so that neither end ever waits for the other to open it.
        self.knocks = os.open(folder / "knock", os.O_RDWR | os.O_NONBLOCK)
        self._lets = os.open(folder / "let", os.O_RDWR | os.O_NONBLOCK)

    def knocked(self) -> bool:
        """Whether a worker has come; asking takes note of it."""
        try:
            return bool(os.read(self.knocks, 64))
        except BlockingIOError:
            return False

    def let_through(self) -> None:
        """Have it go on."""
        os.write(self._lets, b".")

    def close(self) -> None:
        """Take the gate down."""
        os.close(self.knocks)
        os.close(self._lets)


@contextmanager
def gated(engine: LocalEngine, folder: Path) -> Iterator[Gate]:
    """A gate that the engine listens at; an engine can have one."""
    gate = Gate(folder)
    engine.listen(gate.knocks, gate.knocked)
    yield gate
    gate.close()


class Job:
    """One training of a file, with what is known of it so far."""

    def __init__(
        self,
        engine: LocalEngine,
        folder: Path,
        name: str,
        *,
        shards: int | None = None,
        exact: bool = True,
        file: Path = TRAININGS,
    ) -> None:
        _, handle = load(f"{file}:{name}")
        self._file = file
        self.engine = engine
        self.folder = folder
        self.saved: str | None = None
        self.step = 0
        self.loss: float | None = None
        self._spec = replace(handle.spec, exact=exact)
        if shards is not None:
            self._spec = replace(self._spec, shards=shards, workers=WorkerRange(1, shards))
        self._body = handle.body
        self._name = name
        self._token = 0
        self._heard: deque[EngineEvent] = deque()
        folder.mkdir()

    def start(self, workers: int = 1, **arguments: Any) -> float:  # noqa: ANN401 - the training's own
        """Begin an attempt from the last checkpoint; the instant of asking for it comes back."""
        self._token += 1
        payload.save(self.folder, self._file, self._body, arguments)
        order = Order(
            job_id=self.folder.name,
            token=self._token,
            function=self._spec,
            payload=payload.describe(self._file, self._body, self._name),
            folder=str(self.folder),
            site="here",
            zone="DE",
            workers=workers,
            checkpoint=self.saved,
            reached=self.step,
        )
        began = time.perf_counter()
        self.engine.start(order)
        return began

    def suspend(self) -> float:
        """Ask the attempt to leave; the instant of asking comes back."""
        began = time.perf_counter()
        self.engine.suspend(self.folder.name)
        return began

    def until(self, kind: type[E]) -> E:
        """Wait for an event of a kind; what comes before it is taken note of.

        Raises:
            RuntimeError: nothing happened for a minute, or the attempt ended without this event.
        """
        for event in self._events():
            self._note(event)
            if isinstance(event, kind):
                return event
            if isinstance(event, Exited):
                break
        raise RuntimeError(f"{self._name}: no {kind.__name__}, though waited for")

    def _events(self) -> Iterator[EngineEvent]:
        """Events until nothing has happened for a minute."""
        heard_at = time.perf_counter()
        while time.perf_counter() < heard_at + _PATIENCE_S:
            if self._heard:
                heard_at = time.perf_counter()
                yield self._heard.popleft()
            else:
                self._heard.extend(self.engine.wait(_PATIENCE_S))

    def _note(self, event: EngineEvent) -> None:
        match event:
            case Progressed():
                self.step, self.loss = event.step, event.loss
            case Checkpointed():
                if event.error:
                    raise RuntimeError(event.error)
                self.saved = event.path
            case Started() | Exited() | Rung():
                pass

    def end(self, wanted: str = "succeeded") -> Exited:
        """Wait for the end of the attempt.

        Raises:
            RuntimeError: it ended in another way than the one wanted.
        """
        exited = self.until(Exited)
        if exited.outcome != wanted:
            raise RuntimeError(f"{self._name} {exited.outcome}, wanted {wanted}: {exited.error}")
        return exited

    def result(self, exited: Exited) -> Any:  # noqa: ANN401 - the training's own
        """What the function returned."""
        if exited.result is None:
            raise RuntimeError(f"{self._name} saved no result")
        return cloudpickle.loads((self.folder / exited.result).read_bytes())["value"]

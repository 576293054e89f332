"""A real engine, and the digits example run attempt by attempt."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest
import torch
from tests.integration.shells import SOON, Shell
from tests.orders import order

from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.ports import Checkpointed, Exited, Progressed, Started
from tidewatt.runtime import checkpoint, payload
from tidewatt.runtime.worker import result_name
from tidewatt.sdk.load import load

DIGITS = Path(__file__).parents[2] / "examples" / "digits.py"
EPOCHS = 6
STEPS = 66
"""Of 1,347 training images in batches of 128, six times over."""


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    before = psutil.Process().children(recursive=True)
    engine = LocalEngine("tidewatt.elastic.trainer:make")
    yield engine
    engine.close()
    assert psutil.Process().children(recursive=True) == before


class Training:
    """A training in a file, the digits example unless another is given, run attempt by attempt."""

    def __init__(
        self, engine: LocalEngine, folder: Path, storage: str = "", source: Path = DIGITS, **arguments: object
    ) -> None:
        self._engine = engine
        self._folder = folder
        folder.mkdir(exist_ok=True)
        _, handle = load(str(source))
        self._spec = replace(handle.spec, storage=storage)
        self._payload = payload.describe(source, handle.body, handle.spec.name)
        payload.save(folder, source, handle.body, {"epochs": EPOCHS} if source == DIGITS else arguments)
        self._token = 0
        self.saved: str | None = None
        self.errors: list[str] = []
        self.step = 0

    @property
    def folder(self) -> Path:
        """Where checkpoints and results lie."""
        return self._folder

    def attempt(self, workers: int, *, leave_at: int | None = None, kill: int | None = None) -> str:
        """Run until the end, until a step after which it is asked to leave, or until a rank is killed."""
        self._token += 1
        first = order(self._spec, self._payload, self._folder, self._folder.name, self._token)
        self._engine.start(replace(first, workers=workers, checkpoint=self.saved, reached=self.step))
        pids: list[int] = []
        while True:
            for event in self._engine.wait(60.0):
                match event:
                    case Started():
                        pids = [pid for pid, _ in event.processes]
                    case Progressed():
                        self.step = event.step
                        if leave_at is not None and event.step >= leave_at:
                            leave_at = None
                            if kill is None:
                                self._engine.suspend(self._folder.name)
                            else:
                                os.kill(pids[kill], signal.SIGKILL)
                    case Checkpointed():
                        if event.error:
                            self.errors.append(event.error)
                        else:
                            self.saved = event.path
                    case Exited():
                        assert event.error is None
                        return event.outcome
                    case _:
                        pass

    def result(self) -> Any:  # noqa: ANN401 - whatever the training returned
        """What the last attempt returned."""
        return cloudpickle.loads((self._folder / result_name(self._token)).read_bytes())["value"]

    def model(self) -> dict[str, torch.Tensor]:
        """Everything that the last checkpoint holds, flat."""
        assert self.saved is not None
        with checkpoint.open_whole(self._folder / self.saved) as content:
            saved = torch.load(content, weights_only=True)
        assert saved["progress"]["step"] == STEPS
        return dict(flat("", saved["state"]))


def flat(prefix: str, value: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors and numbers of a nested state, by path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{prefix}/{key}", inner)
    elif isinstance(value, list):
        for key, inner in enumerate(value):
            yield from flat(f"{prefix}/{key}", inner)
    elif isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, int | float):
        yield prefix, torch.tensor(value)


@pytest.fixture
def training(engine: LocalEngine, tmp_path: Path) -> Callable[..., Training]:
    """Makes a training with a folder of that name, and a storage if one is given."""
    return lambda folder, storage="", **more: Training(engine, tmp_path / folder, storage, **more)


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    """A state folder of its own; zero is zero: after a test none of its processes may be left."""
    used = Shell(tmp_path / "home")
    yield used
    for command in used.popen:
        if command.poll() is None:
            command.kill()
        command.communicate()
    _, left = psutil.wait_procs(used.alive(), timeout=SOON)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture(scope="module")
def functions_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """One state folder and one supervisor for most tests of a file; it is ended in the end."""
    folder = tmp_path_factory.mktemp("functions") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEWATT_HOME", str(folder))
        patch.setenv("TIDEWATT_ZONE", "DE")
        patch.setenv("TIDEWATT_LINGER_S", "60")
        patch.setenv("TIDEWATT_CALL_LIMIT", "250 MB")
        yield folder
    left = [p for main in _supervisors(folder) for p in (main, *main.children(recursive=True))]
    for each in left:
        each.kill()
    psutil.wait_procs(left, timeout=SOON)


def _supervisors(folder: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [p for p in found if {"tidewatt.cli.supervisor", str(folder)} <= set(p.info["cmdline"] or [])]

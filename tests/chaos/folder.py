"""A state folder under attack: its client program, the processes that live for it, and who does them harm."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec
import psutil
import pytest
from tests.chaos import program
from tests.chaos.harm import Harm, Target

from tidewatt.adapters.home import Home
from tidewatt.adapters.unix import connect
from tidewatt.ports import Update
from tidewatt.sdk.client import Client

_SILENCE_S = 20.0
"""After so long without a word the next harm is done all the same."""
_LONG_ENOUGH = 25
"""After so much has happened a harm is left out whose victim is not there."""
_MOMENT_S = 0.3
SOON = 60.0


class Ears:
    """Hears what happens: lines of the client program, and news of jobs from whatever supervisor there is."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._bell: socket.socket | None = None
        self._heard = b""
        self._told: dict[str, tuple[object, ...]] = {}
        self.lines: list[str] = []
        self._half = b""

    def hear(self, pipe: IO[bytes], timeout_s: float) -> int | None:
        """How many things have happened, 0 if nothing has for so long; None if the program has ended."""
        if self._bell is None:
            self._bell = connect(self._home.socket)
        sources: list[Any] = [pipe] if self._bell is None else [pipe, self._bell]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        news = self._updates(self._bell) if self._bell in ready and self._bell is not None else 0
        if pipe in ready:
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                return None
            *lines, self._half = (self._half + data).split(b"\n")
            self.lines += [line.decode() for line in lines]
            news += len(lines)
        return news

    def restart(self) -> None:
        """The program begins again."""
        self.lines, self._half = [], b""

    def close(self) -> None:
        """Hear no more."""
        if self._bell is not None:
            self._bell.close()
            self._bell, self._heard = None, b""

    def _updates(self, bell: socket.socket) -> int:
        try:
            data = bell.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.close()
            return 0
        *lines, self._heard = (self._heard + data).split(b"\n")
        news = 0
        for line in lines:
            if line.startswith(b"{"):
                update = msgspec.json.decode(line, type=Update)
                look = (update.state, update.step, update.workers)
                news += self._told.get(update.job_id) != look
                self._told[update.job_id] = look
        return news


@dataclass(frozen=True, slots=True)
class Wave:
    """What the client program asks for, beside its trainings: so many durable and so many direct calls."""

    name: str
    jobs: int = 0
    items: int = 0


@dataclass
class Folder:
    """What is attacked."""

    home: Home
    work: Path
    """Where the client program keeps locks."""
    more: dict[str, str] = field(default_factory=dict[str, str])
    """Further variables of the environment."""
    done: list[Harm] = field(default_factory=list[Harm])
    killed: Counter[Target] = field(default_factory=Counter[Target])
    stopped: Counter[Target] = field(default_factory=Counter[Target])
    _client: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Make room for what the client program keeps."""
        for name in (program.LOCKS, program.TWICE):
            (self.work / name).mkdir(parents=True)
        self.ears = Ears(self.home)

    @property
    def environment(self) -> dict[str, str]:
        """Of all processes that live for this folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDEWATT_")}
        return kept | {
            "TIDEWATT_HOME": str(self.home.path),
            "TIDEWATT_ZONE": "DE",
            "TIDEWATT_LINGER_S": "0.5",
            "OMP_NUM_THREADS": "1",
            **self.more,
        }

    def alive(self) -> list[psutil.Process]:
        """All processes that live for this folder, whoever started them, oldest first."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("TIDEWATT_HOME") == str(self.home.path):
                    found.append(process)
        return sorted(found, key=lambda each: (each.create_time(), each.pid))

    def run(self, wave: Wave, harms: Iterator[Harm], kills: int) -> Any:  # noqa: ANN401 - JSON
        """Run the client program to its end, and do harm until so many were killed; what it came to."""
        self.start(wave)
        self._attack(wave, harms, kills)
        return self.finish()

    def _attack(self, wave: Wave, harms: Iterator[Harm], kills: int) -> None:
        before = self.killed.total()
        while self.killed.total() - before < kills:
            harm = next(harms)
            if not self._await(harm.after):
                break
            victims = self._await_victims(harm.target)
            if victims:
                self._inflict(harm, victims)
            if self._client is not None and self._client.poll() == -signal.SIGKILL:
                self.start(wave)

    def finish(self) -> Any:  # noqa: ANN401 - JSON
        """Let the client program come to its end; what it came to."""
        while self._await(1):
            pass
        assert self._client is not None
        _, err = self._client.communicate(timeout=SOON)
        assert self._client.returncode == 0, (self._client.returncode, err.decode(), self.replay)
        return json.loads(self.ears.lines[-1])

    @property
    def replay(self) -> str:
        """What has been done so far."""
        return "\n".join(str(harm) for harm in self.done)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                if name.startswith("TIDEWATT_") and name != "TIDEWATT_HOME":
                    patch.setenv(name, value)
            with Client(self.home.path) as client:
                yield client

    def close(self) -> None:
        """End whatever is left."""
        self.ears.close()
        if self._client is not None:
            self._end(self._client)
        for process in self.alive():
            with suppress(psutil.Error):
                process.kill()

    def await_line(self, begins: str) -> None:
        """Wait until the client program has said so."""
        while not any(line.startswith(begins) for line in self.ears.lines):
            assert self._await(1), (begins, self.ears.lines)

    def start(self, wave: Wave) -> None:
        """Start the client program, in place of one that was killed."""
        if self._client is not None:
            self._end(self._client)
        self.ears.restart()
        amounts = [str(wave.jobs), str(wave.items)]
        self._client = subprocess.Popen(
            [sys.executable, program.__file__, str(self.work), wave.name, *amounts],
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def _end(client: subprocess.Popen[bytes]) -> None:
        client.kill()
        client.communicate()

    def _await(self, happenings: int) -> bool:
        """Wait until so much has happened, or nothing for long; False if the program has ended."""
        assert self._client is not None
        assert self._client.stdout is not None
        while happenings > 0:
            news = self.ears.hear(self._client.stdout, _SILENCE_S)
            if news is None:
                return False
            happenings -= news or happenings
        return True

    def _await_victims(self, target: Target) -> list[psutil.Process]:
        """Whoever is meant, as soon as there is one; none if there is still none after much has happened."""
        for _ in range(_LONG_ENOUGH):
            victims = self._victims(target)
            if victims or not self._await(1):
                return victims
        return []

    def _inflict(self, harm: Harm, victims: list[psutil.Process]) -> None:
        self.done.append(harm)
        if not harm.stops:
            self._kill(harm.target, victims[int(harm.which * len(victims))])
            return
        chosen = victims if harm.target is Target.ALL else [victims[int(harm.which * len(victims))]]
        self.stopped[harm.target] += 1
        with _standing_still(chosen):
            assert self._client is not None
            assert self._client.stdout is not None
            others = self._victims(harm.meanwhile) if harm.meanwhile is not None else []
            if harm.meanwhile is not None and others:
                self._kill(harm.meanwhile, others[int(harm.which * len(others))])
            select.select([], [], [], _MOMENT_S)  # what stands still tells nothing that could be waited for

    def _kill(self, target: Target, victim: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
            self.killed[target] += 1
        if target is Target.CLIENT and self._client is not None:
            self._client.wait(SOON)

    def _victims(self, target: Target) -> list[psutil.Process]:
        alive = self.alive()
        return alive if target is Target.ALL else [each for each in alive if _sort(each) is target]


def _sort(process: psutil.Process) -> Target | None:
    """What a process is: by its command, and a worker by the log that it writes to."""
    with suppress(psutil.Error, OSError):
        command = process.cmdline()
        if program.__file__ in command:
            return Target.CLIENT
        if "tidewatt.cli.supervisor" in command:
            return Target.SUPERVISOR
        if "tidewatt.runtime.zygote" in command:
            log = Path(f"/proc/{process.pid}/fd/1").readlink()
            if not log.name.startswith("attempt-"):
                return Target.ZYGOTE
            job = log.parent.name
            return Target.WARM if "-calls-" in job else Target.TRAINING if "learn" in job else Target.JOB
    return None


@contextmanager
def _standing_still(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            with suppress(psutil.NoSuchProcess):
                process.resume()

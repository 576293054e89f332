"""Commands on one state folder as a user types them, and what is left of them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

SOON = 60.0
"""Seconds that processes may take to end; nothing is timed by it."""


@dataclass
class Shell:
    """Commands on one state folder, and the processes that live for it."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict[str, str])
    """Further variables of the environment."""
    popen: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    @property
    def environment(self) -> dict[str, str]:
        ours = {"TIDEWATT_HOME": str(self.home), "TIDEWATT_LINGER_S": "0", "TIDEWATT_ZONE": "DE"}
        ours["TIDEWATT_WAITER"] = "watcher"  # no units of ours in the systemd of whoever runs the tests
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDEWATT_")}
        terminal = {"NO_COLOR": "1", "TERM": "xterm-256color"}
        return kept | ours | terminal | {"OMP_NUM_THREADS": "1"} | self.extra

    def command(self, *arguments: str) -> list[str]:
        """What is executed for the words of a command."""
        return [sys.executable, "-m", "tidewatt.cli.main", *arguments]

    def start(self, *arguments: str, **pipes: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - those of Popen
        """A command that goes on by itself, in a session of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
        process = subprocess.Popen(
            self.command(*arguments), text=True, env=self.environment, start_new_session=True, **pipes
        )
        self.popen.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """A command to its end; what it wrote is returned."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=SOON)
        assert process.returncode == code, (arguments, process.returncode, out, err)
        return out, err

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.run(arguments[0], "--json", *arguments[1:])[0].splitlines()[-1])

    def alive(self) -> list[psutil.Process]:
        """Processes that were started for this state folder, whoever started them."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TIDEWATT_HOME") == str(self.home):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found

    def supervisor(self) -> psutil.Process:
        (only,) = [p for p in self.alive() if "tidewatt.cli.supervisor" in p.cmdline()]
        return only

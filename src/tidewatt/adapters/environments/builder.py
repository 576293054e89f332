"""Builds an environment in a folder: by uv where there is one, else by venv and pip."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tidewatt.adapters.environments import beside, pipsettings
from tidewatt.domain.environment import OLDEST_PYTHON, Environment, redacted
from tidewatt.errors import NotBuilt, UsageError
from tidewatt.runtime.child import die_with_parent, interrupts_later

FIRST, BESIDE, TORCH = "first", "beside", "torch"
"""Folders of an environment: Tidewatt alone, what goes behind its own packages, and torch as we have it."""
_TOLD = 8
"""Lines of a builder that failed which are told; all are in its log."""
_LINES = 60
_ASK = (
    "import json, sys, sysconfig; "
    "print(json.dumps([list(sys.version_info[:3]), sysconfig.get_config_var('SOABI'), "
    "sysconfig.get_path('purelib')]))"
)
_UNWANTED = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_ROOT",
    "PIP_REQUIREMENT",
    "PYTHONPATH",
    "PYTHONHOME",
)
"""Settings that would put packages elsewhere, or show the builder what the environment does not have."""


def tool() -> str:
    """By what environments are built here: the path of uv, or pip.

    Raises:
        NotBuilt: there is neither.
    """
    found = shutil.which("uv")
    if found is None and importlib.util.find_spec("pip") is None:
        raise NotBuilt("neither uv on PATH nor pip", "one of them", "install uv, or run python -m ensurepip")
    return found or "pip"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What an environment's Python says of itself."""

    version: tuple[int, ...]
    abi: str
    packages: Path
    """Where it installs to."""

    @property
    def told(self) -> str:
        """The version, as people write it."""
        return ".".join(map(str, self.version))


class Builder:
    """Builds one environment; whatever it starts keeps ``lock`` open, and so the folder, until it has ended.

    With ``tied`` it ends together with this process, which then must have one thread.
    """

    def __init__(self, environment: Environment, folder: Path, log: Path, lock: int, *, tied: bool) -> None:
        self._environment = environment
        self._folder = folder
        self._log = log
        self._lock = lock
        self._tied = tied
        self._uv = tool()

    def build(self) -> Interpreter:
        """Make the folder, from nothing.

        Raises:
            UsageError: there is no such Python.
            NotBuilt: it cannot be made, in the words of the builder.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        self._folder.mkdir(mode=0o700)
        self._make_venv(self._python())
        found = self._asked(self._interpreter)
        if self._environment.requirements:
            self._install(self._environment.requirements, beside.bounds())
        self._put_beside(found)
        self._check()
        return found

    @property
    def _interpreter(self) -> Path:
        return self._folder / "bin" / "python"

    def _python(self) -> str:
        """What the environment's Python is made from: a path, or a version for uv to find."""
        wanted = self._environment.python
        if wanted in {"", _own_version(3), _own_version(2)}:
            return sys.executable
        if "/" not in wanted and self._uv != "pip":
            return wanted
        path = wanted if "/" in wanted else shutil.which(f"python{'.'.join(wanted.split('.')[:2])}") or ""
        try:
            there = self._asked(Path(path)).version if path else ()
        except (OSError, NotBuilt):
            there = ()
        if not there or ("/" not in wanted and not f"{_dotted(there)}.".startswith(f"{wanted}.")):
            raise UsageError(
                f"python={wanted!r}, which this machine does not have",
                "a Python on PATH, or the path of one",
                "install it, or install uv, which fetches the Python that is asked for",
            )
        if there < OLDEST_PYTHON:
            raise UsageError(f"python={wanted!r}, which is {_dotted(there)}", "Python 3.11 or later")
        return path

    def _make_venv(self, python: str) -> None:
        if self._uv == "pip":
            self._run([python, "-m", "venv", "--without-pip", str(self._folder)])
        else:
            self._run(
                [self._uv, "venv", "--no-project", "--allow-existing", "--python", python, str(self._folder)]
            )

    def _install(
        self, requirements: Sequence[str], bounds: Sequence[str], target: Path | None = None
    ) -> None:
        """Have packages installed; they go by files, since what is on a command line, everybody can read."""
        wanted = self._folder / ("requirements.txt" if target is None else "beside.txt")
        wanted.write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
        bound = self._folder / "constraints.txt"
        bound.write_text("".join(f"{each}\n" for each in bounds), encoding="utf-8")
        rest = ["-r", str(wanted), "-c", str(bound), *(["--target", str(target)] if target else [])]
        if self._uv == "pip":
            quiet = ["--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
            pip = [sys.executable, "-m", "pip", "--python", str(self._interpreter)]
            self._run([*pip, "install", *quiet, *rest])
        else:
            offline = ["--no-index"] if pipsettings.without_index(os.environ) else []
            self._run([self._uv, "pip", "install", "--python", str(self._interpreter), *offline, *rest])

    def _put_beside(self, found: Interpreter) -> None:
        """Tidewatt goes before the environment's own packages, and what it needs behind them."""
        behind = self._folder / BESIDE
        (self._folder / FIRST).mkdir()
        (self._folder / FIRST / "tidewatt").symlink_to(beside.package())
        if found.abi == sysconfig.get_config_var("SOABI"):
            beside.link_all(behind, "tidewatt")
            if not (found.packages / "torch").exists():
                beside.link_all(self._folder / TORCH, "torch")
        else:
            self._install(beside.requirements(), (), behind)
        if not (behind / "tidewatt").exists():
            (behind / "tidewatt").symlink_to(beside.package())
        (found.packages / "zz-tidewatt.pth").write_text(f"{behind}\n", encoding="utf-8")

    def _check(self) -> None:
        """See that workers can be started in it."""
        trial = "import tidewatt.runtime.zygote, cloudpickle"
        self._run([str(self._interpreter), "-c", trial], {"PYTHONPATH": str(self._folder / FIRST)})

    def _asked(self, interpreter: Path) -> Interpreter:
        said = self._run([str(interpreter), "-c", _ASK])
        version, abi, packages = json.loads(said[-1])
        return Interpreter(tuple(version), abi or "", Path(packages))

    def _run(self, command: Sequence[str], extra: dict[str, str] | None = None) -> list[str]:
        """Have a program do its part; the last lines that it prints.

        Raises:
            NotBuilt: it ends with an error.
        """
        told: deque[str] = deque(maxlen=_LINES)
        with self._log.open("a", encoding="utf-8") as log, ExitStack() as stack:
            with interrupts_later():  # else one could come before there is anything to end
                process = self._start(command, extra or {})
                stack.push(partial(_end_if_it_failed, process))
            for line in process.stdout or ():
                clean = redacted(line.rstrip())
                log.write(f"{clean}\n")
                told.extend([clean] if clean.strip() else ())
            status = process.wait()
        if status:
            raise self._failed(told, status)
        return list(told)

    def _start(self, command: Sequence[str], extra: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - a list of words; requirements go by a file
            command,
            cwd=self._folder,
            env=self._variables() | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[self._lock],
            preexec_fn=partial(die_with_parent, os.getpid()) if self._tied else None,  # noqa: PLW1509 - then there is one thread
        )

    def _failed(self, told: Sequence[str], status: int) -> NotBuilt:
        said = " ".join(_complaint(told)) or f"its builder ended with status {status}"
        return NotBuilt(
            f"environment {self._environment.digest} ({self._environment.told}) that cannot be built: {said}",
            "requirements that can be had, and had together",
            f"mend them, or read {self._log}",
        )

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        uv = {} if self._uv == "pip" else pipsettings.for_uv(kept)
        return kept | uv | {"NO_COLOR": "1"}


def _end_if_it_failed(process: subprocess.Popen[str], failed: type[BaseException] | None, *_: object) -> None:
    """End a program that was not heard out; its pipe is closed either way."""
    if failed is not None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _complaint(told: Sequence[str]) -> list[str]:
    """What a builder says is wrong, from its first error on; else the last that it said."""
    lines = [line.strip() for line in told]
    first = next((n for n, line in enumerate(lines) if line.lower().startswith("error")), -_TOLD)
    return lines[first:][:_TOLD]


def _own_version(parts: int) -> str:
    return _dotted(sys.version_info[:parts])


def _dotted(version: Sequence[object]) -> str:
    return ".".join(map(str, version))

"""The environments that were built: each in a folder of the user's cache, built once and shared by all."""

import fcntl
import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tidewatt.adapters.environments import beside
from tidewatt.adapters.environments.builder import FIRST, TORCH, Builder, tool
from tidewatt.adapters.environments.local import hash_of
from tidewatt.adapters.supervision import is_held
from tidewatt.domain.environment import Environment
from tidewatt.errors import NotBuilt, UsageError
from tidewatt.runtime.checkpoint import write_atomically

_MARK = "environment.json"
"""Written last of all: a folder without it is not an environment, whatever is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An environment that is there."""

    folder: str
    environment: Environment
    version: tuple[int, ...]
    """Of its Python."""
    torch: str
    """Where trainings find torch: ``own``, ``ours``, or empty if they do not."""

    @property
    def interpreter(self) -> str:
        """Its Python."""
        return f"{self.folder}/bin/python"

    def variables(self) -> dict[str, str]:
        """What processes in it find in their environment, as if it had been activated."""
        path = f"{self.folder}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        return kept | {"PYTHONPATH": f"{self.folder}/{FIRST}", "PATH": path, "VIRTUAL_ENV": self.folder}

    def behind(self, *, training: bool) -> list[str]:
        """Where else its processes look for modules, after its own packages."""
        named = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        return [*named, *([f"{self.folder}/{TORCH}"] if training and self.torch == "ours" else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A folder of the cache, for people; ``used_wall`` is when something was last started in it."""

    name: str
    built: Built | None
    """None for what a builder left that failed or was killed."""
    size_bytes: int
    used_wall: float
    in_use: bool


class Environments:
    """Environments below one folder; any number of processes may use it at once."""

    def __init__(self, folder: Path, *, tied: bool = False) -> None:
        self.path = folder
        self._tied = tied
        self._suffix = ""

    def built(self, environment: Environment) -> Built | None:
        """The environment, if it is there."""
        return self._read(self._name(environment))

    def ensure(self, environment: Environment, tell: Callable[[str], None]) -> Built:
        """The environment, built if it is not there; one that another process builds is waited for.

        Args:
            environment: what it is to hold.
            tell: is told in words that it is being built, before that begins.

        Raises:
            UsageError: there is no such Python, or a file that it names was changed.
            NotBuilt: it cannot be built.
        """
        found = self.built(environment)
        if found is not None:
            self._touch(found)
            return found
        name = self._name(environment)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.path / f"{name}.lock", fcntl.LOCK_EX) as lock:
                found = self._read(name)
                if found is None:
                    by = Path(tool()).name
                    tell(f"building environment {environment.digest} ({environment.told}) with {by}")
                    found = self._build(environment, name, lock)
                return found
        except OSError as error:
            raise NotBuilt(
                f"cache folder {self.path}, in which nothing can be built ({error.strerror})",
                "one with room that can be written to",
                "free some space (`tidewatt environments` says what they take), or set XDG_CACHE_HOME",
            ) from error

    def enter(self, environment: Environment) -> tuple[Built, int] | None:
        """The environment and a descriptor that keeps it from being removed as long as anybody has it open.

        None if it is not there, or is being built or removed.
        """
        if self.built(environment) is None:
            return None
        try:
            lock = _lock(self.path / f"{self._name(environment)}.lock", fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        found = self.built(environment)
        if found is None:
            os.close(lock)
            return None
        self._touch(found)
        return found, lock

    def all(self) -> list[Kept]:
        """Everything in the folder, the one used last first."""
        there = [*self.path.iterdir()] if self.path.exists() else []
        names = {path.stem for path in there if path.is_dir() or path.suffix == ".log"}
        return sorted(map(self._kept, names), key=lambda kept: -kept.used_wall)

    def remove(self, name: str) -> bool:
        """Remove one; False if something runs in it, or it is being built."""
        try:
            with _locked(self.path / f"{name}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                (self.path / name / _MARK).unlink(missing_ok=True)
                shutil.rmtree(self.path / name, ignore_errors=True)
                for beside_it in (".log", ".lock"):
                    (self.path / f"{name}{beside_it}").unlink(missing_ok=True)
        except BlockingIOError:
            return False
        return True

    def _build(self, environment: Environment, name: str, lock: int) -> Built:
        folder = self.path / name
        if hash_of(environment.requirements) != environment.local:
            raise UsageError(
                f"environment {environment.digest} ({environment.told}), whose files were changed since",
                "those that it was submitted with",
                "submit it again",
            )
        try:
            builder = Builder(environment, folder, self.path / f"{name}.log", lock, tied=self._tied)
            python = builder.build()
            own = (python.packages / "torch").exists()
            torch = "own" if own else "ours" if (folder / TORCH).exists() else ""
            built = Built(folder=str(folder), environment=environment, version=python.version, torch=torch)
            write_atomically(folder / _MARK, msgspec.json.encode(built))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return built

    def _name(self, environment: Environment) -> str:
        """Named for what it holds and for what it is made from: after an upgrade it is another one."""
        if not self._suffix:
            made_from = f"{sysconfig.get_config_var('SOABI')} {sys.base_prefix} {beside.version_told()}"
            self._suffix = hashlib.sha256(made_from.encode()).hexdigest()[:8]
        return f"{environment.digest}-{self._suffix}"

    def _read(self, name: str) -> Built | None:
        folder = self.path / name
        try:
            found = msgspec.json.decode((folder / _MARK).read_bytes(), type=Built)
        except (OSError, msgspec.MsgspecError):
            return None
        return found if Path(found.interpreter).exists() else None

    def _kept(self, name: str) -> Kept:
        folder, log = self.path / name, self.path / f"{name}.log"
        seen = next((path for path in (folder / _MARK, folder, log) if path.exists()), self.path)
        return Kept(
            name=name,
            built=self._read(name),
            size_bytes=_size(folder),
            used_wall=seen.stat().st_mtime,
            in_use=is_held(self.path / f"{name}.lock"),
        )

    def _touch(self, built: Built) -> None:
        with suppress(OSError):
            os.utime(Path(built.folder) / _MARK)


@contextmanager
def _locked(path: Path, how: int) -> Generator[int]:
    lock = _lock(path, how)
    try:
        yield lock
    finally:
        os.close(lock)


def _lock(path: Path, how: int) -> int:
    """An open file that is locked; one that was removed meanwhile would lock nobody out.

    Raises:
        BlockingIOError: another has it, and it was not to be waited for.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, how)
            if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder, each once; what links lead to is not in it."""
    seen: dict[int, int] = {}
    for place, _, files in os.walk(folder):
        for file in files:
            with suppress(OSError):
                found = os.lstat(f"{place}/{file}")
                seen[found.st_ino] = found.st_size
    return sum(seen.values())

"""Finding the user's code: saved with the job, so that later edits do not change what was submitted."""

import hashlib
import importlib.util
import os
import site
import sys
import sysconfig
from ast import Import, ImportFrom, parse
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from tidewatt.domain.function import FunctionSpec, Payload

_SOURCE = "source.py"
_FUNCTION = "function.pkl"
ARGUMENTS = "arguments.pkl"
"""The file of a job's folder that holds its arguments by name."""


def describe(origin: Path | None, body: Any, name: str) -> Payload:  # noqa: ANN401 - any callable of the user's
    """How the code of a job will be found once it is saved: a source file if there is one, else a pickle."""
    folder = str(Path.cwd())
    if origin is None:
        data = cloudpickle.dumps(body)
        return Payload(
            form="pickle",
            path=_FUNCTION,
            function=name,
            sha256=hashlib.sha256(data).hexdigest(),
            folder=folder,
            beside=own_path(),
        )
    source = origin.read_bytes()
    return Payload(
        form="source",
        path=_SOURCE,
        function=name,
        origin=str(origin.resolve()),
        sha256=hashlib.sha256(source).hexdigest(),
        imports=imports_of(source),
        folder=folder,
        beside=(str(origin.resolve().parent), *own_path()),
    )


def own_path() -> tuple[str, ...]:
    """Where this process finds modules that do not belong to its Python, in the order of the search."""
    return _own_of(tuple(sys.path), str(Path.cwd()))


@lru_cache(maxsize=8)
def _own_of(search: tuple[str, ...], folder: str) -> tuple[str, ...]:
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    installed += [*site.getsitepackages(), site.getusersitepackages()]
    places = dict.fromkeys(Path(folder) / entry for entry in search)
    return tuple(
        str(place)
        for place in places
        if place.exists() and not any(place.is_relative_to(each) for each in installed)
    )


def version_of(
    sha256: str, function: FunctionSpec, folder: str, beside: tuple[str, ...], stamp: str = ""
) -> str:
    """What tells the work of one warm worker from that of another.

    Beside the code and the needs it is the folder and the modules of the user's that this process has
    imported: a worker that has imported them before they were edited must not serve those who have not.
    ``stamp`` tells its secrets as they were when they were set last.
    """
    room = (function.cpus, function.memory_bytes, function.concurrency, function.zones)
    needs: tuple[object, ...] = (function.name, *room, function.environment)
    needs = (*needs, *function.secrets, stamp) if function.secrets else needs
    seen = _modules(beside, len(sys.modules))
    return hashlib.sha256(f"{sha256} {needs} {folder} {beside} {seen}".encode()).hexdigest()


@lru_cache(maxsize=64)
def _modules(beside: tuple[str, ...], _count: int) -> str:
    """The modules below some folders as they were when this process had imported so many."""
    below = tuple(f"{folder}{os.sep}" for folder in beside)
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] == "tidewatt":
            continue
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(below) and "site-packages" not in file:
            with suppress(OSError):
                found = os.stat(file)  # noqa: PTH116 - asked of every module
                digest.update(f"{name} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()


def save(folder: Path, origin: Path | None, body: Any, arguments: dict[str, Any]) -> None:  # noqa: ANN401 - the same
    """Keep the code and the arguments of a job in its folder."""
    if origin is None:
        (folder / _FUNCTION).write_bytes(cloudpickle.dumps(body))
    else:
        (folder / _SOURCE).write_bytes(origin.read_bytes())
    (folder / ARGUMENTS).write_bytes(cloudpickle.dumps(arguments))


def imports_of(source: bytes) -> tuple[str, ...]:
    """Modules that a source imports at its top level, in order; empty if it cannot be parsed."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError):
        return ()
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return tuple(dict.fromkeys(found))


def load_module(source: Path, origin: Path) -> ModuleType:
    """Run a source file as a module that believes to be at ``origin`` and can import its neighbours."""
    name = origin.stem
    neighbours = str(origin.parent)
    if neighbours not in sys.path:
        sys.path.insert(0, neighbours)
    module = ModuleType(name)
    module.__file__ = str(origin)
    sys.modules[name] = module
    code = compile(source.read_bytes(), str(origin), "exec")
    exec(code, module.__dict__)  # noqa: S102 - running the user's file is what was asked for
    return module


def settle(folder: str, beside: Sequence[str], *, apart: bool = False) -> None:
    """Be where the job was submitted, if that is still there, and see the modules that were seen there.

    ``apart``, in an environment of its own, what that has goes before all but the first of these places.
    """
    with suppress(OSError):
        if folder:
            os.chdir(folder)
    first = 1 if apart else len(beside)
    sys.path += [entry for entry in beside[first:] if entry not in sys.path]
    sys.path[:0] = [entry for entry in beside[:first] if entry not in sys.path]


def importable(name: str) -> bool:
    """Whether a module can be found, without running it or its parents' code twice."""
    try:
        return importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is not None
    except (ImportError, ValueError):
        return False


def load(folder: Path, payload: Payload) -> tuple[Any, dict[str, Any]]:
    """The function to call, and its arguments.

    Only files of the state folder are read: it belongs to the same user, mode 0700.
    """
    arguments = cloudpickle.loads((folder / ARGUMENTS).read_bytes())
    if payload.form == "pickle":
        return cloudpickle.loads((folder / payload.path).read_bytes()), arguments
    module = load_module(folder / payload.path, Path(payload.origin))
    return getattr(module, payload.function).body, arguments

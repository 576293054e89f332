"""Finding the user's code: saved with the job, so that later edits do not change what was submitted."""

import hashlib
import importlib.util
import sys
from ast import Import, ImportFrom, parse
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle

from tidewatt.domain.function import Payload

_SOURCE = "source.py"
_FUNCTION = "function.pkl"
ARGUMENTS = "arguments.pkl"
"""The file of a job's folder that holds its arguments by name."""


def describe(origin: Path | None, body: Any, name: str) -> Payload:  # noqa: ANN401 - any callable of the user's
    """How the code of a job will be found once it is saved: a source file if there is one, else a pickle."""
    if origin is None:
        data = cloudpickle.dumps(body)
        return Payload(form="pickle", path=_FUNCTION, function=name, sha256=hashlib.sha256(data).hexdigest())
    source = origin.read_bytes()
    return Payload(
        form="source",
        path=_SOURCE,
        function=name,
        origin=str(origin.resolve()),
        sha256=hashlib.sha256(source).hexdigest(),
        imports=imports_of(source),
    )


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

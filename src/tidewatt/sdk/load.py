"""Finding the function that a command names as FILE or FILE:FUNCTION."""

import ast
from pathlib import Path
from typing import Any

from tidewatt.domain.function import Kind
from tidewatt.errors import TidewattError, UsageError
from tidewatt.runtime.payload import load_module
from tidewatt.sdk.functions import Handle


def load(target: str) -> tuple[Path, Handle[Any, Any]]:
    """The file and the decorated function of a target.

    Raises:
        UsageError: the file cannot be read or run, or it does not hold exactly one candidate.
    """
    file, _, name = target.partition(":")
    path, handles = load_all(file)
    return path, _choose(file, name, handles)


def load_all(file: str) -> tuple[Path, dict[str, Handle[Any, Any]]]:
    """A file and its decorated functions by name.

    Raises:
        UsageError: the file cannot be read or run.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"no file {file!r}", "a Python file with a @tw.training function", "check the path")
    try:
        module = load_module(path, path.resolve())
    except SyntaxError as error:
        raise UsageError(
            f"{file}, line {error.lineno}: {error.msg}", "a file that Python can read"
        ) from error
    except TidewattError:
        raise
    except Exception as error:
        raise UsageError(
            f"{file}, which raises {type(error).__name__} when it is imported: {error}", "a file that imports"
        ) from error
    members: dict[str, Any] = vars(module)
    return path, {name: value for name, value in members.items() if isinstance(value, Handle)}


def _choose(file: str, name: str, handles: dict[str, Handle[Any, Any]]) -> Handle[Any, Any]:
    if name:
        if name not in handles:
            there = ", ".join(handles) or "none"
            raise UsageError(f"no decorated function {name!r} in {file}", f"one of its own: {there}")
        return handles[name]
    trainings = {key: handle for key, handle in handles.items() if handle.spec.kind is Kind.TRAINING}
    candidates = trainings or handles
    if not candidates:
        raise UsageError(
            f"no training function in {file}", "a function decorated with @tw.training", "add the decorator"
        )
    if len(candidates) > 1:
        raise UsageError(
            f"{len(candidates)} functions in {file}: {', '.join(candidates)}",
            "one, or its name",
            f"write {file}:{next(iter(candidates))}",
        )
    return next(iter(candidates.values()))


def parse_arguments(pairs: list[str]) -> dict[str, Any]:
    """Values of ``k=v`` pairs: Python literals where they are any, text otherwise.

    Raises:
        UsageError: a pair without an equals sign.
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"argument {pair!r}", "name=value, such as epochs=10")
        try:
            arguments[key] = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            arguments[key] = text
    return arguments

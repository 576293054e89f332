"""A command line as a job: whatever can be run can be delayed, metered and given a receipt."""

import ast
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.errors import UsageError
from tidewatt.runtime import command
from tidewatt.runtime.payload import imports_of
from tidewatt.sdk.functions import Handle


def is_plain(words: Sequence[str]) -> bool:
    """Whether the words name a command, and not a file with a function that is written for Tidewatt.

    A Python file is a plain script if it does not import Tidewatt; it is read, not run.
    """
    path = Path(words[0])
    if path.suffix != ".py":
        file, colon, name = words[0].rpartition(":")
        return not (colon and file.endswith(".py") and name.isidentifier())
    if not path.is_file():
        return False
    source = path.read_bytes()
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False  # whoever loads it says what is wrong
    return not any(name.partition(".")[0] == "tidewatt" for name in imports_of(source))


def as_handle(words: Sequence[str], secrets: Sequence[str] = ()) -> tuple[Handle[Any, Any], dict[str, Any]]:
    """The function that runs a command from here, and its arguments; ``secrets`` it is given by name.

    Raises:
        UsageError: there is no such command, or it cannot be executed.
    """
    path = Path(words[0])
    argv = [sys.executable, *words] if path.suffix == ".py" else [_found(words[0]), *words[1:]]
    spec = FunctionSpec(name=path.stem or path.name, kind=Kind.COMMAND, secrets=tuple(dict.fromkeys(secrets)))
    body = partial(command.run, path=os.environ.get("PATH", os.defpath))
    return Handle(body, spec), {"argv": argv, "folder": str(Path.cwd())}


def _found(name: str) -> str:
    """Where a command lies, which may be another place once the job runs."""
    where = shutil.which(name)
    if where is not None:
        return str(Path(where).absolute())
    if Path(name).is_file():
        raise UsageError(
            f"{name}, which is no Python file and cannot be executed",
            "a command, or a Python file",
            f"make it one: chmod +x {name}",
        )
    raise UsageError(
        f"no command {name!r}",
        "a Python file, or a command that can be run here",
        "check the name; what comes after -- is run as it stands",
    )

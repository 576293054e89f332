"""Reaches pyarrow, which comes with an extra and ships no types."""

from importlib import import_module
from pathlib import Path
from typing import Any

from tidewatt.errors import UsageError


def library(path: Path, module: str) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """A module of pyarrow, to read a file with.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{path.name} and no pyarrow to read it with",
            "pyarrow, or the same data as .csv",
            "run pip install 'tidewatt[plan]'",
        ) from error

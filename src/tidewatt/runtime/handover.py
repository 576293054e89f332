"""Handing the result of one job to the next: it is read in the worker, never by who submits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
from typing_extensions import override


class ResultOf:
    """Stands for a result in the arguments of a job; unpickled, it is the result itself.

    So a result that needs torch is loaded where torch is, and the supervisor runs no code of the user's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @override
    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        """Pickle the reading, in place of what is read."""
        return _read, (str(self._path),)


def _read(path: str) -> Any:  # noqa: ANN401 - the user's result
    return cloudpickle.loads(Path(path).read_bytes())["value"]

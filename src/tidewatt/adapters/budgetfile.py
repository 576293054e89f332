"""Budgets in a file, read again whenever it changes."""

import tomllib
from pathlib import Path

from tidewatt.domain.budget import Budgets
from tidewatt.errors import UsageError

_Stamp = tuple[int, int, int]


def read(path: Path) -> Budgets:
    """The budgets in a file, every bound of them read, so that a wrong one is refused whatever is asked.

    Raises:
        UsageError: it cannot be read, or something in it makes no sense.
    """
    try:
        return Budgets.parse(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise UsageError(f"{path}, which cannot be read ({error.strerror})", "a budget") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", "a budget as TOML") from error


class BudgetFile:
    """The budgets in force, as their file tells them now; one that may be absent then bounds nothing."""

    def __init__(self, path: Path, *, required: bool) -> None:
        self._path = path
        self._required = required
        self._stamp: _Stamp | None = None
        self._known: Budgets | UsageError = Budgets()

    def __call__(self) -> Budgets:
        """Those of this moment; the file is read only if it is another than before.

        Raises:
            UsageError: it cannot be read, or something in it makes no sense.
        """
        stamp = self._stamped()
        if stamp is None and not self._required:
            self._stamp = None
            return Budgets()
        if stamp is None or stamp != self._stamp:
            self._stamp = stamp
            try:
                self._known = read(self._path)
            except UsageError as error:
                self._known = error
        if isinstance(self._known, UsageError):
            raise self._known.with_traceback(None)
        return self._known

    def _stamped(self) -> _Stamp | None:
        """What tells one state of the file from another; None if there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError:
            return (0, 0, 0)  # it is there and cannot be looked at: reading it tells why
        return (found.st_ino, found.st_ctime_ns, found.st_size)

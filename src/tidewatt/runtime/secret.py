"""Secrets: kept in files of their owner alone, handed to workers by name, and veiled in all that we write."""

import io
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

from typing_extensions import override

from tidewatt.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VEIL = "***"
_SHORTEST = 4
"""Shorter values would veil parts of ordinary words."""


class Secrets:
    """What a state folder keeps secret: one file for each, mode 0600, in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """What there is, without values."""
        return sorted(path.name for path in self._folder.glob("*") if _NAME.fullmatch(path.name))

    def keep(self, name: str, value: str) -> None:
        """Keep a value, in place of an earlier one if there is one.

        Raises:
            UsageError: the name cannot be that of a variable, or there is no value.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"secret {name!r}", "a name of letters, digits and _", "for example HF_TOKEN")
        if not value or "\0" in value:
            raise UsageError(f"no value for secret {name}", "one line or more, on standard input")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = self._folder / f".{name}.{os.getpid()}"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write(value)
        fresh.replace(self._folder / name)

    def remove(self, name: str) -> None:
        """Keep it no more.

        Raises:
            UsageError: there is none of that name.
        """
        self.check([name])
        (self._folder / name).unlink()

    def check(self, names: Sequence[str]) -> None:
        """Refuse names of which nothing is kept.

        Raises:
            UsageError: one is not there.
        """
        for name in names:
            if not _NAME.fullmatch(name) or not (self._folder / name).is_file():
                there = ", ".join(self.names()) or "none so far"
                raise UsageError(
                    f"no secret {name}",
                    f"one that is kept: {there}",
                    f"`tidewatt secrets set {name}` keeps one",
                )

    def stamp(self, names: Sequence[str]) -> str:
        """Another text whenever one was set anew: workers that were given the old one must not serve."""
        found: list[str] = []
        for name in names:
            with suppress(OSError):
                about = (self._folder / name).stat()
                found.append(f"{name} {about.st_mtime_ns} {about.st_ino}")
        return " ".join(found)

    def hand_over(self, names: Sequence[str]) -> None:
        """Set them in the environment of this process; one that is gone by now is not set."""
        for name in names:
            os.environ.pop(name, None)
            with suppress(OSError):
                os.environ[name] = (self._folder / name).read_text(encoding="utf-8")


class Veil:
    """Puts *** in place of the values of secrets."""

    def __init__(self, names: Sequence[str]) -> None:
        """Veil what the environment has by these names, and each line of what has several."""
        values = [os.environ.get(name, "") for name in names]
        parts = {part for value in values for part in (value, *value.splitlines()) if len(part) >= _SHORTEST}
        self._values = sorted(parts, key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is anything to veil."""
        return bool(self._values)

    def text(self, text: str) -> str:
        """The same without the values."""
        for value in self._values:
            text = text.replace(value, _VEIL)
        return text

    def shows(self, data: bytes) -> bool:
        """Whether a value is in there as it is."""
        return any(value.encode() in data for value in self._values)

    def data(self, data: bytes) -> bytes:
        """The same as ``text`` of what another program has printed."""
        for value in self._values:
            data = data.replace(value.encode(), _VEIL.encode())
        return data

    @property
    def longest(self) -> int:
        """Bytes of the longest of them."""
        return max((len(value.encode()) for value in self._values), default=0)

    def over(self, stream: TextIO) -> TextIO:
        """A stream that writes the same without the values, line by line; itself where there are none."""
        return cast("TextIO", _Veiled(stream, self)) if self else stream


NO_VEIL = Veil(())


def check_given(names: Sequence[str]) -> None:
    """Refuse to work without a secret that was there at submission and is not any more.

    Raises:
        UsageError: one is not in the environment.
    """
    for name in names:
        if name not in os.environ:
            raise UsageError(
                f"no secret {name} any more",
                "one that is kept until its jobs have begun",
                f"`tidewatt secrets set {name}` keeps it again",
            )


class _Veiled(io.TextIOBase):
    """Holds back the line that is being written, so that no value comes out in two parts."""

    def __init__(self, stream: TextIO, veil: Veil) -> None:
        self._stream = stream
        self._veil = veil
        self._held = ""

    @override
    def write(self, text: str, /) -> int:
        whole, newline, self._held = (self._held + text).rpartition("\n")
        self._stream.write(self._veil.text(whole + newline))
        return len(text)

    @override
    def flush(self) -> None:
        held, self._held = self._held, ""
        self._stream.write(self._veil.text(held))
        self._stream.flush()

    @override
    def writable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return self._stream.fileno()

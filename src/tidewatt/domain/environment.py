"""What a function runs in beside Tidewatt: the packages that it names, and the Python that it wants."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidewatt.errors import UsageError

OLDEST_PYTHON = (3, 11)
_NAME = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<rest>.*)", re.DOTALL)
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_COMMENT = re.compile(r"(^|\s)#.*")
_LOGIN = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<login>[^/@\s]+)@")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_PATH = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+(\[[^\]]*\])?\s*@\s*)?(?P<path>[^\[;\s]*)(?P<rest>.*)", re.DOTALL
)
_ARCHIVES = (".whl", ".tar.gz", ".zip")
_OWN = "tidewatt"
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Requirements in one spelling and order, so that the same environment is the same value."""

    requirements: tuple[str, ...] = ()
    python: str = ""
    """A version such as 3.12, or the path of an interpreter; empty for the one that Tidewatt runs on."""
    local: str = ""
    """A hash of the files that requirements name by path; empty where they name none."""

    def __post_init__(self) -> None:
        """Refuse a Python that Tidewatt cannot run on, and a word that names none.

        Raises:
            UsageError: it is neither a version nor a path, or too old.
        """
        if not self.python or "/" in self.python:
            return
        if not _VERSION.fullmatch(self.python):
            raise UsageError(
                f"python={self.python!r}", "a version such as '3.12', or the path of an interpreter"
            )
        if tuple(map(int, self.python.split(".")[:2])) < OLDEST_PYTHON:
            raise UsageError(f"python={self.python!r}", "Python 3.11 or later, which Tidewatt runs on")

    @property
    def digest(self) -> str:
        """What tells it from other environments, the same on every machine."""
        told = "\n".join((self.python, self.local, *self.requirements))
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    @property
    def told(self) -> str:
        """What it holds, in a few words without any secret."""
        listed = ", ".join(self.requirements) or "no packages"
        listed = listed if len(listed) <= _SHOWN else f"{listed[: _SHOWN - 1]}…"
        return redacted(f"{listed}, Python {self.python}" if self.python else listed)


def lines_of(text: str) -> list[str]:
    """The requirements of a file, without comments, with continued lines put together."""
    joined = re.sub(r"\\\r?\n", " ", text)
    return [line for each in joined.splitlines() if (line := _COMMENT.sub("", each).strip())]


def normalised(lines: Iterable[str]) -> tuple[str, ...]:
    """Requirements in one spelling and in order, each once; that of Tidewatt itself is left out.

    Raises:
        UsageError: one is empty, an option, holds a login, or asks for a version of Tidewatt.
    """
    found = {_normalised(line) for line in lines}
    return tuple(sorted(found - {_OWN}))


def local_path(requirement: str) -> tuple[str, str, str] | None:
    """What stands before the path of a file or folder that a requirement names, the path, and the rest.

    None if it names a package or an address.
    """
    parts = _PATH.fullmatch(requirement)
    if parts is None:
        return None
    name, path = parts["name"] or "", parts["path"].removeprefix("file://")
    if "://" in path or path.startswith("git+"):
        return None
    if name or "/" in path or path.startswith(".") or path.endswith(_ARCHIVES):
        return name, path, parts["rest"]
    return None


def redacted(text: str) -> str:
    """A text without the logins of addresses in it."""
    return _LOGIN.sub(r"\g<scheme>://***@", text)


def _normalised(line: str) -> str:
    text = " ".join(line.split(" "))
    if not text.strip() or any(ord(character) < 32 for character in text):
        raise UsageError(f"requirement {line!r}", "one requirement, such as 'pillow==11.3.0'")
    text = text.strip()
    _refuse_options(text)
    _refuse_login(text)
    if local_path(text) is not None:
        return text
    parts = _NAME.fullmatch(text)
    if parts is None:
        raise UsageError(f"requirement {redacted(text)!r}", "a package, a path or an address")
    name = re.sub(r"[-_.]+", "-", parts["name"]).lower()
    rest = parts["rest"]
    plain = rest if any(mark in rest for mark in (";", "@", "--")) else "".join(rest.split())
    if name == _OWN:
        return _own(plain)
    return f"{name}{' ' if plain[:1] in ('@', ';') else ''}{plain}"


def _own(rest: str) -> str:
    """Tidewatt itself is always there, as the version that runs."""
    if re.sub(r"^\[[^\]]*\]", "", rest):
        raise UsageError(
            f"requirement {_OWN}{rest}",
            "no version of Tidewatt: workers have the one that started them",
            f"leave it out, or write {_OWN}",
        )
    return _OWN


def _refuse_options(text: str) -> None:
    options = [word for word in text.split() if word.startswith("-") and not word.startswith("--hash=")]
    if options or text.startswith("-"):
        raise UsageError(
            f"requirement {redacted(text)!r}, which has the option {(options or [text])[0].split('=')[0]}",
            "requirements alone",
            "indexes and the like are taken from pip's own settings, such as PIP_EXTRA_INDEX_URL; "
            "what other files list, list here",
        )


def _refuse_login(text: str) -> None:
    for found in _LOGIN.finditer(text):
        bare = _VARIABLE.sub("", found["login"]).strip(":")
        if bare and not (found["scheme"].endswith("ssh") and ":" not in found["login"]):
            raise UsageError(
                f"requirement {redacted(text)!r} with a login in it",
                "none, since requirements are kept and shown",
                "name variables of the environment instead, as in https://${USER_NAME}:${TOKEN}@host/, "
                "or use ~/.netrc",
            )

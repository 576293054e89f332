"""Environments as users write them, read when something is submitted and built before it is."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidewatt.domain.environment import Environment, lines_of, local_path, normalised
from tidewatt.errors import UsageError

if TYPE_CHECKING:
    from tidewatt.domain.function import FunctionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """Packages for a function, beside those of other functions: ``tw.Env(requirements=["pillow==11.3.0"])``.

    Its own packages are all that it has, and Tidewatt; a training also sees the torch that Tidewatt has,
    unless it names one itself. It is built before the first submission and kept for all others.

    Args:
        requirements: what pip would be told, one each; or the path of a file of them, seen from the folder
            of the Python file. Options are refused: indexes are taken from pip's own settings.
        python: a version such as ``"3.12"``, or the path of an interpreter; Tidewatt's own unless given.

    Raises:
        UsageError: a requirement or the Python cannot be understood.
    """

    requirements: Sequence[str] | Path | str = ()
    python: Path | str = ""

    def __post_init__(self) -> None:
        """Refuse at once what can be refused without looking at any file."""
        listed = () if isinstance(self.requirements, str | Path) else self.requirements
        Environment(requirements=normalised(listed), python=str(self.python))

    def read(self, body: Callable[..., Any]) -> Environment:
        """What is to be built for a function, by the files as they are now.

        Raises:
            UsageError: a file cannot be read, or one of its lines not be understood.
        """
        from tidewatt.adapters.environments.local import hash_of  # noqa: PLC0415 - only functions with an environment

        base, listed = _folder_of(body), self.requirements
        if isinstance(listed, str | Path):
            file = base / Path(listed).expanduser()
            try:
                listed, base = lines_of(file.read_text(encoding="utf-8")), file.parent
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "not in UTF-8"
                raise UsageError(
                    f"requirements {file}, which cannot be read ({why})",
                    "a file of requirements",
                    "name it as seen from the Python file, or list them: requirements=[...]",
                ) from None
        wanted = tuple(sorted(_located(each, base) for each in normalised(listed)))
        python = str(self.python)
        python = str(base / Path(python).expanduser()) if "/" in python else python
        return Environment(requirements=wanted, python=python, local=hash_of(wanted))


def furnish(spec: "FunctionSpec", *, by_value: bool) -> None:
    """Build the environment of a function unless it is there, and see that the function can run in it.

    ``by_value`` says that its code is pickled, which only the same Python can read.

    Raises:
        UsageError: there is no such Python, or the function cannot run in it.
        NotBuilt: the environment cannot be built.
    """
    if spec.environment is None:
        return
    from tidewatt import wiring  # noqa: PLC0415 - keeps `import tidewatt` light
    from tidewatt.domain.function import Kind  # noqa: PLC0415 - the same

    built = wiring.environments().ensure(spec.environment, _say)
    if by_value and built.version[:2] != sys.version_info[:2]:
        here, there = (".".join(map(str, version[:2])) for version in (sys.version_info, built.version))
        raise UsageError(
            f"function {spec.name} for Python {there}, sent from Python {here} without its file",
            "the same Python at both ends, or a file",
            f"submit it with `tidewatt run FILE:{spec.name}`, which sends the file",
        )
    if spec.kind is Kind.TRAINING and not built.torch:
        raise UsageError(
            f"training {spec.name} in an environment without torch ({spec.environment.told})",
            "torch, which trainings need",
            "add it to its requirements",
        )


def _folder_of(body: Callable[..., Any]) -> Path:
    """Where the file of a function lies; where this process is, if it has none."""
    code = getattr(body, "__code__", None)
    file = Path(code.co_filename) if code is not None else Path()
    return file.absolute().parent if file.is_file() else Path.cwd()


def _located(requirement: str, base: Path) -> str:
    """With a whole path, where it names a file or a folder."""
    found = local_path(requirement)
    if found is None:
        return requirement
    before, path, after = found
    return f"{before}{'file://' if before else ''}{base / Path(path).expanduser()}{after}"


def _say(text: str) -> None:
    sys.stderr.write(f"tidewatt: {text}\n")
    sys.stderr.flush()

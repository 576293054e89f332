"""What every environment has beside its own packages: Tidewatt, and what that needs, as links to ours."""

import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SHARED = ("cloudpickle", "msgspec", "psutil", "typing-extensions")
"""Which of our requirements a zygote and its workers import."""


def package() -> Path:
    """The folder of the Tidewatt that runs, installed or as it is edited."""
    return Path(__file__).resolve().parents[2]


def version_told() -> str:
    """What changes when another Tidewatt, or what its workers import, would be linked to."""
    return " ".join([str(package()), *(f"{name}={_version(name)}" for name in ("tidewatt", *_SHARED))])


def bounds() -> list[str]:
    """What the packages of an environment must leave room for: versions that our workers can import."""
    return [each for each in _needs() if _plain(_NAME.findall(each)[0]) in _SHARED]


def requirements() -> list[str]:
    """What Tidewatt needs, where it cannot be linked to; code is pickled by one version of cloudpickle."""
    others = [each for each in _needs() if _plain(_NAME.findall(each)[0]) != "cloudpickle"]
    return [*others, f"cloudpickle=={_version('cloudpickle')}"]


def link_all(folder: Path, name: str) -> bool:
    """Link to a package that we have and to all that it needs; False if we have no such package.

    Only what belongs to them is linked to: our other packages are not to be seen in an environment.
    """
    found = dict(_with_needs(name))
    if _plain(name) not in found:
        return False
    folder.mkdir(exist_ok=True)
    for each in found.values():
        for file in sorted({path.parts[0] for path in each.files or ()} - {"..", "__pycache__"}):
            if not file.endswith(".pth"):
                with suppress(FileExistsError):  # packages may share a folder
                    (folder / file).symlink_to(Path(str(each.locate_file(file))).resolve())
    return True


def _needs(name: str = "tidewatt") -> list[str]:
    return [each for each in distribution(name).requires or () if "extra ==" not in each]


def _with_needs(name: str) -> Iterator[tuple[str, Distribution]]:
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        each = _plain(ahead.pop())
        if each in seen:
            continue
        seen.add(each)
        with suppress(PackageNotFoundError):  # one that is only needed elsewhere
            there = distribution(each)
            yield each, there
            ahead += [_NAME.findall(need)[0] for need in _needs(each)]


def _version(name: str) -> str:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

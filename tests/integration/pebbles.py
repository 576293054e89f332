"""A tiny package in as many versions as wanted, and a cache folder and builders to try environments with."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

FINDER = "uv"


def wheel(folder: Path, version: str, name: str = "pebble", needs: tuple[str, ...] = ()) -> Path:
    """A wheel of a module that knows its own version, as a build backend would make it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {need}" for need in needs]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)
    return path


def choose_builder(patch: pytest.MonkeyPatch, builder: str) -> None:
    """Have environments built by uv, or by pip where there may be a uv as well."""
    if builder == FINDER:
        if shutil.which(FINDER) is None:
            pytest.skip("uv is not on PATH")
        return
    folders = os.environ["PATH"].split(os.pathsep)
    patch.setenv("PATH", os.pathsep.join(f for f in folders if not (Path(f) / FINDER).exists()))


def offline(patch: pytest.MonkeyPatch, wheels: Path, cache: Path) -> None:
    """Let packages come from one folder alone, by pip's own settings, and environments go to another."""
    for name in tuple(os.environ):
        if name.startswith(("PIP_", "UV_")):
            patch.delenv(name)
    patch.setenv("PIP_CONFIG_FILE", os.devnull)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(wheels))
    patch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    patch.setenv("UV_CACHE_DIR", str(cache / "uv"))
    patch.setenv("XDG_CACHE_HOME", str(cache))

"""Copies of checkpoints in a place that outlives this machine, named by a URL."""

import importlib
import time
from pathlib import Path
from typing import Any

from tidewatt.errors import CheckpointDamaged, UsageError
from tidewatt.runtime.checkpoint import candidates, is_whole, place_of, received

_FOLDERLESS = {"s3", "gs", "az"}
"""Stores of objects: asked for a folder, they might make a bucket of a misspelt name."""


def checked(url: str) -> str:
    """The URL of a storage that can be reached from here, as far as can be told without trying.

    A path without a scheme is a folder of this machine.

    Raises:
        UsageError: nothing here knows its scheme.
    """
    if "://" not in url:
        return f"file://{Path(url).absolute()}"
    scheme = url.partition("://")[0]
    try:
        importlib.import_module("fsspec").get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"storage {url!r}: {error}",
            "a folder, or a URL whose scheme fsspec knows, such as s3://bucket/folder",
            "pip install 'tidewatt[s3]' brings S3",
        ) from None
    return url


class Storage:
    """The checkpoints of one job below a URL; every failure is an ``OSError`` that says what failed."""

    def __init__(self, url: str, job_id: str) -> None:
        self._url = f"{url.rstrip('/')}/{job_id}"
        self._opened: tuple[Any, str] | None = None

    def put(self, file: Path) -> None:
        """Copy a checkpoint there.

        Raises:
            OSError: it could not be.
        """
        try:
            system, root = self._open()
            schemes = {system.protocol} if isinstance(system.protocol, str) else {*system.protocol}
            if not schemes & _FOLDERLESS:
                system.makedirs(root, exist_ok=True)
            system.put_file(str(file), f"{root}/{file.name}")
        except Exception as error:
            raise self._failed(error) from error

    def discard(self, keep: int) -> None:
        """Delete all but the newest ``keep``.

        Raises:
            OSError: it could not be done.
        """
        try:
            system, root = self._open()
            names = self._names()
            for name in names[: max(0, len(names) - keep)]:
                system.rm_file(f"{root}/{name}")
        except Exception as error:
            raise self._failed(error) from error

    def fetch(self, folder: Path, recorded: str) -> None:
        """Bring the recorded checkpoint into the folder of the job, or the best of the others that is whole.

        Raises:
            OSError: the storage could not be read.
            CheckpointDamaged: none there is whole.
        """
        try:
            system, root = self._open()
            for name in candidates(names := self._names(), recorded):
                if name in names:
                    with received(folder, name) as draft:
                        system.get_file(f"{root}/{name}", str(draft))
                    if is_whole(place_of(folder) / name):
                        return
        except Exception as error:
            raise self._failed(error) from error
        raise CheckpointDamaged(f"no whole checkpoint at {self._url}", "at least one", "submit the job again")

    def cpu_s(self) -> float:
        """Processor seconds of the thread that talks to the network."""
        thread = importlib.import_module("fsspec.asyn").iothread[0] if self._opened else None
        if thread is None or thread.ident is None:
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))

    def _open(self) -> tuple[Any, str]:
        """The file system and the folder in it; its listings are never those of before."""
        if self._opened is None:
            core = importlib.import_module("fsspec.core")
            system, root = core.url_to_fs(self._url, use_listings_cache=False)
            self._opened = system, root
        return self._opened

    def _names(self) -> list[str]:
        """Checkpoints that are there, oldest first."""
        system, root = self._open()
        if not system.exists(root):
            return []
        return sorted(n for p in system.ls(root, detail=False) if (n := Path(p).name).endswith(".ckpt"))

    def _failed(self, error: Exception) -> OSError:
        return OSError(0, f"{self._url}: {str(error) or type(error).__name__}")

"""Prints the logs of a job's attempts, and what is appended to them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import typer

from tidewatt.errors import UsageError
from tidewatt.runtime.journal import Reader
from tidewatt.sdk.client import Client

_NAME = re.compile(r"attempt-(\d+)(?:\.rank(\d+))?\.log")


def show_logs(client: Client, name: str, *, follow: bool, attempt: int | None) -> None:
    """Print what the attempts wrote; on demand go on until the job has ended or rests."""
    job = client.job(name)
    if attempt is not None and attempt > job.token:
        raise UsageError(
            f"no attempt {attempt} of {job.id}",
            f"one of the {job.token} so far",
            "`tidewatt show` lists them",
        )
    logs = Logs(client.folder(job), attempt)
    logs.print_new()
    if follow:
        for _ in client.follow(job.id):
            logs.print_new()
        logs.print_new()


@dataclass(slots=True)
class Logs:
    """The log files of one job, each read once and then from where it was left."""

    folder: Path
    attempt: int | None
    _readers: dict[Path, Reader] = field(default_factory=dict[Path, Reader])
    _last: Path | None = None

    def print_new(self) -> None:
        """Print what has been written since the last call, under the name of the attempt that wrote it."""
        for path, token, rank in self._files():
            for data in self._readers.setdefault(path, Reader(path)).new():
                if path != self._last:
                    self._last = path
                    worker = f", worker {rank}" if rank else ""
                    typer.echo(typer.style(f"--- attempt {token}{worker}", dim=True))
                typer.echo(data, nl=False)

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        found = [(path, match) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        logs = [(path, int(match[1]), int(match[2] or 0)) for path, match in found]
        for path, token, rank in sorted(logs, key=lambda log: log[1:]):
            if self.attempt in (None, token):
                yield path, token, rank

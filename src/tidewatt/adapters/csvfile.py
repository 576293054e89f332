"""Opens CSV files, plain or compressed by gzip."""

import csv
import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from tidewatt.errors import UsageError


@contextmanager
def opened(path: Path) -> Generator[Iterator[list[str]]]:
    """The rows of a CSV file; what is wrong with the file itself is told in words."""
    unpacked = gzip.open if path.suffix.casefold() == ".gz" else open
    try:
        with unpacked(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file)
    except (csv.Error, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise UsageError(
            f"{path.name}, which cannot be read as CSV ({error})",
            "a readable .csv, .csv.gz or .parquet file",
            "check the path and how the file was saved",
        ) from error

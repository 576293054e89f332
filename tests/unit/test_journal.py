"""Logs that are trimmed while they are written and read: real files, and a writer that never stops."""

import re
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from tidewatt.runtime.journal import Reader, log_name, trim

LIMIT = 200_000
NOTE = re.compile(rb"--- the first ([\d.]+) (k|M)B of this log were dropped: TIDEWATT_LOG_LIMIT is 200 kB\n")
WRITER = """
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
for number in range(int(sys.argv[2])):
    os.write(log, b"line %d\\n" % number)
"""


def numbers(text: bytes) -> list[int]:
    """The numbers of all lines; one that is torn and does not say so fails here."""
    return [
        int(line.removeprefix(b"line "))
        for line in text.splitlines()
        if not line.startswith(b"--- ") and not line.endswith(b" ...")
    ]


def held(path: Path) -> int:
    return path.stat().st_blocks * 512


def all_of(reader: Reader) -> bytes:
    return b"".join(reader.new())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / log_name(1)
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    return path


def test_what_is_short_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    path.write_bytes(b"line 1\n")
    trim([str(path), tmp_path / "not there"], LIMIT)
    assert path.read_bytes() == b"line 1\n"


def test_the_newest_lines_stay_whole_and_the_log_says_what_was_dropped(log: Path) -> None:
    size = log.stat().st_size
    trim([log], LIMIT)
    assert held(log) < LIMIT
    text = all_of(Reader(log))
    said = NOTE.match(text)
    assert said is not None
    rest = text[said.end() :]
    assert LIMIT // 2 - 20 < len(rest) <= LIMIT // 2
    assert float(said[1]) * {b"k": 1e3, b"M": 1e6}[said[2]] == pytest.approx(size - len(rest), rel=0.01)
    first, *_, last = found = numbers(rest)
    assert (found, last) == (list(range(first, 100_000)), 99_999)


def test_who_has_read_it_all_goes_on_where_he_was(log: Path) -> None:
    reader = Reader(log)
    assert len(numbers(all_of(reader))) == 100_000
    trim([log], LIMIT)
    assert all_of(reader) == b""
    with log.open("ab") as more:
        more.write(b"line 100000\n")
    assert all_of(reader) == b"line 100000\n"


def test_who_was_behind_is_told_and_goes_on_with_a_whole_line(log: Path) -> None:
    reader = Reader(log)
    next(reader.new())
    with log.open("ab") as more:
        more.write(b"".join(b"line %d\n" % number for number in range(100_000, 500_000)))
    trim([log], LIMIT)
    text = all_of(reader)
    assert NOTE.search(text)
    found = numbers(text)
    assert found == list(range(found[0], 500_000))


def test_a_line_whose_end_was_dropped_says_so(tmp_path: Path) -> None:
    path = tmp_path / "torn.log"
    path.write_bytes(b"line 1\nline 2")
    reader = Reader(path)
    assert all_of(reader) == b"line 1\nline 2"
    with path.open("ab") as more:
        more.write(b"".join(b"%d\n" % number for number in range(100_000)))
    trim([path], LIMIT)
    assert all_of(reader).startswith(b" ...\n--- the first ")


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(log: Path) -> None:
    reader = Reader(log)
    all_of(reader)
    log.write_bytes(b"line 7\n")  # as on a file system that cannot have holes
    assert all_of(reader) == b"line 7\n"


def test_nothing_is_lost_or_told_twice_while_it_is_written(tmp_path: Path) -> None:
    path, count = tmp_path / "busy.log", 400_000
    reader = Reader(path)
    read, most = b"", 0
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count)]) as writer:
        while not path.exists():
            Event().wait(0.01)
        while writer.poll() is None:
            read += all_of(reader)  # before it is trimmed, so that this reader misses nothing
            trim([path], LIMIT)
            most = max(most, held(path))
    read += all_of(reader)
    trim([path], LIMIT)
    assert held(path) < LIMIT
    if NOTE.search(read) is None:  # the writer was never more than a limit ahead of the reader
        assert numbers(read) == list(range(count))
    found = numbers(read)
    assert found == sorted(set(found))
    assert found[-1] == count - 1
    kept = numbers(all_of(Reader(path)))
    assert kept == list(range(kept[0], count))


def test_a_log_that_is_trimmed_between_two_reads_shows_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(400_000)))
    reading = Reader(path).new()
    text = next(reading)
    trim([path], LIMIT)
    text += b"".join(reading)
    assert b"\0" not in text
    assert NOTE.search(text)
    found = numbers(text)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, 399_999)

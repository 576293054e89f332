"""Traces of jobs are read as they stand, or refused in words."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidewatt.adapters.traces import read
from tidewatt.domain.trace import TracedJob
from tidewatt.errors import UsageError


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_hours_and_seconds_and_what_is_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path, "job,arrival_h,length_s,cpus,workers,deadline_h,zones\nb,1.5,60,2,4,3,DE FR\na,0,90,,,,\n"
    )
    start_at, jobs = read(path)
    assert start_at is None
    assert jobs == (
        TracedJob(name="a", arrival_s=0.0, length_s=90.0),
        TracedJob(
            name="b", arrival_s=5400.0, length_s=60.0, cpus=2, most=4, deadline_s=10_800.0, zones=("DE", "FR")
        ),
    )


def test_times_of_day_say_when_the_trace_begins(tmp_path: Path) -> None:
    path = written(tmp_path, "submitted_at,length_h\n2022-06-01T02:00:00+02:00,1\n2022-06-01T01:00:00Z,2\n")
    start_at, jobs = read(path)
    assert start_at == 1_654_041_600.0
    assert [(job.name, job.arrival_s, job.length_s) for job in jobs] == [
        ("1", 0.0, 3600.0),
        ("2", 3600.0, 7200.0),
    ]


def test_parquet_and_compressed_csv_say_the_same(tmp_path: Path) -> None:
    text = "arrival_s,length_s,cpus\n0.0,60.5,1\n30.0,10.0,2\n"
    plain = written(tmp_path, text)
    packed = tmp_path / "trace.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    table = pa.table({"arrival_s": [0.0, 30.0], "length_s": [60.5, 10.0], "cpus": [1, 2]})
    pq.write_table(table, tmp_path / "trace.parquet")
    assert read(plain) == read(packed) == read(tmp_path / "trace.parquet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("arrival_s,length_s\n", "no rows"),
        ("when,length_s\n1,2\n", "columns when, length_s in row 1"),
        ("arrival_s,length_s\n1,2\n3\n", "too few fields in row 2"),
        ("arrival_s,length_s\n1,soon\n", "length_s 'soon' in row 1"),
        ("arrival_s,length_s\n1,inf\n", "length_s 'inf' in row 1"),
        ("arrival_s,length_s\n1,0\n", "a length of 0 s in row 1"),
        ("arrival_s,length_s\n-1,5\n", "an arrival at -1 s"),
        ("arrival_s,length_s,cpus\n1,5,0.5\n", "cpus of 0.5 in row 1"),
        ("arrival_s,length_s,workers\n1,5,0\n", "workers of 0 in row 1"),
        ("submitted_at,length_s\n2022-06-01,5\n", "submitted_at 2022-06-01 in row 1"),
        ("submitted_at,length_s\n2022-06-01T10:00,5\n", "wanted a time with its UTC offset"),
    ],
)
def test_what_cannot_be_true_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(written(tmp_path, text))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        read(written(tmp_path, "nothing of the kind", "trace.parquet"))

"""Whether a repeated run has the same data: files that arguments name, told apart without reading them."""

import os
from dataclasses import replace
from pathlib import Path

from tests.records import submission

from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.job import Job, done_before
from tidewatt.domain.lifecycle import State
from tidewatt.runtime.data import fingerprint


def test_a_file_is_the_same_until_it_changes(tmp_path: Path) -> None:
    data = tmp_path / "train.csv"
    data.write_text("a,b\n1,2\n")
    before = fingerprint({"path": str(data), "lr": 0.1})
    assert before
    assert fingerprint({"lr": 0.2, "path": data}) == before
    stamp = data.stat().st_mtime_ns
    data.write_text("a,b\n1,3\n")
    os.utime(data, ns=(stamp, stamp + 1))
    assert fingerprint({"path": str(data)}) != before


def test_a_folder_is_the_same_until_a_file_of_it_changes_comes_or_goes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.txt", "deep/a.txt"):
        (folder / name).write_text(name)
    before = fingerprint({"folder": folder})
    assert fingerprint({"folder": str(folder)}) == before
    (folder / "deep" / "c.txt").write_text("")
    assert fingerprint({"folder": folder}) != before
    (folder / "deep" / "c.txt").unlink()
    assert fingerprint({"folder": folder}) == before
    (folder / "b.txt").unlink()
    assert fingerprint({"folder": folder}) != before


def test_arguments_that_name_no_file_tell_nothing(tmp_path: Path) -> None:
    told = {"text": "no such file", "long": "x" * 5000, "null": "a\0b", "n": 3, "empty": "", "none": None}
    assert fingerprint(told) == ""
    assert fingerprint({"folder": tmp_path}) == ""


def test_a_run_is_a_repeat_only_on_the_same_data() -> None:
    spec = FunctionSpec(name="fit", kind=Kind.TRAINING)

    def job(seq: int, data: str, state: State = State.SUCCEEDED) -> Job:
        payload = Payload(form="source", path="source.py", function="fit", sha256="ab", data=data)
        submitted = replace(submission(f"fit-{seq}", spec, payload), arguments={"path": "'train.csv'"})
        return replace(Job.draft(submitted), seq=seq, state=state)

    first, failed, newer = job(1, "old"), job(2, "new", State.FAILED), job(3, "new")
    assert done_before(job(4, "old"), [first, failed, newer]) == first
    assert done_before(newer, [first, failed, newer]) is None
    assert done_before(job(5, "new"), [first, failed, newer]) == newer
    assert newer.submission.same_work(first.submission), "its length is learned from all of them"

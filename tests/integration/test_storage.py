"""Checkpoints kept by URL: a folder, and a server that speaks S3, both real."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
from tests.integration.shells import Shell

from tidewatt.runtime import checkpoint
from tidewatt.runtime.storage import Storage

pytest.importorskip("s3fs", reason="the extra s3 is not installed")
Begin = Callable[..., Any]
BUCKET = "models"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server of our own."""
    command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
            yield next(found[0] for found in lines if found)
        finally:
            process.kill()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, reached as users do: by variables of the environment."""
    variables = {
        "ENDPOINT_URL": server,
        "ACCESS_KEY_ID": "k",
        "SECRET_ACCESS_KEY": "s",
        "REGION": "eu-west-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    system().mkdir(BUCKET)
    yield f"s3://{BUCKET}/team"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    system().rm(BUCKET, recursive=True)


def system() -> Any:  # noqa: ANN401 - s3fs has no types
    import s3fs  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - the trainings of the fixture
    expected, got = one.model(), other.model()
    return expected.keys() == got.keys() and all(torch.equal(got[k], expected[k]) for k in expected)


def test_a_machine_that_lost_its_disk_goes_on_from_s3_with_the_same_bits(
    training: Begin, bucket: str
) -> None:
    straight = training("straight")
    straight.attempt(1)
    moved = training("moved", bucket)
    assert moved.attempt(1, leave_at=12) == "suspended"
    assert moved.attempt(2, leave_at=30) == "suspended"
    kept = [Path(name).name for name in system().ls(f"{BUCKET}/team/moved")]
    assert len(kept) == 2
    assert Path(moved.saved).name == max(kept)
    rmtree(checkpoint.place_of(moved.folder))
    assert moved.attempt(2) == "succeeded"
    assert equal(straight, moved)
    assert moved.errors == []


def test_a_damaged_copy_is_noticed_and_the_one_before_is_used(training: Begin, bucket: str) -> None:
    straight, damaged = training("straight"), training("damaged", bucket)
    straight.attempt(1)
    damaged.attempt(1, leave_at=12)
    damaged.attempt(1, leave_at=30)
    newest = max(system().ls(f"{BUCKET}/team/damaged"))
    system().pipe_file(newest, system().cat_file(newest)[:-1] + b"?")
    rmtree(checkpoint.place_of(damaged.folder))
    assert damaged.attempt(1) == "succeeded"
    assert equal(straight, damaged)


def test_a_storage_out_of_reach_costs_its_copies_and_nothing_else(
    training: Begin, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    alone = training("alone", bucket)
    assert alone.attempt(1, leave_at=12) == "suspended"
    assert alone.attempt(1) == "succeeded"
    assert any("is on this machine alone: s3://models/team/alone: " in error for error in alone.errors)


def test_a_bucket_that_is_not_there_is_told_of_and_not_made(training: Begin, bucket: str) -> None:
    typo = training("typo", bucket.replace(BUCKET, "modles"))
    assert typo.attempt(1) == "succeeded"
    assert typo.errors
    assert [Path(name).name for name in system().ls("")] == [BUCKET]


def test_a_folder_is_a_storage_too(training: Begin, tmp_path: Path) -> None:
    place = tmp_path / "far away"
    moved = training("moved", f"file://{place}")
    moved.attempt(1, leave_at=12)
    rmtree(checkpoint.place_of(moved.folder))
    assert moved.attempt(1) == "succeeded"
    names = sorted(path.name for path in (place / "moved").iterdir())
    assert len(names) == 2
    assert Path(moved.saved).name == names[-1]


def test_what_is_fetched_is_brought_whole_or_not_at_all(tmp_path: Path) -> None:
    storage, here = Storage(f"file://{tmp_path}/far", "job"), tmp_path / "here"
    written = checkpoint.write(here, 3, 1, lambda sink: sink.write(b"three"))
    storage.put(here / written.path)
    os.truncate(here / written.path, 20)
    storage.fetch(here, written.path)
    with checkpoint.open_newest(here, written.path) as content:
        assert content.read() == b"three"
    assert len(list(checkpoint.place_of(here).iterdir())) == 1


TRAIN = """
import torch
import tidewatt as tw

@tw.training({})
def fit(run):
    model = torch.nn.Linear(1, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for (x,) in run.batches((torch.ones(4, 1),), size=2):
        run.step(model(x).mean())
"""


def test_the_environment_names_a_storage_for_every_training(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text(TRAIN.format(""))
    shell.extra["TIDEWATT_STORAGE"] = str(tmp_path / "far")
    job = shell.json("run", str(tmp_path / "fit.py"))["job"]
    assert list((tmp_path / "far" / job).glob("*.ckpt"))


def test_a_scheme_that_nobody_knows_is_refused_before_anything_is_queued(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "fit.py").write_text(TRAIN.format('storage="s33://models"'))
    _, err = shell.run("run", str(tmp_path / "fit.py"), code=2)
    assert "storage 's33://models'" in err
    assert "wanted a folder, or a URL whose scheme fsspec knows" in err
    assert shell.json("jobs") == []

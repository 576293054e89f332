"""Secrets by name: workers have them, and nothing that we write does."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import Shell

import tidewatt as tw
from tidewatt.errors import UsageError
from tidewatt.runtime.secret import Secrets
from tidewatt.sdk.client import Client

ProcessesOf = Callable[[Client], list[psutil.Process]]
VALUE = "s3cr3t-value-of-nobody"


@tw.function(secrets=["TW_TEST_TOKEN"])
def leak() -> int:
    value = os.environ["TW_TEST_TOKEN"]
    sys.stdout.write(f"printed {value}\n")
    return len(value)


@tw.function(secrets=["TW_TEST_TOKEN"])
def fail() -> None:
    raise ValueError(f"refused: {os.environ['TW_TEST_TOKEN']}")


@tw.function()
def without() -> str | None:
    return os.environ.get("TW_TEST_TOKEN")


@pytest.fixture
def calling(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose state folder functions are called in, and which keeps a secret."""
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    Secrets(client.home.secrets).keep("TW_TEST_TOKEN", VALUE)
    return client


def holding(folder: Path, value: str) -> list[str]:
    """All files that a value is found in."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in files if value.encode() in path.read_bytes())


def test_workers_have_a_secret_and_nothing_that_is_written_does(
    calling: Client, processes_of: ProcessesOf
) -> None:
    assert leak.remote() == len(VALUE)
    assert leak.submit().result() == len(VALUE)
    call = fail.submit()
    for raised in (fail.remote, call.result):
        with pytest.raises(Exception, match=r"refused: \*\*\*"):
            raised()
    assert without.remote() is None
    shown = [json.dumps(p.as_dict(["cmdline", "environ"])) for p in processes_of(calling)]
    assert shown
    assert not any(VALUE in each for each in shown)
    assert "refused: ***" in (calling.job(call.id).error or "")
    assert holding(calling.home.path, VALUE) == ["secrets/TW_TEST_TOKEN"]
    logs = [log.read_text() for log in calling.home.jobs.glob("leak-*/attempt-1.log")]
    assert logs == ["printed ***\n"] * 2


def test_a_worker_with_an_older_secret_does_not_serve(calling: Client) -> None:
    assert leak.remote() == len(VALUE)
    Secrets(calling.home.secrets).keep("TW_TEST_TOKEN", f"{VALUE}-2")
    assert leak.remote() == len(VALUE) + 2


def test_what_is_not_kept_is_refused_before_anything_is_submitted(calling: Client) -> None:
    Secrets(calling.home.secrets).remove("TW_TEST_TOKEN")
    for ask in (leak.remote, leak.submit):
        with pytest.raises(UsageError, match="found no secret TW_TEST_TOKEN; wanted one that is kept"):
            ask()
    assert calling.store.jobs() == []


def test_the_commands_keep_list_and_remove_and_show_no_value(shell: Shell) -> None:
    assert "No secrets yet" in shell.run("secrets")[0]
    setting = shell.start("secrets", "set", "HF_TOKEN", stdin=-1)
    out, err = setting.communicate(f"{VALUE}\n")
    assert setting.returncode == 0
    assert VALUE not in out + err
    assert (shell.home / "secrets" / "HF_TOKEN").read_text() == VALUE
    assert shell.run("secrets")[0] == "HF_TOKEN\n"
    assert shell.json("secrets") == ["HF_TOKEN"]
    shell.run("secrets", "remove", "HF_TOKEN")
    assert "found no secret HF_TOKEN" in shell.run("secrets", "remove", "HF_TOKEN", code=2)[1]

"""Secrets by name: workers have them, and nothing that we write does."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import Shell

import tidewatt as tw
from tidewatt.adapters.home import Home
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


def appears(path: Path) -> None:
    """Wait until there is something in a file."""
    pause = threading.Event()
    while not path.exists() or not path.read_bytes():
        pause.wait(0.02)


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


SHOW = """#!/bin/sh
printf 'printed %s' "$TW_TEST_TOKEN"; sleep 0.2; echo " and $TW_TEST_TOKEN" >&2
printf 'no end of line: %s' "$TW_TEST_TOKEN"
printf %s "$TW_TEST_TOKEN" > had
exec 1>&- 2>&-
while [ ! -e seen ]; do sleep 0.05; done
exit ${#TW_TEST_TOKEN}
"""


def test_a_command_finds_a_secret_in_its_environment_and_what_it_prints_is_veiled(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Home(shell.home).prepare()
    Secrets(shell.home / "secrets").keep("TW_TEST_TOKEN", VALUE)
    (tmp_path / "show.sh").write_text(SHOW)
    (tmp_path / "show.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    job = shell.json("run", "--detach", "--secret", "TW_TEST_TOKEN", "--", "./show.sh")["job"]
    appears(tmp_path / "had")
    shown = [json.dumps(p.cmdline()) for p in shell.alive()]
    assert any("show.sh" in each for each in shown)
    assert not any(VALUE in each for each in shown)
    (tmp_path / "seen").touch()
    log, _ = shell.run("logs", "-f", job)
    assert log.splitlines()[1:] == ["printed *** and ***", "no end of line: ***"]
    assert (tmp_path / "had").read_text() == VALUE
    said = [shell.run("show", job)[0], shell.run("receipt", job, "--format", "json")[0], log]
    assert f"exit status {len(VALUE)}" in said[0]
    assert not any(VALUE in each for each in said)
    assert holding(shell.home, VALUE) == ["secrets/TW_TEST_TOKEN"]


LONG = """
import os, sys
sys.stdout.write(("x" * 1_000_003 + os.environ["TW_TEST_TOKEN"]) * 5)
"""


def test_a_line_without_an_end_is_veiled_too_and_not_kept_for_ever(shell: Shell, tmp_path: Path) -> None:
    Home(shell.home).prepare()
    Secrets(shell.home / "secrets").keep("TW_TEST_TOKEN", VALUE)
    file = tmp_path / "long.py"
    file.write_text(LONG)
    shell.run("run", "--secret", "TW_TEST_TOKEN", "--", str(file))
    (log,) = (shell.home / "jobs").glob("long-*/attempt-1.log")
    assert log.read_text() == ("x" * 1_000_003 + "***") * 5


def test_a_command_is_given_what_it_asks_for_alone_and_that_has_to_be_kept(
    shell: Shell, tmp_path: Path
) -> None:
    Home(shell.home).prepare()
    Secrets(shell.home / "secrets").keep("TW_TEST_TOKEN", VALUE)
    shell.run("run", "--", "sh", "-c", 'test -z "$TW_TEST_TOKEN"')
    for verb in ("run", "plan"):
        _, err = shell.run(verb, "--secret", "TW_OTHER", "--", "true", code=2)
        assert "found no secret TW_OTHER; wanted one that is kept: TW_TEST_TOKEN" in err
    assert len(shell.json("jobs")) == 1
    file = tmp_path / "job.py"
    file.write_text("import tidewatt as tw\n@tw.function()\ndef one():\n    return 1\n")
    _, err = shell.run("run", "--secret", "TW_TEST_TOKEN", str(file), code=2)
    assert 'a function names them itself: secrets=["TW_TEST_TOKEN"]' in err


def test_a_command_finds_a_secret_also_by_a_name_that_its_environment_would_have(shell: Shell) -> None:
    Home(shell.home).prepare()
    for name in ("PATH", "OMP_NUM_THREADS"):
        Secrets(shell.home / "secrets").keep(name, f"secret {name}")
    given = ["--secret", "PATH", "--secret", "OMP_NUM_THREADS"]
    program = 'test "$PATH, $OMP_NUM_THREADS" = "secret PATH, secret OMP_NUM_THREADS"'
    shell.run("run", *given, "--", "sh", "-c", program)


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

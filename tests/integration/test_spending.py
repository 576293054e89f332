"""The budgets in force, on real jobs: told, suspended, ended, refused; and sums that outlive a crash."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from threading import Event
from typing import Any, cast

import psutil
import pytest
from tests.integration.shells import SOON, Shell

GREET = """
import tidewatt as tw

@tw.function(labels={"team": "vision"})
def greet(fail=False):
    if fail:
        raise ValueError("as asked")
    return sum(i * i for i in range(3_000_000))
"""
FIT = """
from pathlib import Path

import torch
from torch import nn

import tidewatt as tw


@tw.training(labels={"team": "vision"})
def fit(run, gate: str) -> float:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    model = nn.Linear(4, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.01))
    for turn, (batch,) in enumerate(run.batches((x,), size=8, epochs=2)):
        run.step(model(batch).square().mean())
        if turn == 2 and Path(gate).exists():
            Path(gate).read_bytes()
            Path(gate).unlink()
    return float(model.weight.sum())
"""
"""Stands still after two steps until something is written into its gate, which is gone from then on."""


@pytest.fixture
def greet(tmp_path: Path) -> str:
    (tmp_path / "greet.py").write_text(GREET)
    return str(tmp_path / "greet.py")


def fit(folder: Path, name: str = "gate") -> tuple[list[str], Path]:
    """The words of a run, and its gate."""
    (folder / "fit.py").write_text(FIT)
    gate = folder / name
    os.mkfifo(gate)
    return ["run", str(folder / "fit.py"), "--arg", f"gate={gate}", "--json"], gate


def in_force(shell: Shell, text: str) -> None:
    tomllib.loads(text)
    shell.home.mkdir(mode=0o700, exist_ok=True)
    (shell.home / "budget.toml").write_text(text)


def heard(process: subprocess.Popen[str], said: str, state: str = "") -> dict[str, Any]:
    """Read the JSON lines of a run until its budgets say this of it, in this state."""
    for line in cast(Any, process.stdout):
        update = json.loads(line)
        if said in update["budget"] and state in update["state"]:
            return cast(dict[str, Any], update)
    pytest.fail(f"the run ended before it was told {said!r}: {process.communicate()[1]}")


def until_another(shell: Shell, before: int) -> None:
    """Wait until there is a supervisor in the place of one that is gone."""
    for _ in range(int(SOON / 0.1)):
        if any("tidewatt.cli.supervisor" in p.cmdline() and p.pid != before for p in shell.alive()):
            return
        Event().wait(0.1)
    pytest.fail("nobody started another supervisor")


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end of a run; what it wrote to standard error is returned."""
    _, err = process.communicate(timeout=SOON)
    assert process.returncode == code, err
    return err


def details(shell: Shell, job: str) -> list[str]:
    return [event["detail"] for event in shell.json("show", job)["events"]]


def test_a_warning_is_told_to_who_follows_and_kept_with_the_job(shell: Shell, tmp_path: Path) -> None:
    in_force(shell, '[run]\nenergy = "1 mJ"\nwhen_reached = "warn"\n')
    words, gate = fit(tmp_path)
    run = shell.start(*words)
    job = heard(run, "over its energy budget of 1.00 mJ")["job"]
    gate.write_bytes(b".")
    assert "Note: over its energy budget of 1.00 mJ" in ended(run)
    assert details(shell, job).count("over its energy budget of 1.00 mJ") == 1


def test_what_is_to_stop_fails_and_says_why(shell: Shell, tmp_path: Path) -> None:
    in_force(shell, '[function.fit]\nenergy = "1 mJ"\nwhen_reached = "stop"\n')
    words, _ = fit(tmp_path)
    assert "BudgetReached: over its energy budget of 1.00 mJ" in ended(shell.start(*words), code=1)
    (job,) = shell.json("jobs")
    assert (job["state"], job["error"]) == ("failed", "BudgetReached: over its energy budget of 1.00 mJ")


def test_a_run_over_its_own_budget_rests_until_it_is_raised_and_resumed(shell: Shell, tmp_path: Path) -> None:
    in_force(shell, '[run]\nwater = "1e-9 L"\n')
    words, gate = fit(tmp_path)
    run = shell.start(*words)
    job = heard(run, "over its water budget", "suspending")["job"]
    gate.write_bytes(b".")
    assert "over its water budget" in ended(run, code=3)
    shown = shell.json("show", job)
    assert (shown["state"], shown["held"]) == ("suspended", True)
    assert shown["attempts"][-1]["outcome"] == "suspended"
    in_force(shell, '[run]\nwater = "1 L"\n')
    shell.run("resume", job)
    shell.run("logs", "-f", job)
    assert shell.json("show", job)["state"] == "succeeded"


def test_direct_calls_are_counted_and_not_held(shell: Shell, greet: str) -> None:
    in_force(
        shell,
        '[run]\nenergy = "1 mJ"\nwhen_reached = "stop"\n'
        '[lineage.greet]\nenergy = "1 mJ"\nwhen_reached = "refuse"\n',
    )
    command = [sys.executable, "-c", "from greet import greet\nassert greet.remote() == greet.local()"]
    subprocess.run(command, env=shell.environment, cwd=Path(greet).parent, check=True, timeout=SOON)
    psutil.wait_procs(shell.alive(), timeout=SOON)
    (calls,) = shell.json("jobs")
    assert calls["state"] == "succeeded"
    assert not any("budget" in text for text in details(shell, calls["job"]))
    assert "lineage greet's energy budget" in shell.run("run", greet, code=3)[1]


def test_a_team_shares_a_budget_whose_sum_outlives_its_supervisor_until_it_is_raised(
    shell: Shell, tmp_path: Path
) -> None:
    over = "over team vision's energy budget of 1.00 mJ for 20"
    in_force(shell, '[team.vision]\nenergy = "1 mJ"\n')
    (first_words, first_gate), (second_words, _) = fit(tmp_path), fit(tmp_path, "second")
    (tmp_path / "second").unlink()
    first = shell.start(*first_words)
    heard(first, over, "suspending")
    first_gate.write_bytes(b".")
    job = heard(first, over, "suspended")["job"]
    second = shell.start(*second_words)
    other = heard(second, over, "queued")["job"]
    supervisor = shell.supervisor()
    supervisor.kill()
    supervisor.wait(SOON)
    until_another(shell, supervisor.pid)  # those who follow start it
    assert "waiting for its budget" in shell.run("jobs")[0]
    assert [len(shell.json("show", name)["attempts"]) for name in (job, other)] == [1, 0]
    in_force(shell, '[team.vision]\nenergy = "1 MJ"\n')
    shell.run("resume", job)  # rings; the file would be looked at within a minute
    ended(first)
    ended(second)
    assert "within its budgets again" in details(shell, job)


def test_a_job_of_a_team_without_anything_left_is_refused(shell: Shell, greet: str) -> None:
    shell.run("run", greet, "--arg", "fail=True", code=1)
    in_force(shell, '[team.vision]\nenergy = "1 mJ"\nwhen_reached = "refuse"\n')
    for command in ("run", "plan"):
        _, err = shell.run(command, greet, code=3)
        assert err.startswith("tidewatt: found team vision's energy budget of 1.00 mJ for 20")
        assert err.endswith("used up; wanted something left of it; raise it, or wait for the next month\n")
    shell.run("run", greet, "--label", "team=audio")
    assert len(shell.json("jobs")) == 2


def test_a_job_that_is_expected_to_need_more_than_is_left_is_refused(shell: Shell, greet: str) -> None:
    in_force(shell, '[lineage.greet]\ncarbon = "1e-6 mg"\nwhen_reached = "refuse"\n')
    _, err = shell.run("run", greet, "--length", "1h", code=3)
    assert err.startswith("tidewatt: found an expected ")
    assert "; wanted at most lineage greet's carbon budget of 1.00 ng CO₂e for 20" in err
    assert shell.json("jobs") == []
    in_force(shell, '[lineage.greet]\ncarbon = "1 kg"\nwhen_reached = "refuse"\n')
    shell.run("run", greet, "--length", "1s")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tema.vision]\nenergy = "1 J"\n', "[tema] in "),
        ('[run]\nenergy = "1 hp"\n', "'1 hp', whose unit is unknown"),
        ('[run]\nwhen_reached = "pause"\n', "when_reached = 'pause' in [run]"),
    ],
)
def test_a_file_with_a_mistake_in_it_is_no_absence_of_budgets(
    shell: Shell, greet: str, text: str, said: str
) -> None:
    in_force(shell, text)
    assert said in shell.run("run", greet, code=2)[1]
    assert shell.json("jobs") == []


def test_a_file_that_is_named_and_cannot_be_read_is_no_absence_of_budgets(
    shell: Shell, greet: str, tmp_path: Path
) -> None:
    shell.extra["TIDEWATT_BUDGET"] = str(tmp_path / "none.toml")
    assert "none.toml, which cannot be read" in shell.run("run", greet, code=2)[1]
    (tmp_path / "none.toml").write_bytes(b"\xff")
    assert "wanted a budget as TOML" in shell.run("run", greet, code=2)[1]
    (tmp_path / "none.toml").write_text("")
    shell.run("run", greet)


def test_a_mistake_made_while_a_job_waits_keeps_it_waiting_whoever_supervises_it(
    shell: Shell, tmp_path: Path
) -> None:
    in_force(shell, '[team.vision]\nenergy = "1 mJ"\n')
    words, gate = fit(tmp_path)
    run = shell.start(*words)
    heard(run, "over team vision's", "suspending")
    gate.write_bytes(b".")
    job = heard(run, "over team vision's", "suspended")["job"]
    in_force(shell, "[oops]\n")
    shell.run("resume", job)
    heard(run, "those before stay in force", "suspended")
    supervisor = shell.supervisor()
    supervisor.kill()
    supervisor.wait(SOON)
    assert heard(run, "its budgets cannot be read: found [oops] in ")["state"] == "suspended"
    (shell.home / "budget.toml").unlink()
    shell.run("resume", job)
    ended(run)


def test_a_job_waits_for_the_month_to_turn_in_a_replay(shell: Shell, greet: str) -> None:
    shell.run("run", greet, "--start", "2022-06-15T12:00")
    psutil.wait_procs(shell.alive(), timeout=SOON)
    in_force(shell, '[team.vision]\nenergy = "1 mJ"\n')
    shell.run("run", greet, "--start", "2022-06-30T23:00", "--clock-speed", "600")
    last = shell.json("jobs")[-1]["job"]
    (attempt,) = shell.json("show", last)["attempts"]
    assert attempt["started_at"].startswith("2022-07-01T00:")
    assert "over team vision's energy budget of 1.00 mJ for 2022-06" in details(shell, last)

"""The commands on real jobs: real processes, a real state folder, and nothing of ours left afterwards."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from tests.integration.shells import SOON, Shell

FUNCTION = """
import tidewatt as tw

@tw.function(retries=1)
def add(a: int = 1, b: int = 2, wrong: bool = False) -> int:
    print("adding", a, "and", b)
    if wrong:
        raise ZeroDivisionError("as asked")
    return sum(i % 7 for i in range(300_000)) * 0 + a + b
"""
TRAINING = """
import time
import torch
from torch import nn
import tidewatt as tw

@tw.training(workers=(1, 2), shards=2, budget=BUDGET)
def fit(run: tw.Run, epochs: int = 30) -> dict[str, float]:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    run.track(model, optimizer)
    for inputs, targets in run.batches((x, x.sum(1, keepdim=True)), size=8, epochs=epochs):
        time.sleep(0.01)
        run.step(((model(inputs) - targets) ** 2).mean())
    return {"weight": model.weight.sum().item(), "bias": model.bias.item()}
"""


@pytest.fixture
def add(tmp_path: Path) -> str:
    path = tmp_path / "add.py"
    path.write_text(FUNCTION)
    return str(path)


def training(folder: Path, budget: str = "None") -> str:
    path = folder / "fit.py"
    path.write_text(TRAINING.replace("BUDGET", budget))
    return str(path)


@pytest.fixture
def fit(tmp_path: Path) -> str:
    return training(tmp_path)


def until_step(process: subprocess.Popen[str], step: int) -> str:
    """Read the JSON lines of a run until its workers are beyond a step; the job is returned."""
    for line in cast(Any, process.stdout):
        said = json.loads(line)
        if said["state"] == "running" and said["step"] >= step:
            return str(said["job"])
    pytest.fail(f"the run ended before step {step}: {process.communicate()[1]}")


def result_of(shell: Shell, job: str) -> object:
    shown = shell.json("show", job)
    assert shown["state"] == "succeeded", shown
    return shown["result"]


def test_a_run_ends_with_its_receipt(shell: Shell, add: str, tmp_path: Path) -> None:
    out, err = shell.run("run", add, "--arg", "a=40", "--out", str(tmp_path / "out"))
    assert err == ""
    assert "offline grid model v1 (MODEL), zone DE" in out
    assert "succeeded, job" in out
    assert "What it took" in out
    assert "\x1b" not in out
    written = json.loads((tmp_path / "out" / "receipt.json").read_text())
    assert (written["state"], written["result"]) == ("succeeded", {"result": 42})
    assert (tmp_path / "out" / "receipt.html").read_text().startswith("<!doctype html>")
    (listed,) = shell.json("jobs")
    assert (listed["job"], listed["state"]) == (written["job"], "succeeded")
    assert shell.json("show", listed["job"][:5])["result"] == 42
    assert "adding 40 and 2" in shell.run("logs", listed["job"])[0]
    assert listed["job"] in shell.run("jobs")[0]
    assert "What it took" in shell.run("receipt", listed["job"])[0]
    shell.run("receipt", listed["job"], "--format", "html", "-o", str(tmp_path / "receipt.html"))
    assert listed["job"] in (tmp_path / "receipt.html").read_text()


def test_json_lines_end_with_the_receipt(shell: Shell, add: str) -> None:
    out, err = shell.run("run", add, "--json", "--start", "2022-06-01")
    lines = [json.loads(line) for line in out.splitlines()]
    assert "implied by --start" in err
    assert lines[-1]["state"] == "succeeded"
    assert lines[-1]["result"] == {"result": 3}
    assert lines[-1]["world"]["speed"] == 3600
    assert {line["state"] for line in lines[:-1]} <= {"queued", "starting", "running", "succeeded"}


def test_a_function_that_raises_fails_the_job_and_keeps_its_energy(shell: Shell, add: str) -> None:
    out, err = shell.run("run", add, "--arg", "wrong=True", "--json", code=1)
    assert "ZeroDivisionError: as asked" in err
    assert 'in add\n    raise ZeroDivisionError("as asked")' in err
    receipt = json.loads(out.splitlines()[-1])
    assert receipt["state"] == "failed"
    assert receipt["energy_uj"] > 0
    shown = shell.json("show", receipt["job"])
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["failed", "failed"]
    assert shell.run("logs", receipt["job"], "--attempt", "2")[0].count("adding 1 and 2") == 1
    assert "tidewatt: found no attempt 3" in shell.run("logs", receipt["job"], "--attempt", "3", code=2)[1]


def test_two_runs_on_one_state_folder_at_once_both_work(shell: Shell, add: str) -> None:
    options = ["--start", "2022-06-01", "--json"]
    both = [shell.start("run", add, "--arg", f"a={a}", *options) for a in (10, 20)]
    receipts = [json.loads(run.communicate(timeout=SOON)[0].splitlines()[-1]) for run in both]
    assert [run.returncode for run in both] == [0, 0]
    assert [receipt["result"] for receipt in receipts] == [{"result": 12}, {"result": 22}]
    assert len(shell.json("jobs")) == 2


def test_a_detached_job_is_followed_by_its_log(shell: Shell, fit: str) -> None:
    job = shell.json("run", fit, "--detach", "--arg", "epochs=3")["job"]
    shell.run("logs", "-f", job)
    assert set(cast(dict[str, float], result_of(shell, job))) == {"weight", "bias"}


def test_ctrl_c_leaves_the_job_at_work(shell: Shell, fit: str) -> None:
    run = shell.start("run", fit, "--json")
    job = until_step(run, 5)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=SOON)
    assert run.returncode == 130
    for command in (f"tidewatt logs -f {job}", "tidewatt jobs", f"tidewatt cancel {job}"):
        assert command in err
    assert "Traceback" not in err
    shell.run("logs", "-f", job)
    result_of(shell, job)


def test_ctrl_c_suspends_when_asked_and_the_result_is_the_same(shell: Shell, fit: str) -> None:
    undisturbed = shell.json("run", fit)["result"]
    run = shell.start("run", fit, "--json", "--on-interrupt", "suspend")
    job = until_step(run, 5)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=SOON)
    assert run.returncode == 130
    assert f"tidewatt resume {job}" in err
    shown = shell.json("show", job)
    assert (shown["state"], shown["held"]) == ("suspended", True)
    assert 5 <= shown["steps_done"] < shown["steps_total"]
    assert "suspended until it is resumed" in shell.run("jobs")[0]
    assert "goes on" in shell.run("resume", job)[0]
    shell.run("logs", "-f", job)
    assert result_of(shell, job) == undisturbed


def test_killing_the_supervisor_and_then_everything_loses_nothing(shell: Shell, fit: str) -> None:
    undisturbed = shell.json("run", fit)["result"]
    run = shell.start("run", fit, "--json")
    job = until_step(run, 20)
    shell.supervisor().kill()
    assert until_step(run, 21) == job
    everything = shell.alive()
    assert len(everything) >= 4  # the command, a supervisor, a zygote, workers
    for process in everything:
        process.kill()
    run.communicate(timeout=SOON)
    psutil.wait_procs(everything, timeout=SOON)
    assert not shell.alive()
    out, err = shell.run("jobs")
    assert job in out
    assert "a supervisor was started" in err
    shell.run("logs", "-f", job)
    assert result_of(shell, job) == undisturbed


def test_a_job_over_its_budget_rests_and_the_run_is_refused(shell: Shell, tmp_path: Path) -> None:
    path = training(tmp_path, 'tw.Budget(energy="0.001 J")')
    out, err = shell.run("run", path, "--json", "--arg", "epochs=2000", code=3)
    assert "over its energy budget of 1.00 mJ" in err
    receipt = json.loads(out.splitlines()[-1])
    assert (receipt["state"], receipt["interim"]) == ("suspended", True)
    shell.run("cancel", receipt["job"])


def test_jobs_are_suspended_resumed_and_cancelled(shell: Shell, fit: str, add: str) -> None:
    job = shell.json("run", fit, "--detach", "--arg", "epochs=2000")["job"]
    run = shell.start("logs", "-f", job)
    assert "is suspended" in shell.run("suspend", job)[0]
    assert run.wait(timeout=SOON) == 0
    assert "goes on" in shell.run("resume", job)[0]
    assert "is cancelled" in shell.run("cancel", job)[0]
    assert "already cancelled" in shell.run("cancel", job, code=2)[1]
    assert "cancelled" in shell.run("receipt", job)[0]
    shell.run("run", add)
    assert len(shell.run("jobs", "--all")[0].splitlines()) == 3


def test_a_profile_tells_what_was_seen_and_what_is_expected(shell: Shell, fit: str, add: str) -> None:
    shell.run("run", fit, "--workers", "1")
    (job,) = (listed["job"] for listed in shell.json("jobs"))
    told = shell.json("show", "--profile", job)
    (one,) = told["counts"]
    assert one["attempts"] == 1
    assert 0 < one["steps_per_s"]["value"] < 1.1 / 0.01  # each step takes 10 ms at least
    assert one["watts"] == pytest.approx(one["joules_per_step"]["value"] * one["steps_per_s"]["value"])
    out, _ = shell.run("show", "--profile", job)
    assert "Speed-up" in out
    shell.run("run", add)
    function = next(listed["job"] for listed in shell.json("jobs") if listed["job"].startswith("add"))
    _, err = shell.run("show", "--profile", function, code=2)
    assert "a function; wanted a training" in err


def test_a_run_that_is_cancelled_from_elsewhere_says_so(shell: Shell, fit: str) -> None:
    run = shell.start("run", fit, "--json", "--arg", "epochs=2000")
    job = until_step(run, 1)
    shell.run("cancel", job)
    _, err = run.communicate(timeout=SOON)
    assert run.returncode == 1
    assert f"job {job} was cancelled" in err


def test_a_plan_says_what_it_knows_and_leaves_nothing(shell: Shell, fit: str) -> None:
    options = ["plan", fit, "--start", "2022-06-01", "--deadline", "24h", "--length", "5h"]
    known = shell.json(*options)
    saved = known["expected_saving_percent"]
    assert saved["low"] <= saved["value"] <= saved["high"]
    assert saved["value"] > 0
    assert known["planned"]["end_at"] <= known["deadline_at"]
    assert known["starting_now"]["windows"][0]["start_at"] == "2022-06-01T00:00:00Z"
    assert "Expected saving over starting now" in shell.run(*options)[0]
    unknown = shell.run(*options[:-2])[0]
    assert "Not known: how long fit takes" in unknown
    assert "--length" in unknown
    assert not shell.home.exists()
    assert shell.json("jobs") == []
    shell.json(*options)
    assert shell.json("jobs") == []
    assert not list((shell.home / "jobs").iterdir())


def test_a_plan_of_a_learned_job_needs_no_length(shell: Shell, fit: str) -> None:
    shell.run("run", fit, "--clock-speed", "3600")
    assert shell.json("plan", fit, "--start", "2022-06-01", "--deadline", "24h")["length_known"]


def test_the_grid_is_drawn_and_told(shell: Shell) -> None:
    zones = shell.json("grid")
    assert "DE" in zones["zones"]
    assert zones["model"]
    out, _ = shell.run("grid", "DE", "--start", "2022-06-01T12:30", "--forecast", "24h")
    assert "(MODEL)" in out
    assert "▲ now" in out
    told = shell.json("grid", "DE", "--start", "2022-06-01T12:30", "--forecast", "24h")
    assert told["readings"][-1]["start_at"] == "2022-06-01T12:00:00Z"
    assert len(told["forecast"]["hours"]) == 25


def test_doctor_finds_what_there_is(shell: Shell, add: str) -> None:
    found = {finding["what"]: finding for finding in shell.json("doctor")}
    assert found["torch"]["state"] == "ok"
    assert "none" in found["supervisor"]["found"]
    assert not shell.home.exists()
    assert "in use" in shell.run("doctor")[0]
    shell.run("run", add)
    assert {finding["what"] for finding in shell.json("doctor")} == set(found)


@pytest.mark.parametrize("command", [["--help"], ["jobs"], ["--version"], ["doctor"]])
def test_commands_that_look_load_neither_torch_nor_numpy(shell: Shell, command: list[str]) -> None:
    code = (
        "import atexit, sys; from tidewatt.cli.main import main; sys.argv[1:] = sys.argv[1:]\n"
        "atexit.register(lambda: sys.stderr.write(repr({'torch', 'numpy', 'pyarrow'} & set(sys.modules))))\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    assert done.stderr == "set()"


def test_every_command_teaches_by_example(shell: Shell) -> None:
    out, _ = shell.run("--help")
    commands = (
        "run",
        "plan",
        "jobs",
        "show",
        "logs",
        "receipt",
        "cancel",
        "suspend",
        "resume",
        "grid",
        "doctor",
    )
    for command in commands:
        assert f" {command} " in out
        assert "Example:" in shell.run(command, "--help")[0]
    assert shell.run()[0] == out


def test_jobs_are_completed_by_the_shell(shell: Shell, add: str) -> None:
    job = shell.json("run", add)["job"]
    completing = {"_TIDEWATT_COMPLETE": "complete_bash", "COMP_WORDS": "tidewatt show ad", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "tidewatt.cli.main"],
        env=shell.environment | completing,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [job]


def test_a_reader_that_leaves_is_not_complained_about(shell: Shell) -> None:
    process = shell.start("grid", "DE")
    cast(Any, process.stdout).close()
    assert cast(Any, process.stderr).read() == ""
    process.wait(timeout=SOON)


def test_where_nothing_can_be_written_a_command_says_so_in_words(shell: Shell) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        _, said = (process := shell.start("grid", "DE", stdout=full)).communicate(timeout=SOON)
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert "found no room to write (No space left on device)" in said


def test_a_command_needs_no_output_and_no_letters_beyond_ascii(shell: Shell) -> None:
    closed = ["sh", "-c", '"$@" >&-', "sh", *shell.command("grid", "DE")]
    done = subprocess.run(closed, env=shell.environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    shell.extra = {"PYTHONIOENCODING": "ascii"}
    out, err = shell.run("grid", "DE")
    assert out.startswith("DE, gCO?e/kWh")
    assert err == ""


def test_a_terminal_shows_the_tide_while_it_runs(shell: Shell, fit: str) -> None:
    ours, theirs = os.openpty()
    run = shell.start("run", fit, "--start", "2022-06-01", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 1 << 16)
        except OSError:  # a terminal whose last process has left
            break
    os.close(ours)
    assert run.wait(timeout=SOON) == 0
    shown = seen.decode()
    for word in ("▲", "gCO₂e/kWh", "running on 1 worker", "of 240 steps", "✓ succeeded", "What it took"):
        assert word in shown

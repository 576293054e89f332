"""Commands that know nothing of Tidewatt: delayed, paused with their memory, metered, never left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psutil
import pytest
from tests.integration.shells import SOON, Shell

from tidewatt.adapters.engines.processes import end_all, kill_group, tree_cpu_seconds

COUNTER = """#!/bin/sh
# Counts in the memory of a child of its own: whatever ends it begins at 1 again.
exec {python} -u -c '
import os, sys, time
n = 0
while n < {count} and not os.path.exists("enough"):
    n += 1
    print(n)
    end = time.process_time() + 0.04
    while time.process_time() < end:
        pass
' "$@"
"""


def script(folder: Path, text: str, name: str = "work.sh") -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def hours(folder: Path) -> str:
    """Days in which two clean hours follow two dirty ones."""
    rows = [
        f"DE,2022-06-{1 + h // 24:02}T{h % 24:02}:00:00Z,{800 if h % 4 < 2 else 80}" for h in range(5 * 24)
    ]
    path = folder / "hours.csv"
    path.write_text("zone,datetime_utc,gco2_kwh\n" + "\n".join(rows) + "\n")
    return str(path)


def until(said: Callable[[], bool]) -> None:
    """Wait until something is so; nothing is timed by it."""
    moment = Event()
    for _ in range(int(SOON / 0.05)):
        if said():
            return
        moment.wait(0.05)
    pytest.fail("it never came to be")


def working(shell: Shell) -> list[psutil.Process]:
    """The processes of the command itself."""
    return [p for p in shell.alive() if "n < " in " ".join(p.cmdline())]


def numbers(shell: Shell, job: str) -> list[int]:
    out, _ = shell.run("logs", job)
    return [int(line) for line in out.splitlines() if line.isdigit()]


def test_a_command_runs_where_it_was_submitted_and_says_how_it_ended(shell: Shell, tmp_path: Path) -> None:
    work = script(tmp_path, '#!/bin/sh\nprintf "%s|" "$@" > here; pwd >> here; exit ${STATUS:-0}\n')
    process = subprocess.run(
        shell.command("run", "--json", "--", work, "--epochs", "3", "a b"),
        cwd=tmp_path,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    receipt = json.loads(process.stdout.splitlines()[-1])
    assert receipt["result"] == {"exit_status": 0}
    assert (tmp_path / "here").read_text() == f"--epochs|3|a b|{tmp_path}\n"


BUSY = "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep({still})"


@pytest.mark.parametrize("still", [60, 0])
def test_what_a_command_has_started_counts_as_its_own_while_it_lives_and_after(still: int) -> None:
    begun = ["sh", "-c", f"{sys.executable} -c '{BUSY.format(still=still)}'; sleep 60"]
    with subprocess.Popen(begun, process_group=0) as process:
        until(lambda: (tree_cpu_seconds(process.pid) or 0.0) > 0.4)
        alone = psutil.Process(process.pid).cpu_times()
        assert alone.user + alone.system < 0.3
        kill_group(process.pid)
    assert tree_cpu_seconds(process.pid) is None


def test_what_is_left_of_a_group_is_ended_though_its_leader_is_gone() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!"], stdout=subprocess.PIPE, process_group=0
    ) as leader:
        started = psutil.Process(leader.pid).create_time()
        left = psutil.Process(int(leader.stdout.readline() if leader.stdout else 0))
    assert left.is_running()
    end_all([(leader.pid, started + 1)])
    assert left.is_running(), "the number belonged to another process"
    end_all([(leader.pid, started)])
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_command_that_fails_says_so_without_a_traceback(shell: Shell, tmp_path: Path) -> None:
    _, err = shell.run("run", "--", script(tmp_path, "#!/bin/sh\nexit 3\n"), code=1)
    assert "found exit status 3 from" in err
    _, err = shell.run("run", "--", script(tmp_path, "#!/bin/sh\nkill -9 $$\n"), code=1)
    assert "an end by SIGKILL" in err
    assert "Traceback" not in err


def test_a_plain_script_is_run_and_not_imported(shell: Shell, tmp_path: Path) -> None:
    path = script(
        tmp_path, "import sys\nopen('ran', 'a').write(' '.join(sys.argv[1:]) + '\\n')\n", "plain.py"
    )
    subprocess.run(
        shell.command("run", path, "--", "--epochs", "2"), cwd=tmp_path, env=shell.environment, check=True
    )
    assert (tmp_path / "ran").read_text() == "--epochs 2\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "no-such-command"], "no command 'no-such-command'"),
        (["no_such.py"], "no file 'no_such.py'"),
        (["--arg", "a=1", "--", "true"], "--arg for the command true"),
        (["--workers", "2", "--", "true"], "2 workers for true"),
    ],
)
def test_what_cannot_be_run_is_refused(shell: Shell, words: list[str], said: str) -> None:
    _, err = shell.run("run", *words, code=2)
    assert said in err
    assert shell.json("jobs") == []


def test_a_command_waits_out_dirty_hours_in_memory(shell: Shell, tmp_path: Path) -> None:
    """Half an hour a second: the dirty hours between clean ones are waited out."""
    work = script(tmp_path, COUNTER.format(python=sys.executable, count=100))
    receipt = shell.json(
        *("run", "--length", "4h", "--deadline", "40h", "--start", "2022-06-03T00:00"),
        *("--carbon", hours(tmp_path), "--clock-speed", "1800", "--", work),
    )
    ran = receipt["running"]
    assert receipt["state"] == "succeeded"
    assert ran["suspends"] == ran["resumes"] == ran["attempts"] - 1 >= 1
    assert ran["losses"] == 0
    assert numbers(shell, receipt["job"]) == list(range(1, 101)), "it lost its memory"
    assert receipt["mean_intensity_gco2e_per_kwh"] < 400
    other = receipt["counterfactual"]
    assert "stretches between pauses" in other["basis"]
    assert other["real_s"] == pytest.approx(ran["real_s"], rel=0.5)


def test_a_command_put_aside_keeps_its_memory_and_its_supervisor(shell: Shell, tmp_path: Path) -> None:
    work = script(tmp_path, COUNTER.format(python=sys.executable, count=100_000))
    job = shell.json("run", "--detach", "--", work)["job"]
    until(lambda: len(numbers(shell, job)) > 5)
    shell.run("suspend", job)
    assert shell.json("show", job)["state"] == "suspended"
    (process,) = working(shell)
    assert process.status() == psutil.STATUS_STOPPED
    before = numbers(shell, job)
    shell.run("resume", job)
    until(lambda: len(numbers(shell, job)) > len(before) + 5)
    assert process.is_running()
    found = numbers(shell, job)
    assert found == list(range(1, len(found) + 1))
    shell.run("cancel", job)
    until(lambda: not shell.alive())


def test_a_command_cancelled_while_it_stands_still_is_gone(shell: Shell, tmp_path: Path) -> None:
    job = shell.json(
        "run", "--detach", "--", script(tmp_path, COUNTER.format(python=sys.executable, count=100_000))
    )["job"]
    until(lambda: len(numbers(shell, job)) > 2)
    shell.run("suspend", job)
    shell.run("cancel", job)
    until(lambda: not shell.alive())


@pytest.mark.parametrize("stands_still", [True, False])
def test_a_command_whose_supervisor_is_killed_is_begun_anew_and_never_runs_twice(
    shell: Shell, tmp_path: Path, *, stands_still: bool
) -> None:
    job = shell.json(
        "run", "--detach", "--", script(tmp_path, COUNTER.format(python=sys.executable, count=100_000))
    )["job"]
    until(lambda: len(numbers(shell, job)) > 2)
    if stands_still:
        shell.run("suspend", job)
    (before,) = working(shell)
    os.kill(shell.supervisor().pid, signal.SIGKILL)
    if stands_still:
        until(lambda: not working(shell))
        shell.run("resume", job)
    else:
        shell.start("logs", "-f", job)

    def begun_anew() -> bool:
        now = working(shell)
        return bool(now) and before not in now

    until(begun_anew)
    assert len(working(shell)) == 1
    outcomes = [attempt["outcome"] for attempt in shell.json("show", job)["attempts"]]
    assert outcomes == ["stranded", None]
    assert not before.is_running() or before.status() == psutil.STATUS_ZOMBIE
    shell.run("cancel", job)

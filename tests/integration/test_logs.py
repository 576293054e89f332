"""Logs of chatty workers: bounded on disk, followed through every cut, each line told once."""

import re
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON, Shell

LIMIT = 200_000
WHOLE = re.compile(r"line(?!.* \.\.\.$)")
CHATTY = """
import subprocess
import sys
import time

import tidewatt as tw

PRINTER = "import sys\\nfor n in range(int(sys.argv[1]), int(sys.argv[2])): print('line', n)"


@tw.function(retries=1)
def chatty(marker: str) -> str:
    from pathlib import Path

    begun = Path(marker).exists()
    Path(marker).touch()
    start = 200_000 if begun else 0
    for part in range(start, start + 200_000, 20_000):
        # Not by Python's own stdout: what a program that was started prints is held to the same.
        subprocess.run([sys.executable, "-c", PRINTER, str(part), str(part + 20_000)], check=True)
    if not begun:
        raise ValueError("once more")
    return "done"
"""
QUIET = """
import tidewatt as tw


@tw.function()
def quiet() -> int:
    print("hello")
    return 1
"""


@pytest.fixture
def chatty(shell: Shell, tmp_path: Path) -> Path:
    shell.extra["TIDEWATT_LOG_LIMIT"] = f"{LIMIT} B"
    file = tmp_path / "chatty.py"
    file.write_text(CHATTY)
    return file


def lines(text: str) -> list[int]:
    """The numbers of the lines of a log; one that was torn and does not say so fails here."""
    return [int(line.removeprefix("line ")) for line in text.splitlines() if WHOLE.match(line)]


def test_a_chatty_function_fills_no_disk_and_whoever_follows_reads_each_line_once(
    shell: Shell, chatty: Path, tmp_path: Path
) -> None:
    shell.run("run", str(chatty), "--arg", f"marker={tmp_path / 'begun'}", "--detach")
    followed, _ = shell.run("logs", "-f", "chatty")  # ends when the job does
    assert followed.count("--- attempt 1") == 1
    assert followed.count("--- attempt 2") == 1
    assert "ValueError: once more" in followed
    found = lines(followed)
    assert found == sorted(set(found))
    assert found[-1] == 399_999
    psutil.wait_procs(shell.alive(), timeout=SOON)
    logs = sorted(shell.home.glob("jobs/chatty-*/attempt-*.log"))
    assert [log.name for log in logs] == ["attempt-1.log", "attempt-2.log"]
    assert all(log.stat().st_blocks * 512 <= LIMIT for log in logs)
    printed, _ = shell.run("logs", "chatty")
    notes = re.findall(r"--- the first [\d.]+ MB of this log were dropped: TIDEWATT_LOG_LIMIT is", printed)
    assert len(notes) == 2
    kept = lines(printed)
    first, second = ([n for n in kept if n // 200_000 == attempt] for attempt in (0, 1))
    assert first == list(range(first[0], 200_000))
    assert second == list(range(second[0], 400_000))


def test_a_limit_that_is_none_is_refused(shell: Shell, chatty: Path) -> None:
    shell.extra["TIDEWATT_LOG_LIMIT"] = "1 kB"
    assert (
        "found TIDEWATT_LOG_LIMIT=1 kB; wanted 64 KiB or more"
        in shell.run("run", str(chatty), "--arg", "marker=x", code=2)[1]
    )


def test_the_log_of_supervisors_is_begun_anew_once_it_is_long(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "quiet.py"
    file.write_text(QUIET)
    shell.run("jobs")
    log = shell.home / "supervisor.log"
    log.write_bytes(b"x" * 1_000_001)
    shell.run("run", str(file))
    assert log.stat().st_size < 1000
    assert (shell.home / "supervisor.log.1").stat().st_size == 1_000_001

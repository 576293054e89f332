"""Wrong input at the command line: one clear line, the exit code of the design, and nothing left behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

TRAINING = """
import tidewatt as tw

@tw.training(deadline="24 h")
def train(run, epochs=1):
    return None
"""
START = datetime(2022, 6, 1, tzinfo=UTC)


def tidewatt(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDEWATT_")}
    environment |= {"TIDEWATT_HOME": str(home), "TIDEWATT_LINGER_S": "0", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "tidewatt.cli.main", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )


def refused(home: Path, code: int, *arguments: str) -> str:
    """Run a command that must fail with one line, and leave no job; the line is returned."""
    done = tidewatt(home, *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("tidewatt: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (home / "jobs").exists() or not list((home / "jobs").iterdir())
    assert not (home / "supervisor.lock").exists()
    return done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def train(tmp_path: Path) -> str:
    path = tmp_path / "train.py"
    path.write_text(TRAINING)
    return str(path)


def carbon(path: Path, *, hours: int = 24 * 14, skip: range = range(0), blank: range = range(0)) -> list[str]:
    """Write hourly rows of DE that end a week after the start; some absent, some without a value."""
    begin = START - timedelta(days=7)
    rows = ["zone,datetime_utc,gco2_kwh"]
    for hour in range(hours):
        value = "nan" if hour in blank else f"{300 + 10 * (hour % 24)}"
        if hour not in skip:
            rows.append(f"DE,{(begin + timedelta(hours=hour)).isoformat()},{value}")
    path.write_text("\n".join(rows) + "\n")
    return rows


def test_a_file_that_does_not_exist(home: Path) -> None:
    assert "no file 'nowhere.py'" in refused(home, 2, "run", "nowhere.py", "--zone", "DE")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import tidewatt\n", "no training function"),
        (TRAINING + TRAINING.replace("def train", "def again"), "train, again"),
        ("def broken(:\n", "line 1"),
        ("import tidewatt\nraise RuntimeError('at import')\n", "RuntimeError when it is imported: at import"),
        ("from tidewatt import Run\nraise SystemExit(7)\n", "exits when it is imported"),
    ],
)
def test_a_file_without_exactly_one_training(home: Path, tmp_path: Path, source: str, said: str) -> None:
    path = tmp_path / "source.py"
    path.write_text(source)
    assert said in refused(home, 2, "run", str(path), "--zone", "DE")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--deadline", "6"], "write for example '6 h'"),
        (["--deadline", "0h"], "a duration above zero"),
        (["--deadline", "soon"], "'soon'"),
        (["--length", "2"], "which has no unit"),
        (["--workers", "many"], "a range such as '1:4'"),
        (["--workers", "3:1"], "the least first"),
        (["--workers", "9"], "which has shards=1"),
        (["--clock-speed", "0"], "a clock speed of '0'"),
        (["--clock-speed", "nan"], "a clock speed of 'nan'"),
        (["--clock-speed", "fast"], "a clock speed of 'fast'"),
        (["--start", "yesterday"], "write it as ISO 8601"),
        (["--arg", "epochs"], "wanted name=value"),
        (["--arg", "epoch=3"], "did you mean epochs?"),
        (["--detach", "--out", "somewhere"], "--out together with --detach"),
        (["--spell", "wrong"], "No such option: --spell"),
        (["--on-interrupt", "panic"], "panic"),
    ],
)
def test_an_option_that_cannot_be_understood(home: Path, train: str, options: list[str], said: str) -> None:
    assert said in refused(home, 2, "run", train, "--zone", "DE", *options)


def test_no_zone_at_all(home: Path, train: str) -> None:
    assert "set TIDEWATT_ZONE" in refused(home, 2, "run", train)


def test_an_unknown_zone_is_answered_with_suggestions(home: Path, train: str) -> None:
    assert "did you mean DE?" in refused(home, 2, "run", train, "--zone", "Germany")
    assert "did you mean DK-DK1?" in refused(home, 2, "grid", "DK")


def test_an_impossible_deadline_is_refused(home: Path, train: str) -> None:
    for command in ("run", "plan"):
        said = refused(home, 3, command, train, "--zone", "DE", "--length", "9h", "--deadline", "2h")
        assert "a deadline 2 h away" in said


def test_a_zone_that_the_function_does_not_allow_is_refused(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "french.py"
    path.write_text(TRAINING.replace('"24 h"', '"24 h", zones=["FR"]'))
    assert "wanted one in FR" in refused(home, 3, "run", str(path), "--zone", "DE")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: ["area,datetime_utc,gco2_kwh", *rows[1:]], "rename or add zone"),
        (lambda rows: [*rows, rows[-1]], "an hour given twice"),
        (lambda rows: [*rows[:-1], rows[-1].rpartition(",")[0] + ",-3"], "a negative gco2_kwh"),
        (lambda rows: [r.replace("+00:00", "") for r in rows], "which has no UTC offset"),
        (lambda rows: [*rows[:-1], rows[-1].rpartition(",")[0] + ",much"], "gco2_kwh 'much'"),
        (lambda _: [], "which is empty"),
    ],
    ids=["columns", "duplicate", "negative", "naive", "word", "empty"],
)
def test_a_damaged_carbon_file(
    home: Path, train: str, tmp_path: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    path = tmp_path / "carbon.csv"
    path.write_text("\n".join(change(carbon(path))) + "\n")
    options = ["--zone", "DE", "--start", "2022-06-01", "--carbon", str(path)]
    assert said in refused(home, 2, "run", train, *options)


def test_a_carbon_file_that_is_not_there_or_not_of_that_time(home: Path, train: str, tmp_path: Path) -> None:
    path = tmp_path / "carbon.csv"
    assert "no file" in refused(home, 2, "run", train, "--zone", "DE", "--carbon", str(path))
    carbon(path)
    options = ["--zone", "DE", "--carbon", str(path), "--start", "2031-01-01"]
    assert "choose --start inside the period" in refused(home, 2, "run", train, *options)
    assert "choose --start inside the period" in refused(home, 2, "grid", "DE", *options[2:])


@pytest.mark.parametrize("damage", ["skip", "blank"])
def test_hours_without_data_are_told_and_widen_the_range(
    home: Path, train: str, tmp_path: Path, damage: str
) -> None:
    absent = range(100, 130)
    whole, damaged = tmp_path / "whole.csv", tmp_path / "damaged.csv"
    carbon(whole)
    carbon(damaged, skip=absent if damage == "skip" else range(0), blank=absent)
    options = ["--zone", "DE", "--start", "2022-06-01", "--length", "3h", "--carbon"]
    clean, told = (tidewatt(home, "plan", train, *options, str(path)) for path in (whole, damaged))
    assert clean.returncode == told.returncode == 0
    assert "less certain" not in clean.stdout
    assert "forecast for DE is less certain: 30 of the last 168 hours absent" in told.stdout
    assert not home.exists()


def test_an_unknown_job_is_answered_with_one_line(home: Path) -> None:
    for command in ("show", "logs", "cancel", "suspend", "resume", "receipt"):
        assert "no job 'nothing'" in refused(home, 2, command, "nothing")


def test_a_state_folder_of_a_newer_version_is_refused_and_left_alone(home: Path, train: str) -> None:
    home.mkdir()
    (home / "format").write_text("99\n")
    for arguments in (["jobs"], ["run", train, "--zone", "DE"], ["plan", train, "--zone", "DE"]):
        assert "upgrade tidewatt" in refused(home, 3, *arguments)
    assert [p.name for p in home.iterdir()] == ["format"]
    assert (home / "format").read_text() == "99\n"


def test_an_unknown_command_is_one_line(home: Path) -> None:
    assert "No such command 'rum'" in refused(home, 2, "rum")
    assert "Missing argument" in refused(home, 2, "run")

"""`tidewatt wait` as a script calls it: it returns in time, says why, and refuses what makes no sense."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

SOON = 60.0
"""Seconds that a process may take to end; nothing is timed by it."""
EVENING = ("--start", "2026-04-18T16:00", "--zone", "DE")
START = datetime(2022, 6, 1, tzinfo=UTC)


class Waiter:
    """The command, with a state folder that it must not need."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDEWATT_")}
        return subprocess.Popen(
            [sys.executable, "-m", "tidewatt.cli.main", "wait", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=kept | {"TIDEWATT_HOME": str(self.home), "NO_COLOR": "1"} | environment,
        )

    def run(self, *arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """The command to its end; what it wrote is returned."""
        with self.start(*arguments, **environment) as process:
            out, err = process.communicate(timeout=SOON)
        assert process.returncode == code, (out, err)
        assert not self.home.exists()
        return out, err


@pytest.fixture
def waiter(tmp_path: Path) -> Waiter:
    return Waiter(tmp_path)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def carbon(path: Path, value: Callable[[int], float | None], hours: int = 14 * 24) -> str:
    """Hours of DE from the start on; None leaves one out."""
    rows = [
        f"DE,{(START + timedelta(hours=hour)).isoformat()},{found}"
        for hour in range(hours)
        if (found := value(hour)) is not None
    ]
    path.write_text("\n".join(["zone,datetime_utc,gco2_kwh", *rows]) + "\n", encoding="utf-8")
    return str(path)


def replay(path: str, day: int) -> tuple[str, ...]:
    """Options for a replay of that file from noon of a day."""
    begin = START + timedelta(days=day, hours=12)
    return ("--zone", "DE", "--carbon", path, "--start", begin.isoformat(), "--clock-speed", "36000")


def test_it_sleeps_through_the_dirty_night(waiter: Waiter) -> None:
    out, err = waiter.run(*EVENING, "--clock-speed", "36000", "--deadline", "24h", "--for", "2h", "--json")
    told = json.loads(out)
    began, started = at(told["began_at"]), at(told["started_at"])
    assert datetime(2026, 4, 18, 16, tzinfo=UTC) <= began < started
    assert started <= at(told["deadline_at"]) - timedelta(hours=2)
    assert told["waited_s"] > 3600
    assert (told["zone"], told["length_s"]) == ("DE", 7200)
    at_once, then = (told[f"intensity_at_{when}_gco2e_per_kwh"] for when in ("once", "start"))
    assert then["low"] <= then["value"] <= then["high"] < at_once["value"]
    saved = told["expected_saving_percent"]
    assert 0 < saved["low"] <= saved["value"] <= saved["high"]
    assert saved["value"] == pytest.approx(100 * (1 - then["value"] / at_once["value"]))
    assert told["grid"] == {"source": "offline grid model v1", "model": True}
    assert "7-day" in told["forecast_method"]
    assert told["degraded"] == []
    first, *waits, last = err.splitlines()
    assert first.startswith("Grid: offline grid model v1 (MODEL, not measured), zone DE.")
    assert all(line.startswith("Waiting until Sun 19 Apr 2026") and "80 % range" in line for line in waits)
    assert 1 <= len(waits) <= 4  # said when it changes, and not each hour
    assert last.startswith("It is time, Sun 19 Apr 2026")


def test_when_now_is_best_it_returns_at_once(waiter: Waiter, tmp_path: Path) -> None:
    path = carbon(tmp_path / "flat.csv", lambda _: 300.0)
    out, err = waiter.run(*replay(path, 8), "--deadline", "9h", "--for", "90 min", "--json")
    told = json.loads(out)
    assert told["waited_s"] == 0
    assert told["started_at"] == told["began_at"]
    assert told["intensity_at_start_gco2e_per_kwh"] == {"value": 300, "low": 300, "high": 300}
    assert told["expected_saving_percent"] == {"value": 0, "low": 0, "high": 0}
    assert told["grid"] == {"source": "file flat.csv", "model": False}
    assert "now is as good as it gets before the deadline; about 300 gCO₂e/kWh" in err
    assert "MODEL" not in err


def test_on_the_real_clock_no_time_to_wait_is_no_wait(waiter: Waiter) -> None:
    out, err = waiter.run("--deadline", "1h", "--quiet", TIDEWATT_ZONE="FR")
    assert (out, err) == ("", "")


def test_without_a_signal_it_says_so_and_does_not_wait(waiter: Waiter, tmp_path: Path) -> None:
    path = carbon(tmp_path / "old.csv", lambda _: 300.0)
    out, err = waiter.run(*replay(path, 400), "--deadline", "9h", "--quiet", "--json")
    assert err == "Note: no carbon intensity is known for DE: not waiting blindly.\n"
    told = json.loads(out)
    assert told["waited_s"] == 0
    assert told["degraded"] == ["no carbon intensity is known for DE: not waiting blindly"]
    for unknown in ("intensity_at_once_gco2e_per_kwh", "expected_saving_percent", "forecast_method"):
        assert told[unknown] is None


def test_a_degraded_forecast_is_told_even_when_quiet(waiter: Waiter, tmp_path: Path) -> None:
    afternoon_is_clean = carbon(
        tmp_path / "gaps.csv", lambda hour: None if hour % 11 == 0 else 300.0 - 200 * (hour % 24 == 15)
    )
    out, err = waiter.run(*replay(afternoon_is_clean, 8), "--deadline", "9h", "--quiet", "--json")
    told = json.loads(out)
    assert told["waited_s"] > 0
    assert told["degraded"][0].startswith("forecast for DE is less certain: ")
    assert err.count("\n") == 1
    assert err.startswith("Note: forecast for DE is less certain: ")
    assert "hours absent" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--zone", "DE", "--deadline", "6"], 2, "which has no unit"),
        (["--zone", "DE", "--deadline", "6h", "--for", "2"], 2, "which has no unit"),
        (["--zone", "DE", "--deadline", "-6h"], 2, "wanted a duration above zero"),
        (["--zone", "DE", "--deadline", "6h", "--for", "0h"], 2, "found --for '0h'"),
        (["--zone", "DE", "--deadline", "1e9h"], 2, "at most 14 days"),
        (["--zone", "DE"], 2, "Missing option '--deadline'"),
        (["--deadline", "6h"], 2, "TIDEWATT_ZONE"),
        (["--zone", "Germany", "--deadline", "6h"], 2, "did you mean DE?"),
        (["--zone", "DE", "--deadline", "6h", "--clock-speed", "nan"], 2, "a number above zero"),
        (["--zone", "DE", "--deadline", "6h", "--start", "noon"], 2, "2022-06-01T14:00"),
        (["--zone", "DE", "--deadline", "6h", "--carbon", "nowhere.csv"], 2, "nowhere.csv"),
        (["--zone", "DE", "--deadline", "6h", "--for", "7h"], 3, "a run of 7 h with a deadline 6 h away"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    waiter: Waiter, arguments: list[str], code: int, said: str
) -> None:
    out, err = waiter.run(*arguments, code=code)
    assert out == ""
    assert err.startswith("tidewatt: ")
    assert err.count("\n") == 1
    assert said in err


def test_an_interrupt_ends_it_without_a_traceback(waiter: Waiter) -> None:
    with waiter.start(*EVENING, "--clock-speed", "1", "--deadline", "20h", "--json") as process:
        lines = cast(Any, process.stderr)
        assert lines.readline().startswith("Grid: ")
        assert lines.readline().startswith("Waiting until ")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "Interrupted: it was not time yet, and nothing was started."


def test_help_teaches_by_example(waiter: Waiter) -> None:
    out, _ = waiter.run("--help")
    assert "Example:" in out
    assert "./backup.sh" in out

"""`tidewatt simulate` and `tidewatt backtest` as a user calls them, on the offline grid and on a file."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

TRACE = "job,arrival_h,length_h,cpus,workers\nresnet,0,6,1,2\n<b>bert</b>,1.5,3,1,1\ngan,8,10,1,4\n"
EXAMPLES = Path(__file__).parents[2] / "examples"
START = datetime(2022, 6, 1, tzinfo=UTC)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE, encoding="utf-8")
    return str(path)


def tidewatt(*arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
    """Run a command in an environment that says nothing of Tidewatt; what it wrote is returned."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDEWATT_")}
    done = subprocess.run(
        [sys.executable, "-m", "tidewatt.cli.main", *arguments],
        capture_output=True,
        text=True,
        env=kept | {"NO_COLOR": "1"} | environment,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def simulated(trace: str, *more: str) -> dict[str, Any]:
    out, _ = tidewatt(
        "simulate", "--jobs", trace, "--zone", "DE", "--start", "2022-06-01T06:00", "--json", *more
    )
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_table_and_the_report_tell_of_every_policy(trace: str, tmp_path: Path) -> None:
    report = tmp_path / "out" / "report.html"
    arguments = ("--jobs", trace, "--start", "2022-06-01T06:00", "--policy", "all", "--out", str(report))
    out, err = tidewatt("simulate", *arguments, TIDEWATT_ZONE="DE")
    assert err == ""
    assert "MODEL, not measured" in out
    page = report.read_text(encoding="utf-8")
    for policy in ("run-now", "threshold", "lowest-window", "suspend-resume", "elastic-marginal"):
        assert re.search(rf"^{policy} +[\d.]+ g ", out, re.MULTILINE), out
        assert f"<th>{policy}</th>" in page
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", page.partition("<thead>")[2].partition("</thead>")[0])
    assert heads[:4] == ["Policy", "CO₂e", "Embodied", "Saved"]
    rows = re.findall(r"<tr><th>[\w-]+</th>(.*?)</tr>", page.partition("<thead>")[2])
    assert [row.count("<td") for row in rows[:6]] == [len(heads) - 1] * 6
    assert "<script" not in page
    assert not re.search(r'(src|href)="?http', page)


def test_the_same_seed_gives_the_same_figures_and_knowing_more_is_better(trace: str) -> None:
    dying = ("--mean-life", "4h", "--seed", "3")
    assert simulated(trace, *dying) == simulated(trace, *dying)
    blind, seeing = (simulated(trace, "--forecast", name) for name in ("hourly", "perfect"))
    above = [found["policies"][-1]["above_optimum_percent"] for found in (blind, seeing)]
    assert 0 <= above[1] < above[0]
    assert all(policy["missed"] == 0 for policy in blind["policies"])


def test_another_objective_and_less_room_change_what_is_planned(trace: str) -> None:
    usual = simulated(trace, "--policy", "cheapest-windows")["policies"][0]
    timely = simulated(trace, "--policy", "cheapest-windows", "--objective", "time")["policies"][0]
    assert timely["mean_wait_s"] < usual["mean_wait_s"]
    narrow = simulated(trace, "--policy", "run-now", "--cpus", "1")["policies"][0]
    assert narrow["mean_wait_s"] > 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--policy", "best"), "found policy 'best'; wanted one of run-now"),
        (("--forecast", "oracle"), "found forecast 'oracle'; wanted one of hourly"),
        (("--objective", "water"), "found objective 'water'"),
        (("--slack", "6"), "found '6', which has no unit"),
        (("--zone", "ATLANTIS"), "ATLANTIS"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_a_line(trace: str, more: tuple[str, ...], said: str) -> None:
    out, err = tidewatt("simulate", "--jobs", trace, "--zone", "DE", "--start", "2022-06-01", *more, code=2)
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_trace_without_a_beginning_wants_one(trace: str) -> None:
    _, err = tidewatt("simulate", "--jobs", trace, "--zone", "DE", code=2)
    assert "--start" in err
    _, err = tidewatt("simulate", "--jobs", trace, "--start", "2022-06-01", code=2)
    assert "found no grid zone" in err


def test_what_the_environment_says_of_planning_is_followed_or_refused() -> None:
    plan = ("plan", f"{EXAMPLES}/digits.py", "--zone", "DE", "--length", "2h")
    again = ("--deadline", "24h", "--start", "2022-06-01T16:00", "--json")
    named = [
        json.loads(tidewatt(*plan, *again, TIDEWATT_POLICY=name)[0])["policy"]
        for name in ("lowest-window", "")
    ]
    assert named == ["lowest-window", "cheapest-windows"]
    for variable, value in (("POLICY", "best"), ("OBJECTIVE", "water"), ("FORECAST", "oracle")):
        _, err = tidewatt(*plan, *again, code=2, **{f"TIDEWATT_{variable}": value})
        assert f"'{value}'" in err


def test_plans_for_cost_go_by_the_hourly_prices_that_the_environment_names(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    hours = (START + timedelta(hours=hour) for hour in range(48))
    rows = [f"DE,{hour.isoformat()},{20 if hour.hour in (21, 22) else 90}" for hour in hours]
    prices.write_text("zone,datetime_utc,usd_mwh\n" + "\n".join(rows) + "\n")
    plan = ("plan", f"{EXAMPLES}/digits.py", "--zone", "DE", "--length", "1h", "--deadline", "20h")
    again = ("--start", "2022-06-01T16:00", "--json")
    out, _ = tidewatt(*plan, *again, TIDEWATT_OBJECTIVE="cost", TIDEWATT_PRICES=str(prices))
    assert json.loads(out)["planned"]["windows"][0]["start_at"] == "2022-06-01T21:00:00Z"
    out, _ = tidewatt(*plan, *again, TIDEWATT_PRICES=str(prices))
    assert json.loads(out)["planned"]["windows"][0]["start_at"] > "2022-06-02"
    _, err = tidewatt(*plan, *again, code=2, TIDEWATT_PRICES="nowhere.csv")
    assert "no file nowhere.csv" in err


def carbon(path: Path, days: int) -> str:
    """Days of DE that are clean by night, dirty by day."""
    rows = [
        f"DE,{(START + timedelta(hours=hour)).isoformat()},{100 if hour % 24 < 6 else 400 + hour % 24}"
        for hour in range(24 * days)
    ]
    path.write_text("zone,datetime_utc,gco2_kwh\n" + "\n".join(rows) + "\n")
    return str(path)


def test_a_backtest_judges_methods_on_the_last_days_and_writes_a_card(tmp_path: Path) -> None:
    file, card = carbon(tmp_path / "de.csv", 40), tmp_path / "cards" / "de.md"
    arguments = ("backtest", "--zone", "DE", "--carbon", file, "--days", "14", "--card", str(card))
    found = json.loads(tidewatt(*arguments, "--json")[0])
    assert [method["days"] for method in found["methods"]] == [14, 14]
    for method in found["methods"]:
        assert method["error"] == pytest.approx([0] * 6, abs=1e-9)
        assert method["captured"] == pytest.approx(1)
        assert method["best"] == pytest.approx(0.7, abs=0.1)
    out, _ = tidewatt(*arguments)
    assert "14 days, 27 Jun 2022 00:00 to 11 Jul 2022 00:00 UTC" in out
    text = card.read_text(encoding="utf-8")
    assert "696 hours known" in text
    assert "file de.csv" in text
    assert text.count("| persistence |") == 1


def test_a_backtest_without_a_day_to_judge_is_refused(tmp_path: Path) -> None:
    file = carbon(tmp_path / "de.csv", 2)
    _, err = tidewatt("backtest", "--zone", "DE", "--carbon", file, code=1)
    assert "found 48 hours of DE" in err
    _, err = tidewatt("backtest", "--zone", "DE", "--carbon", file, "--until", "2021-01-01", code=2)
    assert "no reading of DE before" in err


def test_hourly_prices_count_in_the_cost_and_plans_for_it_go_by_them(trace: str) -> None:
    prices = ("--prices", f"{EXAMPLES}/prices.csv")
    flat = simulated(trace, "--objective", "cost")
    carbon = simulated(trace, *prices)
    cost = simulated(trace, *prices, "--objective", "cost")

    def paid(found: dict[str, Any], policy: str) -> float:
        return next(float(row["cost_usd"]) for row in found["policies"] if row["policy"] == policy)

    assert paid(carbon, "run-now") != paid(flat, "run-now")
    assert paid(cost, "run-now") == paid(carbon, "run-now")
    assert paid(cost, "cheapest-windows") < paid(carbon, "cheapest-windows") < paid(carbon, "run-now") * 1.01
    _, err = tidewatt(
        "simulate", "--jobs", trace, "--zone", "DE", "--prices", trace, "--start", "2022-06-01", code=2
    )
    assert "usd_mwh" in err

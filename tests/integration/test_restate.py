"""Hours and factors of the site on a receipt, and what an earlier method would have said of it."""

import json
import os
from pathlib import Path

from tests.integration.shells import Shell

ADD = """
import tidewatt as tw

@tw.function(length="30 min")
def add(n: int = 200_000) -> int:
    return sum(range(n))
"""
FACTORS = """
[market.DE]
id = "market/wind/1"
value = 12
source = "contract with the wind park"
"""
ROWS = [f"DE,2022-06-0{day}T{hour:02}:00:00Z" for day in (1, 2, 3, 4) for hour in range(24)]


def hours(path: Path, column: str, value: float) -> str:
    path.write_text(f"zone,datetime_utc,{column}\n" + "".join(f"{row},{value}\n" for row in ROWS))
    return str(path)


def test_hours_of_the_site_are_kept_and_an_earlier_method_shows_what_they_change(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "add.py").write_text(ADD)
    factors = tmp_path / "factors.toml"
    factors.write_text(FACTORS)
    marginal = Path(hours(tmp_path / "marginal.csv", "gco2_kwh", 900))
    shell.extra |= {
        "TIDEWATT_PUE": os.path.relpath(hours(tmp_path / "pue.csv", "pue", 1.04)),
        "TIDEWATT_PRICES": hours(tmp_path / "prices.csv", "usd_mwh", 310),
        "TIDEWATT_MARGINAL": str(marginal),
        "TIDEWATT_FACTORS": str(factors),
    }
    job = shell.json("run", str(tmp_path / "add.py"), "--start", "2022-06-01T10:00")["job"]
    marginal.unlink()  # what a receipt needs is kept
    receipt = json.loads(shell.run("receipt", job, "--format", "json")[0])
    kwh = receipt["energy_j"]["value"] / 3.6e6
    assert receipt["facility_j"] == 1.04 * receipt["energy_j"]["value"]
    assert receipt["operational_gco2e"]["method"] == "operational/2"
    assert abs(receipt["cost_usd"]["value"] - kwh * 1.04 * 0.31) < 1e-12
    assert abs(receipt["marginal_gco2e"]["value"] - kwh * 1.04 * 900) < 1e-9
    assert abs(receipt["market_based_gco2e"]["value"] - kwh * 1.04 * 12) < 1e-9
    named = {factor["id"]: factor["licence"] for factor in receipt["factors"]}
    assert named["market/wind/1"] == "own figure"
    told = shell.json("ledger", "restate", job, "--method", "1")
    figures = {figure["figure"]: figure for figure in told["figures"]}
    assert figures["embodied_gco2e"]["change"] == 0
    for name in ("operational_gco2e", "cost_usd", "water_l"):
        assert figures[name]["then"]["method"].endswith("/1")
        assert figures[name]["now"]["value"] == receipt[name]["value"]
    carbon = figures["operational_gco2e"]
    assert abs(carbon["then"]["value"] / carbon["now"]["value"] - 1.56 / 1.04) < 1e-9
    shown, _ = shell.run("ledger", "restate", "--method", "1")
    assert "hourly PUE, file pue.csv" in shown
    assert "found method 7" in shell.run("ledger", "restate", job, "--method", "7", code=2)[1]


def test_a_wrong_file_of_hours_or_factors_is_refused_before_anything_runs(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "add.py").write_text(ADD)
    shell.extra = {"TIDEWATT_PUE": hours(tmp_path / "pue.csv", "pue", 0.5)}
    assert "pue" in shell.run("run", str(tmp_path / "add.py"), "--start", "2022-06-01T10:00", code=2)[1]
    (tmp_path / "factors.toml").write_text("[puu]\n")
    shell.extra = {"TIDEWATT_FACTORS": str(tmp_path / "factors.toml")}
    assert "did you mean [pue]?" in shell.run("run", str(tmp_path / "add.py"), code=2)[1]
    assert shell.run("jobs")[0].count("add") == 0

"""A month told as a bill and as waste: both are all that the machine drew, and nothing is lost on the way."""

import csv
import io
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON, Shell

from tidewatt.domain.ledger import Phase
from tidewatt.sdk.client import Client

TRAIN = """
import torch
import tidewatt as tw

@tw.training(labels={"team": "vision", "cost_centre": "7"})
def fit(run):
    model = torch.nn.Linear(1, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for (x,) in run.batches((torch.ones(400, 1),), size=2, epochs=3):
        run.step(model(x).mean())
"""


@pytest.fixture
def ran(shell: Shell, tmp_path: Path) -> str:
    """A job that has run, in June 2022."""
    (tmp_path / "fit.py").write_text(TRAIN)
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    start = ("--start", "2022-06-01T22:00")
    name: str = shell.json("run", str(tmp_path / "fit.py"), *start, "--label", "team=audio")["job"]
    psutil.wait_procs(shell.alive(), timeout=SOON)  # the last reading is taken when the supervisor goes
    return name


def node_uj(shell: Shell) -> int:
    with Client(shell.home) as client:
        return sum(entry.allocation.energy_uj for entry in client.store.ledger())


def test_the_rows_of_a_month_sum_to_all_that_the_machine_drew(shell: Shell, ran: str, tmp_path: Path) -> None:
    _, err = shell.run("chargeback", "--month", "2022-06", "-o", str(tmp_path / "june.csv"))
    assert "Chargeback written to" in err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "june.csv").read_text())))
    assert sum(round(float(row["x_EnergyJ"]) * 1e6) for row in rows) == node_uj(shell)
    (mine,) = [row for row in rows if row["ResourceType"] == "Job"]
    assert (mine["ResourceId"], mine["SubAccountId"], mine["BillingAccountId"]) == (ran, "audio", "7")
    shared = {row["ResourceId"]: row for row in rows if row["ResourceType"] == "Shared"}
    assert set(shared) == {"pool", "platform", "unallocated"}
    assert all(float(row["x_OperationalGCO2e"]) > 0 for row in shared.values())
    assert all(row["BillingPeriodStart"] == "2022-06-01T00:00:00Z" for row in rows)


def test_the_receipt_in_focus_is_the_row_of_the_job(shell: Shell, ran: str) -> None:
    (own,) = csv.DictReader(io.StringIO(shell.run("receipt", ran, "--format", "focus")[0]))
    bill = csv.DictReader(io.StringIO(shell.run("chargeback", "--month", "2022-06")[0]))
    (row,) = [row for row in bill if row["ResourceId"] == ran]
    for column in ("BilledCost", "x_EnergyJ", "x_OperationalGCO2e", "x_WaterL", "Tags"):
        assert own[column] == row[column], column


@pytest.mark.usefixtures("ran")
def test_waste_is_what_did_no_work_and_says_what_to_change(shell: Shell) -> None:
    found = shell.json("waste", "--month", "2022-06")
    assert found["energy_uj"] == node_uj(shell)
    kinds = {loss["kind"]: loss for loss in found["losses"]}
    assert {"unallocated", "pool", "platform", "cold_start"} <= set(kinds)
    assert kinds["cold_start"]["worst_job"].startswith("fit-")
    assert all(loss["share"] == loss["energy_uj"] / found["energy_uj"] for loss in found["losses"])
    shown, _ = shell.run("waste", "--month", "2022-06")
    assert "fewer, longer jobs" in shown
    assert "did the work of jobs." in shown


@pytest.mark.usefixtures("ran")
def test_a_month_that_is_none_or_empty_is_refused(shell: Shell, tmp_path: Path) -> None:
    assert "found month '2022-13'" in shell.run("waste", "--month", "2022-13", code=2)[1]
    assert (
        "found no reading in the month that begins on 01 Feb 2022"
        in (shell.run("chargeback", "--month", "2022-02", code=2)[1])
    )
    assert "found label 'team'" in shell.run("run", str(tmp_path / "fit.py"), "--label", "team", code=2)[1]


HOLDS = """
import time
import tidewatt as tw

@tw.function(cpus=2)
def hold(seconds: float = 2.5):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))
"""


def test_what_a_job_held_and_did_not_use_is_a_part_of_its_work_and_of_no_other_loss(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "hold.py").write_text(HOLDS)
    shell.run("run", str(tmp_path / "hold.py"))
    psutil.wait_procs(shell.alive(), timeout=SOON)
    found = shell.json("waste")
    kinds = {loss["kind"]: loss for loss in found["losses"]}
    mine = kinds["over_reserved"]
    assert mine["worst_job"].startswith("hold-")
    assert mine["cost_usd"] > 0
    assert found["over_reserved_unknown_uj"] == 0
    with Client(shell.home) as client:
        ledger = [entry.allocation for entry in client.store.ledger()]
    work = [share for share in ledger if share.phase in {Phase.COMPUTE, Phase.COMM}]
    assert mine["energy_uj"] == sum(share.spare_uj or 0 for share in work)
    assert 0 < mine["energy_uj"] < sum(share.energy_uj for share in work)
    lost = sum(loss["energy_uj"] for loss in found["losses"])
    worked = sum(share.energy_uj for share in work) - mine["energy_uj"]
    assert lost + worked == found["energy_uj"] == node_uj(shell)
    assert "ask for fewer cpus= or workers=" in shell.run("waste")[0]


WAIT = """
from threading import Event
import tidewatt as tw

@tw.function()
def wait():
    Event().wait(2.5)
"""


def test_a_worker_that_waits_is_charged_as_stalled_by_the_threshold_that_is_set(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "wait.py").write_text(WAIT)
    phases = shell.json("run", str(tmp_path / "wait.py"))["energy_by_phase_uj"]
    assert phases["stalled"] > phases.get("compute", 0)
    psutil.wait_procs(shell.alive(), timeout=SOON)
    shell.extra["TIDEWATT_STALL_SHARE"] = "0"
    assert "stalled" not in shell.json("run", str(tmp_path / "wait.py"))["energy_by_phase_uj"]
    shell.extra["TIDEWATT_STALL_SHARE"] = "lots"
    assert "a share from 0 to 1" in shell.run("run", str(tmp_path / "wait.py"), code=2)[1]


FAILS = """
import tidewatt as tw

@tw.function()
def roll(number=1):
    if number > 2:
        raise ValueError(number)
    return number
"""


def test_a_lineage_holds_every_run_behind_a_model_and_tells_what_was_done_again(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "roll.py").write_text(FAILS)
    roll = ("run", str(tmp_path / "roll.py"), "--arg")
    out, _ = shell.run(*roll, "number=1")
    assert "ran with the same arguments before" not in out
    shell.run(*roll, "number=3", code=1)
    out, _ = shell.run(*roll, "number=1")
    (first, failed, again) = [job["job"] for job in shell.json("jobs")]
    assert f"The same code ran with the same arguments before: tidewatt show {first}" in " ".join(out.split())
    (tmp_path / "roll.py").write_text(FAILS + "\n# changed\n")
    shell.run(*roll, "number=1", "--detach")
    changed = shell.json("jobs")[-1]["job"]
    psutil.wait_procs(shell.alive(), timeout=SOON)
    found = shell.json("lineage", again)
    with Client(shell.home) as client:
        spent = {
            job: sum(e.allocation.energy_uj for e in client.store.ledger(job))
            for job in (first, failed, again, changed)
        }
    assert {job["job"]: job["energy_uj"] for job in found["jobs"]} == spent
    assert {job["job"]: job["repeats"] for job in found["jobs"]} == {
        first: None,
        failed: None,
        again: first,
        changed: None,
    }
    assert found["energy_uj"] == sum(spent.values())
    assert found["development_multiplier"] == pytest.approx(sum(spent.values()) / spent[again])
    shown, _ = shell.run("lineage", again)
    assert f"the same as {first}" in shown
    assert "All 4 jobs took" in shown

"""A real record of two trainings that ran together, audited by the command."""

import json
from collections import defaultdict
from pathlib import Path

import psutil
import pytest
from tests.integration.shells import SOON, Shell

from tidewatt.domain.ledger import EnergyReading
from tidewatt.sdk.client import Client

TRAIN = """
from pathlib import Path
from threading import Event
import torch
import tidewatt as tw

@tw.training()
def fit(run, me: str, other: str, steps: int = 400):
    Path(me).touch()
    while not Path(other).exists():
        Event().wait(0.01)
    model = torch.nn.Linear(64, 64)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.01))
    for (x,) in run.batches((torch.ones(2 * steps, 64),), size=2, epochs=1):
        run.step(model(x).square().mean())
"""


@pytest.fixture
def together(shell: Shell, tmp_path: Path) -> tuple[str, str]:
    """Two trainings, neither of which makes a step before both are there."""
    (tmp_path / "fit.py").write_text(TRAIN)
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    here, there = str(tmp_path / "one"), str(tmp_path / "other")
    jobs: list[str] = []
    for me, other in ((here, there), (there, here)):
        given = ("--arg", f"me={me}", "--arg", f"other={other}")
        jobs.append(shell.json("run", str(tmp_path / "fit.py"), "--detach", *given)["job"])
    for job in jobs:
        shell.run("logs", "-f", job)
    psutil.wait_procs(shell.alive(), timeout=SOON)  # the last reading is taken when the supervisor goes
    return jobs[0], jobs[1]


def test_two_trainings_that_ran_together_are_audited_to_the_microjoule(
    shell: Shell, together: tuple[str, str], tmp_path: Path
) -> None:
    one, other = together
    found = json.loads(shell.run("receipt", one, "--audit", "--json")[0])
    with Client(shell.home) as client:
        ledger = client.store.ledger()
    jobs: defaultdict[EnergyReading, set[str]] = defaultdict(set)
    for entry in ledger:
        jobs[entry.reading].add(entry.allocation.account.job_id)
    shared = [entry for entry in ledger if {one, other} <= jobs[entry.reading]]
    whole = sum(entry.allocation.energy_uj for entry in shared)
    assert (found["job"], found["node_uj"]) == (one, whole)
    assert found["readings"] == len({entry.reading for entry in shared}) > 0
    for column in ("ledger_uj", "additive_uj", "shapley_uj"):
        assert sum(account[column] for account in found["accounts"]) == whole, column
    accounts = {account["job"] or account["account"]: account for account in found["accounts"]}
    assert set(accounts) == {one, other, "pool", "platform", "unallocated"}
    for job in together:
        mine = [e.allocation.energy_uj for e in shared if e.allocation.account.job_id == job]
        assert accounts[job]["ledger_uj"] == sum(mine)
        assert accounts[job]["shapley_uj"] > 0
    assert found["check_off_uj"] <= found["check_allowed_uj"] == len(shared)

    shown, _ = shell.run("receipt", one, "--audit")
    assert f"What {one} shared with {other}:" in shown
    assert "all that the node drew then." in shown
    _, err = shell.run("receipt", other, "--audit", "-o", str(tmp_path / "audit.txt"))
    assert "Audit written to" in err
    assert f"What {other} shared with {one}:" in (tmp_path / "audit.txt").read_text()


def test_a_job_that_ran_alone_has_nothing_to_audit(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text("import tidewatt as tw\n\n@tw.function()\ndef add():\n    return 2\n")
    job = shell.json("run", str(tmp_path / "add.py"))["job"]
    psutil.wait_procs(shell.alive(), timeout=SOON)
    _, err = shell.run("receipt", job, "--audit", code=2)
    assert f"found job {job}, which shared no reading with another job" in err
    assert json.loads(shell.run("receipt", job, "--json")[0])["job"] == job
    _, err = shell.run("receipt", job, "--audit", "--format", "html", code=2)
    assert "found --audit with --format html; wanted text or json" in err
    _, err = shell.run("receipt", job, "--json", "--format", "html", code=2)
    assert "found --json with --format html; wanted one of them" in err

"""The gate for continuous integration: exit codes, reports, and what is never a pass."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest
import yaml
from tests.integration.shells import SOON, Shell

GREET = """
import tidewatt as tw

@tw.function(labels={"team": "vision"})
def greet(name="you"):
    return name
"""


@pytest.fixture
def receipt(shell: Shell, tmp_path: Path) -> Path:
    """The receipt of a job that has run in June 2022."""
    (tmp_path / "greet.py").write_text(GREET)
    start = ("--start", "2022-06-01T22:00", "--out", str(tmp_path / "out"))
    shell.run("run", str(tmp_path / "greet.py"), *start)
    psutil.wait_procs(shell.alive(), timeout=SOON)
    return tmp_path / "out" / "receipt.json"


def budget(folder: Path, text: str) -> tuple[str, str]:
    (folder / "budget.toml").write_text(text)
    return "--budget", str(folder / "budget.toml")


def test_exit_codes_tell_kept_exceeded_and_not_known(shell: Shell, tmp_path: Path, receipt: Path) -> None:
    wide = budget(
        tmp_path,
        '[run]\nenergy = "1 MJ"\ncarbon = "1 kg"\nwater = "9 L"\nmoney = "3 USD"\nstalled_share = 1.0\n',
    )
    out, _ = shell.run("check", str(receipt), *wide)
    assert out.count("kept") == 5
    tight = budget(tmp_path, '[run]\nenergy = "1 MJ"\n[function.greet]\nenergy = "0.001 J"\n')
    assert "exceeded" in shell.run("check", str(receipt), *tight, code=1)[0]
    per_step = budget(tmp_path, '[run]\nenergy_per_step = "1 MJ"\n')
    assert (
        "not enough evidence (its receipt does not know it)"
        in shell.run("check", str(receipt), *per_step, code=3)[0]
    )
    both = budget(tmp_path, '[run]\nenergy_per_step = "1 MJ"\nenergy = "0.001 J"\n')
    shell.run("check", str(receipt), *both, code=1)


def test_a_job_by_name_and_a_month_with_its_teams_are_held_too(
    shell: Shell, tmp_path: Path, receipt: Path
) -> None:
    job = json.loads(receipt.read_text())["job"]
    wide = budget(
        tmp_path,
        '[run]\nenergy = "1 MJ"\n[month]\nenergy = "1 MJ"\n'
        '[team.vision]\ncarbon = "1 kg"\n[lineage.greet]\nmoney = "1 USD"\n',
    )
    found = json.loads(shell.run("check", job, *wide, "--month", "2022-06", "--json")[0])
    assert [(f["subject"], f["name"], f["verdict"]) for f in found] == [
        (job, "energy", "kept"),
        ("2022-06", "energy", "kept"),
        ("team vision, 2022-06", "carbon", "kept"),
        ("lineage greet, 2022-06", "money", "kept"),
    ]
    typo = budget(tmp_path, '[team.visoin]\ncarbon = "1 kg"\n[lineage.greeet]\nenergy = "1 MJ"\n')
    assert shell.run("check", *typo, "--month", "2022-06", code=3)[0].count("not enough evidence") == 2
    tight = budget(tmp_path, '[month]\nenergy = "0.001 J"\n')
    shell.run("check", *tight, "--month", "2022-06", code=1)


def test_what_has_failed_keeps_no_budget(shell: Shell, tmp_path: Path, receipt: Path) -> None:
    values = json.loads(receipt.read_text())
    receipt.write_text(json.dumps(values | {"state": "failed"}))
    out, _ = shell.run("check", str(receipt), *budget(tmp_path, '[run]\nenergy = "1 MJ"\n'), code=3)
    assert "what is unfinished cannot keep a budget" in out


def copies(receipt: Path, folder: Path, energies: list[float]) -> list[str]:
    """Receipts of the same work with these energies, in joules."""
    values: dict[str, Any] = json.loads(receipt.read_text())
    names: list[str] = []
    for number, energy in enumerate(energies):
        path = folder / f"{len(energies)}-{energy}-{number}.json"
        path.write_text(json.dumps(values | {"energy_j": dict.fromkeys(("value", "low", "high"), energy)}))
        names.append(str(path))
    return names


def test_a_baseline_is_compared_pair_by_pair(shell: Shell, tmp_path: Path, receipt: Path) -> None:
    before = [10.0, 10.2, 9.9, 10.1, 10.0, 10.3]
    baseline = [word for name in copies(receipt, tmp_path, before) for word in ("--baseline", name)]
    same = copies(receipt, tmp_path, [e * 1.01 for e in before])
    worse = copies(receipt, tmp_path, [e * 1.3 for e in before])
    out, _ = shell.run("check", *same, *baseline)
    assert "against the baseline" in out
    shell.run("check", *worse, *baseline, code=1)
    assert "fewer than 5 prove nothing" in shell.run("check", *same[:3], *baseline, code=3)[0]


def test_junit_and_summary_say_the_same(shell: Shell, tmp_path: Path, receipt: Path) -> None:
    text = '[run]\nenergy = "1 MJ"\ncarbon = "0.001 mg"\nenergy_per_step = "1 J"\n'
    files = ("--junit", str(tmp_path / "energy.xml"), "--summary", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n")
    shell.run("check", str(receipt), *budget(tmp_path, text), *files, code=1)
    suite = ET.parse(tmp_path / "energy.xml").getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert suite.find("testcase[@name='carbon']/failure") is not None
    assert suite.find("testcase[@name='energy_per_step']/error") is not None
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("before\n| |")
    assert summary.count("| ✓ |") == summary.count("| ✗ |") == summary.count("| ? |") == 1


REFUSED = {
    "unknown table": '[rum]\nenergy = "1 J"\n',
    "unknown key": '[run]\nenrgy = "1 J"\n',
    "unknown unit": '[month]\nenergy = "1 hp"\n',
    "not toml": "[run\n",
    "no table": 'run = "1 J"\n',
    "flat": '[team]\nenergy = "1 J"\n',
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_budget_that_cannot_be_understood_is_refused_whatever_is_asked(
    shell: Shell, tmp_path: Path, case: str
) -> None:
    _, err = shell.run("check", *budget(tmp_path, REFUSED[case]), code=2)
    assert err.startswith("tidewatt: found ")
    assert "wanted" in err


def test_nothing_to_hold_is_no_pass(shell: Shell, tmp_path: Path) -> None:
    assert "neither --budget nor --baseline" in shell.run("check", code=2)[1]
    assert "bounds nothing" in shell.run("check", *budget(tmp_path, '[run]\nenergy = "1 J"\n'), code=2)[1]
    (tmp_path / "no.json").write_text("{}")
    some = budget(tmp_path, '[run]\nenergy = "1 J"\n')
    assert "without schema" in shell.run("check", str(tmp_path / "no.json"), *some, code=2)[1]


def test_the_composite_action_runs_the_check(shell: Shell, tmp_path: Path, receipt: Path) -> None:
    action = yaml.safe_load((Path(__file__).parents[2] / ".github/actions/check/action.yml").read_text())
    (step,) = action["runs"]["steps"]
    (_, file) = budget(tmp_path, '[run]\nenergy = "1 mJ"\n')
    inputs = {"RECEIPTS": str(receipt), "BUDGET": file, "BASELINE": "", "JUNIT": str(tmp_path / "energy.xml")}
    assert set(step["env"]) == set(inputs)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PATH": path}
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env=shell.environment | inputs | summary,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "exceeded" in done.stdout
    assert (tmp_path / "energy.xml").exists()
    assert "exceeded" in (tmp_path / "summary.md").read_text()

"""Receipts in a real MLflow, where it is installed, and what is said where it is not."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.integration.shells import Shell

ADD = """
import tidewatt as tw

@tw.function(labels={"team": "vision"})
def add(number: int = 1):
    if number > 2:
        raise ValueError(number)
    return 2 + number
"""


@pytest.fixture
def add(tmp_path: Path) -> str:
    (tmp_path / "add.py").write_text(ADD)
    return str(tmp_path / "add.py")


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    found = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'tidewatt[mlflow]'")
    pytest.importorskip("alembic", reason="MLflow keeps no database without alembic")
    assert isinstance(found, ModuleType)
    return found


def logged(shell: Shell, folder: Path, *words: str) -> str:
    """Log a receipt from a folder; what was said of it."""
    process = shell.start("receipt", *words, cwd=folder)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return str(err)


@pytest.mark.filterwarnings("default")  # those of MLflow and what it imports
def test_a_receipt_becomes_one_run_that_is_the_same_when_logged_again(
    shell: Shell, add: str, tmp_path: Path, mlflow: ModuleType
) -> None:
    job = shell.json("run", add)["job"]
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    err = logged(shell, tmp_path, job, "--mlflow", uri)
    assert f"Receipt logged to {uri}, experiment tidewatt, run " in err
    logged(shell, tmp_path, job, "--mlflow", uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tidewatt")
    (run,) = client.search_runs([experiment.experiment_id])
    receipt = json.loads(shell.run("receipt", job, "--json")[0])
    assert run.data.metrics["tidewatt/energy_j"] == receipt["energy_uj"] / 1e6
    assert run.data.metrics["tidewatt/operational_gco2e"] == receipt["operational_gco2e"]["value"]
    assert run.data.metrics["tidewatt/cost_usd/high"] == receipt["cost_usd"]["high"]
    assert run.data.params["function"] == "add"
    assert (run.data.tags["tidewatt.job"], run.data.tags["tidewatt.label.team"]) == (job, "vision")
    assert (run.info.status, run.info.run_name) == ("FINISHED", job)
    (tmp_path / "got").mkdir()
    pages = [
        client.download_artifacts(run.info.run_id, f"receipt.{f}", tmp_path / "got") for f in ("json", "html")
    ]
    assert json.loads(Path(pages[0]).read_text()) == receipt
    assert job in Path(pages[1]).read_text()


@pytest.mark.filterwarnings("default")
def test_a_job_that_failed_is_a_run_that_failed_in_the_experiment_that_is_named(
    shell: Shell, add: str, tmp_path: Path, mlflow: ModuleType
) -> None:
    shell.run("run", add, "--arg", "number=3", code=1)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri)
    place = client.create_experiment("mine", artifact_location=(tmp_path / "kept").as_uri())
    out, _ = shell.run("receipt", "add", "--mlflow", uri, "--experiment", "mine", "--json")
    (run,) = client.search_runs([place])
    assert run.info.status == "FAILED"
    assert run.data.params["argument.number"] == "3"
    assert json.loads(out)["energy_uj"] / 1e6 == run.data.metrics["tidewatt/energy_j"]
    assert (tmp_path / "kept" / run.info.run_id / "artifacts" / "receipt.html").exists()


@pytest.mark.usefixtures("mlflow")
def test_a_place_that_cannot_be_logged_to_is_refused_in_words(shell: Shell, add: str) -> None:
    shell.run("run", add)
    for uri in (f"sqlite:///{add}/mlflow.db", "http://127.0.0.1:1", "nowhere://x"):
        _, err = shell.run("receipt", "add", "--mlflow", uri, code=2)
        assert f"found that MLflow cannot log to {uri}" in " ".join(err.split())
        assert "Traceback" not in err


def test_without_mlflow_it_says_what_to_install(shell: Shell, add: str) -> None:
    shell.run("run", add)
    _, err = shell.run("receipt", "add", "--experiment", "mine", code=2)
    assert "found --experiment mine without --mlflow; wanted where to log to; give --mlflow URI" in err
    code = "import sys; sys.modules['mlflow'] = None; from tidewatt.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "receipt", "add", "--mlflow", "sqlite:///x.db"],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        "found no MLflow; wanted what receipts are logged with; pip install 'tidewatt[mlflow]'" in done.stderr
    )

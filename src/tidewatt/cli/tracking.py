"""Logs a receipt to MLflow: one run for each job, found again when it is logged again."""

import os
from importlib import import_module
from types import ModuleType

import typer
from sqlalchemy.exc import SQLAlchemyError

from tidewatt import wiring
from tidewatt.errors import UsageError
from tidewatt.report import document, html
from tidewatt.report.contents import Receipt
from tidewatt.report.exports.mlflow import JOB_TAG, Figures, figures

EXPERIMENT = "tidewatt"
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # of its own accord it tries a wrong address for minutes
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nobody asked us to tell a third party
}


def log_receipt(receipt: Receipt, uri: str | None, experiment: str | None) -> None:
    """Log the figures of a receipt, its JSON and its page, and say where.

    Raises:
        UsageError: it is not said where, MLflow is missing or does not answer, or the energy is not known.
    """
    if uri is None:
        raise UsageError(
            f"--experiment {experiment} without --mlflow", "where to log to", "give --mlflow URI"
        )
    name = experiment or EXPERIMENT
    given = figures(receipt)
    files = {"receipt.json": document.render(receipt), "receipt.html": html.render(receipt)}
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        mlflow = import_module("mlflow")
    except ImportError as error:
        raise UsageError(
            "no MLflow", "what receipts are logged with", "pip install 'tidewatt[mlflow]'"
        ) from error
    try:
        run_id = _log(mlflow, uri, name, given, files)
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"that MLflow cannot log to {uri} ({said})",
            "a tracking server or a database that it can",
            "choose another --mlflow, such as http://localhost:5000 or sqlite:///mlflow.db",
        ) from error
    typer.echo(f"Receipt logged to {uri}, experiment {name}, run {run_id}", err=True)


def _log(mlflow: ModuleType, uri: str, experiment: str, given: Figures, files: dict[str, str]) -> str:
    client = mlflow.MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    experiment_id: str = known.experiment_id if known else client.create_experiment(experiment)
    job_id = given.tags[JOB_TAG]
    runs = client.search_runs([experiment_id], f"tags.`{JOB_TAG}` = '{job_id}'")
    run = runs[0] if runs else client.create_run(experiment_id, run_name=job_id, tags={JOB_TAG: job_id})
    run_id: str = run.info.run_id
    at_ms = round(1000 * wiring.clock_of(None).wall())
    made = mlflow.entities
    client.log_batch(
        run_id,
        metrics=[made.Metric(key, value, at_ms, 0) for key, value in given.metrics.items()],
        params=[made.Param(key, value) for key, value in given.params.items()],
        tags=[made.RunTag(key, value) for key, value in given.tags.items()],
    )
    for name, content in files.items():
        client.log_text(run_id, content, name)
    if given.status:
        client.set_terminated(run_id, given.status)
    return run_id

"""Prints how the ledger's shares compare with the Shapley value of what jobs shared."""

from pathlib import Path

from tidewatt.accounting.audit import audit
from tidewatt.cli.receipts import write_or_print
from tidewatt.domain.job import Job
from tidewatt.errors import UsageError
from tidewatt.report.audit import render, render_json
from tidewatt.sdk.client import Client

_RENDERERS = {"text": render, "json": render_json}


def show_audit(client: Client, job: Job, form: str, out: Path | None) -> None:
    """Print the audit of a job, or write it into a file.

    Raises:
        UsageError: there is nothing to audit, or no such form of it.
    """
    renderer = _RENDERERS.get(form)
    if renderer is None:
        raise UsageError(
            f"--audit with --format {form}", "text or json", "leave --format out, or leave out --audit"
        )
    write_or_print(renderer(audit(job.id, client.store.ledger())), out, "Audit")

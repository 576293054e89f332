"""Writes receipts where they are asked for."""

import json
from pathlib import Path
from typing import Any

import typer

from tidewatt.cli.record import gather
from tidewatt.domain.job import Job
from tidewatt.errors import UsageError
from tidewatt.report import document, html, text
from tidewatt.report.contents import Receipt
from tidewatt.report.exports import annex_xi, boamps, focus, model_card, otel, prometheus, sci
from tidewatt.report.receipt import build
from tidewatt.sdk.client import Client

_RENDERERS = {
    "text": text.render,
    "json": document.render,
    "html": html.render,
    "sci": sci.render,
    "model-card": model_card.render,
    "focus": focus.render,
    "boamps": boamps.render,
    "annex-xi": annex_xi.render,
    "prometheus": prometheus.render,
    "otel": otel.render,
}


def receipt_of(client: Client, job: Job) -> Receipt:
    """The receipt of a job, an interim one while it is open."""
    return build(gather(client, job))


def form_of(form: str | None, *, json: bool) -> str:
    """How a receipt is to be written, ``--json`` being short for ``--format json``.

    Raises:
        UsageError: both were given, and they are not the same.
    """
    if json and form not in {None, "json"}:
        raise UsageError(f"--json with --format {form}", "one of them", "leave out the other")
    return "json" if json else form or "text"


def show_receipt(client: Client, job: Job, form: str, out: Path | None) -> None:
    """Print a receipt, or write it into a file."""
    write_or_print(_RENDERERS[form](receipt_of(client, job)), out, "Receipt")


def write_or_print(rendered: str, out: Path | None, what: str) -> None:
    """Print a report, or write it into a file and say so.

    Raises:
        UsageError: it cannot be written there.
    """
    if out is None:
        typer.echo(rendered, nl=False)
    else:
        write_file(out, rendered)
        typer.echo(f"{what} written to {out}", err=True)


def write_receipts(receipt: Receipt, folder: Path) -> tuple[Path, Path]:
    """Write ``receipt.json`` and ``receipt.html`` into a folder; the paths are returned."""
    for name in ("json", "html"):
        write_file(folder / f"receipt.{name}", _RENDERERS[name](receipt))
    return folder / "receipt.json", folder / "receipt.html"


def make_folder(folder: Path) -> None:
    """Make the folder for receipts, so that a wrong one is refused before hours of work and not after.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def as_values(receipt: Receipt) -> dict[str, Any]:
    """The receipt as plain values, as its JSON has them."""
    values: dict[str, Any] = json.loads(document.render(receipt))
    return values


def write_file(path: Path, content: str) -> None:
    """Replace a file; what no Unicode text can hold is escaped, as JSON has it.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_bytes(content.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path}, which cannot be written ({error.strerror})", "a place that can", "choose another path"
    )

"""The commands that tell of many jobs at once: chargeback, waste, lineage and ledger."""

from pathlib import Path
from typing import Annotated

import typer

from tidewatt.cli import options

Month = Annotated[
    str | None, typer.Option(metavar="YYYY-MM", help="Which month.", show_default="the present one")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(epilog="Example:  [bold]tidewatt chargeback --month 2026-11 -o november.csv[/bold]")(
        chargeback
    )
    app.command(epilog="Example:  [bold]tidewatt waste[/bold]")(waste)
    app.command(epilog="Example:  [bold]tidewatt lineage digits-e35d4c[/bold]")(lineage)
    ledger = typer.Typer(help="Work the ledger out again.", no_args_is_help=True)
    ledger.command(epilog="Example:  [bold]tidewatt ledger restate --method 1[/bold]")(restate)
    app.add_typer(ledger, name="ledger")


def chargeback(
    *,
    month: Month = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write it there.", show_default="standard output"),
    ] = None,
    home: options.Home = None,
) -> None:
    """Write who owes what for a month: rows in the FOCUS format, one for each job and for what is shared.

    The rows sum to all that the machine drew while it was metered. Labels
    named team and cost_centre say whose a job is.
    """
    from tidewatt.cli import month as months  # noqa: PLC0415 - keeps `--help` quick
    from tidewatt.cli import receipts, session  # noqa: PLC0415 - the same
    from tidewatt.report.exports import focus  # noqa: PLC0415 - the same

    client = session.open_client(home)
    receipts.write_or_print(focus.rows(months.gather(client, month)), out, "Chargeback")


def waste(*, month: Month = None, json: options.Json = False, home: options.Home = None) -> None:
    """Tell what energy of a month did no work, what it cost, and what to change."""
    from tidewatt.cli import month as months  # noqa: PLC0415 - keeps `--help` quick
    from tidewatt.cli import session  # noqa: PLC0415 - the same

    months.show_waste(months.gather(session.open_client(home), month), json=json)


def lineage(job: options.JobId, *, json: options.Json = False, home: options.Home = None) -> None:
    """Tell what all the runs behind a model took, failed, cancelled and repeated ones included.

    A lineage is all jobs of one function in one file, whatever its code and
    arguments were at the time.
    """
    from tidewatt.cli import lineage as runs  # noqa: PLC0415 - keeps `--help` quick
    from tidewatt.cli import session  # noqa: PLC0415 - the same

    runs.show_lineage(session.open_client(home), job, json=json)


def restate(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB]...", help="Which jobs.", show_default="all that ended"),
    ] = None,
    *,
    method: Annotated[int, typer.Option(metavar="N", help="The method of accounting.")],
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Work jobs out by another method of accounting and show what differs; nothing is changed.

    Method 2 is the present one. Method 1 knew one PUE, one price and one
    water figure for every hour and zone.
    """
    from tidewatt.cli import restating, session  # noqa: PLC0415 - keeps `--help` quick

    restating.show_restatement(session.open_client(home), jobs or [], method, json=json)

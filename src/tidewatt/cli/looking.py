"""The commands that only look, at jobs or ahead: jobs, show, logs, receipt and wait."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tidewatt.cli import options

Form = Annotated[
    Literal[
        "text",
        "json",
        "html",
        "sci",
        "model-card",
        "focus",
        "boamps",
        "annex-xi",
        "prometheus",
        "otel",
    ]
    | None,
    typer.Option("--format", help="How it is written.", show_default="text"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write it there.", show_default="standard output"),
]
Audit = Annotated[
    bool,
    typer.Option("--audit", help="Instead, hold the ledger's shares of what jobs shared against Shapley's."),
]
Mlflow = Annotated[
    str | None, typer.Option(metavar="URI", help="Also log it to MLflow there, as a run of its own.")
]
Experiment = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The experiment of MLflow.", show_default="tidewatt"),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(epilog="Example:  [bold]tidewatt jobs --all[/bold]")(jobs)
    app.command(epilog="Example:  [bold]tidewatt show digits-e35d4c[/bold]")(show)
    app.command(epilog="Example:  [bold]tidewatt logs -f digits-e35d4c[/bold]")(logs)
    app.command(epilog="Example:  [bold]tidewatt receipt digits-e35d4c --format html -o receipt.html[/bold]")(
        receipt
    )
    app.command(
        epilog="Example:  [bold]tidewatt wait --zone DE --deadline 6h --for 30min && ./backup.sh[/bold]"
    )(wait)


def jobs(
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that ended longer ago than the newest ten.")
    ] = False,
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """List the jobs that are open and those that ended last."""
    from tidewatt.cli import listing, session  # noqa: PLC0415 - keeps `--help` quick

    listing.show_jobs(session.look(home), every=every, json=json)


def show(
    job: options.JobId,
    *,
    profile: Annotated[
        bool, typer.Option("--profile", help="Only its speed and power at each worker count.")
    ] = False,
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Tell all about one job: where it stands, why it waits, its attempts and its events."""
    from tidewatt.cli import detail, scaling, session  # noqa: PLC0415 - keeps `--help` quick

    tell = scaling.show_profile if profile else detail.show_job
    tell(session.look(home), job, json=json)


def logs(
    job: options.JobId,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing until the job has ended or rests.")
    ] = False,
    attempt: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only this attempt, counted from 1.", show_default="all"),
    ] = None,
    home: options.Home = None,
) -> None:
    """Print what the function printed."""
    from tidewatt.cli import logfiles, session  # noqa: PLC0415 - keeps `--help` quick

    logfiles.show_logs(session.look(home), job, follow=follow, attempt=attempt)


def receipt(
    job: options.JobId,
    *,
    form: Form = None,
    json: options.Json = False,
    out: Out = None,
    audit: Audit = False,
    mlflow: Mlflow = None,
    experiment: Experiment = None,
    home: options.Home = None,
) -> None:
    """Print the receipt of a job: energy, carbon, cost and water, with ranges; so far if it is open."""
    from tidewatt.cli import receipts, session  # noqa: PLC0415 - keeps `--help` quick

    written = receipts.form_of(form, json=json)
    client = session.open_client(home)
    found = client.job(job)
    if mlflow is not None or experiment is not None:
        from tidewatt.cli import tracking  # noqa: PLC0415 - the same

        tracking.log_receipt(receipts.receipt_of(client, found), mlflow, experiment)
    if audit:
        from tidewatt.cli import auditing  # noqa: PLC0415 - it loads numpy, which a receipt does without

        auditing.show_audit(client, found, written, out)
    else:
        receipts.show_receipt(client, found, written, out)


def wait(
    *,
    deadline: Annotated[
        str,
        typer.Option(metavar="TIME", help="The run must be done by then, from now: '90 min', 6h, '2 days'."),
    ],
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long the run takes: 30min, 2h.")
    ] = "1h",
    zone: options.OneZone = None,
    carbon: options.Carbon = None,
    start: options.Start = None,
    clock_speed: options.ClockSpeed = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell only what is wrong or missing.")] = False,
) -> None:
    """Return when it is time: at the cleanest start by forecast that still meets the deadline.

    One line makes any script, cron job or CI step wait for a cleaner hour.
    What it waits for, and what that is expected to save, is told on standard
    error; the decision is made anew each hour. Nothing is started or written.
    """
    from tidewatt.cli import waiting  # noqa: PLC0415 - keeps `--help` quick

    asked = waiting.Asked(
        zone=zone, deadline=deadline, length=length, carbon=carbon, start=start, clock_speed=clock_speed
    )
    raise typer.Exit(waiting.wait(asked, json=json, quiet=quiet))

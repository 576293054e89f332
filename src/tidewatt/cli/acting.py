"""The commands that change what becomes of a job: cancel, suspend and resume."""

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(epilog="Example:  [bold]tidewatt cancel digits-e35d4c[/bold]")(cancel)
    app.command(epilog="Example:  [bold]tidewatt suspend digits-e35d4c[/bold]")(suspend)
    app.command(epilog="Example:  [bold]tidewatt resume digits-e35d4c[/bold]")(resume)


def cancel(job: options.JobId, *, home: options.Home = None) -> None:
    """End a job without a result; its ledger and its log stay."""
    from tidewatt.cli import session, wishes  # noqa: PLC0415 - keeps `--help` quick

    wishes.cancel(session.open_client(home), job)


def suspend(job: options.JobId, *, home: options.Home = None) -> None:
    """Let a job write a checkpoint and rest until it is resumed."""
    from tidewatt.cli import session, wishes  # noqa: PLC0415 - keeps `--help` quick

    wishes.suspend(session.open_client(home), job)


def resume(job: options.JobId, *, home: options.Home = None) -> None:
    """Let a suspended job go on from its checkpoint."""
    from tidewatt.cli import session, wishes  # noqa: PLC0415 - keeps `--help` quick

    wishes.resume(session.open_client(home), job)

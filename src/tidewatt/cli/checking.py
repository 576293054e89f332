"""The command that holds receipts against a budget and a baseline, for continuous integration."""

from pathlib import Path
from typing import Annotated

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        epilog="Example:  [bold]tidewatt check receipt.json --budget budget.toml --junit energy.xml[/bold]"
    )(check)


def check(  # noqa: PLR0913 - each is an option of the command
    receipts: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECEIPT...", help="Receipts as JSON files, or identifiers of jobs."),
    ] = None,
    *,
    budget: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Upper bounds, as TOML; see the guide.")
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="RECEIPT", help="A receipt of the same work before the change. Repeatable."),
    ] = None,
    noise: Annotated[
        float, typer.Option(metavar="SHARE", help="How much more energy is still the same.")
    ] = 0.05,
    month: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM", help="Also hold a month of the state folder against the budget."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report as well.")] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append a table in Markdown to this file.")
    ] = None,
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Say whether runs keep to their budget and got no worse; the exit code is for scripts.

    Exit codes: 0 all is kept, 1 something is exceeded, 2 wrong usage,
    3 not enough evidence, which is never a pass.
    """
    from tidewatt.cli import gate, verdicts  # noqa: PLC0415 - keeps `--help` quick

    asked = gate.Asked(
        receipts=receipts or [],
        budget=budget,
        baseline=baseline or [],
        noise=noise,
        month=month,
        home=home,
    )
    raise typer.Exit(gate.run(asked, verdicts.Told(json=json, junit=junit, summary=summary)))

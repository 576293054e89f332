"""The commands that take a function or a command: run and plan."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        epilog="Example:  [bold]tidewatt run train.py --arg epochs=40 --deadline 24h --zone DE[/bold]  or  "
        "[bold]tidewatt run --deadline 6h --length 2h --zone DE -- ./train.sh --epochs 3[/bold]"
    )(run)
    app.command(epilog="Example:  [bold]tidewatt plan train.py --deadline 24h --length 3h --zone DE[/bold]")(
        plan
    )


def run(  # noqa: PLR0913 - each is an option of the command
    target: options.Target,
    *,
    arg: options.Arg = None,
    deadline: options.Deadline = None,
    length: options.Length = None,
    zone: options.Zone = None,
    label: options.Label = None,
    secret: options.Secret = None,
    workers: options.Workers = None,
    clock_speed: options.ClockSpeed = None,
    start: options.Start = None,
    carbon: options.Carbon = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Submit and return at once; the job goes on without a terminal.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines; the last one is the receipt.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write receipt.json and receipt.html into this folder.",
            show_default="nothing is written",
        ),
    ] = None,
    on_interrupt: Annotated[
        Literal["continue", "suspend"],
        typer.Option(
            "--on-interrupt", help="What Ctrl-C does to the job: it goes on, or rests until resumed."
        ),
    ] = "continue",
    home: options.Home = None,
) -> None:
    """Submit a function, a script or a command and follow it to its receipt.

    The job is durable before anything runs. Closing the terminal, killing
    everything or losing power delays it and loses nothing: `tidewatt jobs`
    finds it again. A training goes on from its last checkpoint; a command,
    which has none, is begun anew.
    """
    from tidewatt.cli.request import Wanted  # noqa: PLC0415 - keeps `--help` quick
    from tidewatt.cli.running import Manner, run_job  # noqa: PLC0415 - the same

    wanted = Wanted(
        target=target,
        arguments=arg or [],
        deadline=deadline,
        length=length,
        zones=zone or [],
        secrets=secret or [],
        labels=label or [],
        workers=workers,
        clock_speed=clock_speed,
        start=start,
        carbon=carbon,
        home=home,
    )
    code = run_job(wanted, Manner(detach=detach, json=json, out=out, suspend=on_interrupt == "suspend"))
    raise typer.Exit(code)


def plan(  # noqa: PLR0913 - each is an option of the command
    target: options.Target,
    *,
    arg: options.Arg = None,
    deadline: options.Deadline = None,
    length: options.Length = None,
    zone: options.Zone = None,
    secret: options.Secret = None,
    workers: options.Workers = None,
    clock_speed: options.ClockSpeed = None,
    start: options.Start = None,
    carbon: options.Carbon = None,
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Say when, where and on how many workers a job would run; nothing runs, nothing is written."""
    from tidewatt.cli.planning import show_plan  # noqa: PLC0415 - keeps `--help` quick
    from tidewatt.cli.request import Wanted  # noqa: PLC0415 - the same

    wanted = Wanted(
        target=target,
        arguments=arg or [],
        deadline=deadline,
        length=length,
        zones=zone or [],
        secrets=secret or [],
        workers=workers,
        clock_speed=clock_speed,
        start=start,
        carbon=carbon,
        home=home,
    )
    show_plan(wanted, json=json)

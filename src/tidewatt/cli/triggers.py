"""The commands about triggers: what is deployed, add, remove and fire."""

from typing import Annotated

import typer

from tidewatt.cli import options

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a trigger, as the list has it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(epilog="Example:  [bold]tidewatt triggers add pipeline.py[/bold]")
    group.callback(invoke_without_command=True)(triggers)
    group.command(epilog="Example:  [bold]tidewatt triggers add pipeline.py:thumbnail --zone DE[/bold]")(add)
    group.command(epilog="Example:  [bold]tidewatt triggers remove thumbnail[/bold]")(remove)
    group.command(epilog="Example:  [bold]tidewatt triggers fire[/bold]")(fire)
    app.add_typer(group, name="triggers")


def triggers(context: typer.Context, *, json: options.Json = False, home: options.Home = None) -> None:
    """List deployed triggers: what each waits for, when it is due, and its last job."""
    if context.invoked_subcommand is None:
        from tidewatt.cli import session, triggering  # noqa: PLC0415 - keeps `--help` quick

        triggering.show_triggers(session.look(home), json=json)


def add(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:FUNCTION]",
            help="A Python file, for all of its functions that wait for something, or one of them.",
        ),
    ],
    *,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call it.", show_default="as the function")
    ] = "",
    arg: options.Arg = None,
    zone: options.Zone = None,
    home: options.Home = None,
) -> None:
    """Deploy triggers: from now on they submit jobs by themselves, until they are removed.

    What is deployed is a copy; after a change of the file, add it again.
    """
    from tidewatt.cli import session, triggering  # noqa: PLC0415 - keeps `--help` quick

    triggering.add(session.open_client(home), target, name=name, pairs=arg or [], zones=zone or [])


def remove(name: Name, *, home: options.Home = None) -> None:
    """Remove a trigger; its jobs stay."""
    from tidewatt.cli import session, triggering  # noqa: PLC0415 - keeps `--help` quick

    triggering.remove(session.open_client(home), name)


def fire(
    *,
    stay: Annotated[
        bool, typer.Option("--stay", help="Look again by itself at files that were changed just now.")
    ] = False,
    home: options.Home = None,
) -> None:
    """Look at all triggers now and submit what is due; what waits for them calls this."""
    from tidewatt.cli import session, triggering  # noqa: PLC0415 - keeps `--help` quick

    raise typer.Exit(triggering.fire(session.open_client(home), stay=stay))

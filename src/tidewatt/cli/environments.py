"""The commands about environments: which were built, and removing them."""

from typing import Annotated

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(epilog="Example:  [bold]tidewatt environments[/bold]")
    group.callback(invoke_without_command=True)(environments)
    group.command(epilog="Example:  [bold]tidewatt environments remove --unused '30 days'[/bold]")(remove)
    app.add_typer(group, name="environments")


def environments(context: typer.Context, *, json: options.Json = False) -> None:
    """List the environments that were built: what is in them, their size, and when each was last used."""
    if context.invoked_subcommand is None:
        from tidewatt.cli import furnishing  # noqa: PLC0415 - keeps `--help` quick

        furnishing.show_environments(json=json)


def remove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Names, or how only one begins.")
    ] = None,
    *,
    unused: Annotated[
        str | None, typer.Option(metavar="TIME", help="All that nothing was started in for so long.")
    ] = None,
) -> None:
    """Remove environments; one that is needed again is built again. Those in use are left."""
    from tidewatt.cli import furnishing  # noqa: PLC0415 - keeps `--help` quick

    raise typer.Exit(furnishing.remove(names or [], unused))

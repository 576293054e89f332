"""The commands about secrets: what there is, set and remove; no value is ever shown."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidewatt.cli import options

if TYPE_CHECKING:
    from tidewatt.wiring import Home

Name = Annotated[str, typer.Argument(metavar="NAME", help="What functions ask for it by: HF_TOKEN.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(epilog="Example:  [bold]tidewatt secrets set HF_TOKEN < token.txt[/bold]")
    group.callback(invoke_without_command=True)(secrets)
    group.command("set", epilog="Example:  [bold]printenv HF_TOKEN | tidewatt secrets set HF_TOKEN[/bold]")(
        keep
    )
    group.command(epilog="Example:  [bold]tidewatt secrets remove HF_TOKEN[/bold]")(remove)
    app.add_typer(group, name="secrets")


def secrets(context: typer.Context, *, json: options.Json = False, home: options.Home = None) -> None:
    """List the names of the secrets that functions and commands can ask for."""
    if context.invoked_subcommand is None:
        from tidewatt.cli import words  # noqa: PLC0415 - keeps `--help` quick
        from tidewatt.runtime.secret import Secrets  # noqa: PLC0415 - the same

        names = Secrets(_place(home).secrets).names()
        if json:
            words.print_json(names)
        else:
            typer.echo("\n".join(names) or "No secrets yet; `tidewatt secrets set NAME` keeps one.")


def keep(name: Name, *, home: options.Home = None) -> None:
    """Keep a secret: read from standard input, or asked for; `ps` would show an argument."""
    from tidewatt.runtime.secret import Secrets  # noqa: PLC0415 - keeps `--help` quick

    asked = sys.stdin.isatty()
    value = typer.prompt(name, hide_input=True) if asked else sys.stdin.read().removesuffix("\n")
    place = _place(home)
    place.prepare()
    Secrets(place.secrets).keep(name, value)
    typer.echo(f"{name} is kept, for functions and commands that ask for it", err=True)


def remove(name: Name, *, home: options.Home = None) -> None:
    """Keep a secret no more; workers that have it keep it until they leave."""
    from tidewatt.runtime.secret import Secrets  # noqa: PLC0415 - keeps `--help` quick

    Secrets(_place(home).secrets).remove(name)
    typer.echo(f"{name} is removed", err=True)


def _place(home: Path | None) -> "Home":
    from tidewatt.wiring import Home  # noqa: PLC0415 - keeps `--help` quick

    return Home(home.absolute()) if home is not None else Home.default()

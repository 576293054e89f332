"""The `tidewatt` command: its commands, and the one place where errors become a line and an exit code."""

import io
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from tidewatt.cli import (
    acting,
    billing,
    checking,
    environments,
    looking,
    machine,
    secret,
    simulating,
    submitting,
    triggers,
)
from tidewatt.errors import TidewattError
from tidewatt.runtime.checkpoint import is_full

INTERRUPTED = 130
_FAILED = 1
_WRONG_USAGE = 2
_WrongUsage: type[Exception] = typer.BadParameter.__bases__[0]
"""What the command-line parser raises: the parent of all its complaints."""

app = typer.Typer(
    name="tidewatt",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here:  [bold]tidewatt run examples/digits.py --zone DE --clock-speed 3600[/bold]",
)
for room in (
    submitting,
    looking,
    billing,
    checking,
    simulating,
    acting,
    triggers,
    environments,
    secret,
    machine,
):
    room.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidewatt {version('tidewatt')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def tidewatt(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serverless AI training that follows the clean tide of power.

    You submit an ordinary training function. It waits in a durable queue,
    runs in the cleanest hours before its deadline, on workers that start from
    zero, and ends with a receipt: joules, grams, litres and money.

    $TIDEWATT_HOME       the state folder
    $TIDEWATT_ZONE       the grid zone of this machine
    $TIDEWATT_POLICY     how jobs are planned, $TIDEWATT_OBJECTIVE what for
    $TIDEWATT_FORECAST   how hours to come are foretold
    Exit codes: 0 success, 1 job failed, 2 wrong usage, 3 refused, 130 interrupted
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; the process ends with the exit code that fits."""
    _open_output()
    try:
        code = app(prog_name="tidewatt", standalone_mode=False)
        sys.stdout.flush()
    except TidewattError as error:
        _complain(str(error))
        code = error.exit_code
    except _WrongUsage as error:
        _complain(_usage(error))
        code = _WRONG_USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        code = _nobody_reads()
    except Exception as error:  # noqa: BLE001 - nothing that goes wrong ends in a traceback
        code = _stumbled(error)
    sys.exit(code if isinstance(code, int) else 0)


def _open_output() -> None:
    """Have output go somewhere where the shell has closed it, and in such letters as there are."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _stumbled(error: Exception) -> int:
    """A disk without room is the user's to mend; the rest is ours."""
    if isinstance(error, OSError) and is_full(error):
        _nobody_reads()
        _complain(f"found no room to write ({error.strerror}); wanted a disk with room; free some space")
        return _FAILED
    if os.environ.get("TIDEWATT_DEBUG"):
        raise error
    _complain(
        f"found a bug of ours, {type(error).__name__}: {error}; wanted none; "
        "set TIDEWATT_DEBUG=1 to see where, and please report it"
    )
    return _FAILED


def _complain(text: str) -> None:
    typer.echo(f"tidewatt: {' '.join(text.split())}", err=True)


def _usage(error: Exception) -> str:
    """One line of what the parser says, and which --help to read."""
    said = str(getattr(error, "format_message", error.__str__)())
    path: str = getattr(getattr(error, "ctx", None), "command_path", "") or "tidewatt"
    return f"{said.rstrip('.')}; `{path} --help` shows what is wanted"


def _nobody_reads() -> int:
    """The reader of a pipe has left; what is still buffered must not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _FAILED


if __name__ == "__main__":
    main()

"""How commands open a state folder, and see to it that unfinished work goes on."""

import atexit
from pathlib import Path

import typer

from tidewatt import waiting
from tidewatt.sdk.client import Client


def open_client(home: Path | None) -> Client:
    """The client of a state folder, closed when the command ends."""
    client = Client(home)
    atexit.register(client.close)
    return client


def look(home: Path | None) -> Client:
    """The client for a command that only looks; after a crash or a reboot it sets the work going again."""
    client = open_client(home)
    if client.wake():
        typer.echo("tidewatt: unfinished jobs had nobody at work on them; a supervisor was started", err=True)
    if waiting.resume(client.home):
        typer.echo("tidewatt: triggers had nobody waiting for them; a watcher was started", err=True)
    return client


def back(client: Client, command: str, job_id: str = "") -> str:
    """A command line that reaches the same state folder: ``tidewatt logs -f JOB``."""
    named = "" if client.home == type(client.home).default() else f" --home {client.home.path}"
    return f"tidewatt {command}{' ' if job_id else ''}{job_id}{named}"

"""Asks something of a job and waits until it has come about."""

import typer

from tidewatt.cli.session import back
from tidewatt.domain.function import Kind
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.errors import UsageError
from tidewatt.sdk.client import Client


def cancel(client: Client, name: str) -> None:
    """End a job, and wait for its workers to be gone."""
    job = client.job(name)
    client.cancel(job.id)
    for _ in client.follow(job.id):
        pass
    state = client.job(job.id).state
    typer.echo(f"{job.id} is cancelled" if state is State.CANCELLED else f"{job.id} had already {state}")


def suspend(client: Client, name: str) -> None:
    """Let a job save and rest, and wait until it does."""
    job = client.job(name)
    if job.function.kind in {Kind.FUNCTION, Kind.CALLS} and job.state in ACTIVE:
        raise UsageError(
            f"job {job.id}, a function that has started",
            "a training, or a function that still waits",
            "let it finish, or cancel it",
        )
    client.hold(job.id)
    for _ in client.follow(job.id):
        pass
    job = client.job(job.id)
    if job.state in ENDED:
        typer.echo(f"{job.id} has {job.state}")
    else:
        typer.echo(f"{job.id} is suspended; {back(client, 'resume', job.id)} lets it go on")


def resume(client: Client, name: str) -> None:
    """Let a held job go on, without waiting for anything."""
    job = client.job(name)
    held = job.wish is Wish.HOLD
    client.resume(job.id)
    said = "goes on" if held else "was not suspended, and goes on"
    typer.echo(f"{job.id} {said}; {back(client, 'logs -f', job.id)} shows what it prints")

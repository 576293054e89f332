"""Adds, lists, removes and fires triggers for the commands."""

import sys
from contextlib import redirect_stdout
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from tidewatt import waiting, wiring
from tidewatt.cli import words
from tidewatt.domain.trigger import After, Files, Schedule, Trigger
from tidewatt.errors import UsageError
from tidewatt.policy import due
from tidewatt.sdk import deploying, firing
from tidewatt.sdk.causes import origin_of
from tidewatt.sdk.client import Client
from tidewatt.sdk.functions import Handle
from tidewatt.sdk.load import load_all, parse_arguments

_KINDS = {Schedule: "schedule", Files: "files", After: "after"}


def add(client: Client, target: str, *, name: str, pairs: list[str], zones: list[str]) -> None:
    """Deploy the triggers of a file, or one of them."""
    file, _, function = target.partition(":")
    with redirect_stdout(sys.stderr):
        path, handles = load_all(file)
    chosen = _chosen(file, function, handles, str(path.resolve()))
    if name and len(chosen) > 1:
        raise UsageError(
            f"--name for {len(chosen)} triggers", "one function", f"write {file}:{next(iter(chosen))}"
        )
    arguments = parse_arguments(pairs)
    deployed = [
        deploying.deploy(client, handle, arguments, source=path, name=name, zones=tuple(zones))
        for handle in chosen.values()
    ]
    fired = firing.fire(client)
    for trigger in deployed:
        typer.echo(f"{trigger.name} waits for {words.printable(trigger.cause.told)}")
    _tell(fired)


def remove(client: Client, name: str) -> None:
    """Remove a trigger, and let those who wait know."""
    deploying.remove(client, name)
    _tell(firing.fire(client))
    typer.echo(f"{name} is removed; its jobs stay")


def fire(client: Client, *, stay: bool) -> int:
    """Look at all triggers; 1 if something stood in the way of one."""
    fired = firing.fire(client, stay=stay)
    _tell(fired)
    return 1 if fired.problems else 0


def show_triggers(client: Client, *, json: bool) -> None:
    """Print what is deployed."""
    deployed = client.triggers.all()
    if json:
        words.print_json([_values(client, trigger) for trigger in deployed])
        return
    screen = words.screen()
    if not deployed:
        screen.print("No triggers; `tidewatt triggers add FILE` deploys those of a file.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("Trigger", "Waits for", "Next", "Jobs", "Last"):
        table.add_column(heading, justify="right" if heading == "Jobs" else "left")
    for trigger in deployed:
        next_wall = _next(trigger)
        jobs, refused = client.triggers.counts(trigger.name)
        table.add_row(
            Text(trigger.name, "bold"),
            words.printable(trigger.cause.told),
            "" if next_wall is None else words.instant(next_wall),
            f"{jobs}, {refused} refused" if refused else str(jobs),
            _last(client, trigger),
        )
    screen.print(table)


def _chosen(
    file: str, function: str, handles: dict[str, Handle[Any, Any]], origin: str
) -> dict[str, Handle[Any, Any]]:
    """The function that is named, or all of the file's own that wait for something."""
    if function:
        if function not in handles:
            there = ", ".join(handles) or "none"
            raise UsageError(f"no decorated function {function!r} in {file}", f"one of its own: {there}")
        return {function: handles[function]}
    waiting_ones = {
        name: handle
        for name, handle in handles.items()
        if handle.cause is not None and origin_of(handle.body) == origin
    }
    if not waiting_ones:
        raise UsageError(
            f"no function in {file} that waits for anything",
            "a trigger",
            "give a decorator schedule=, on= or after=",
        )
    return waiting_ones


def _next(trigger: Trigger) -> float | None:
    """When a schedule is due next."""
    if not isinstance(trigger.cause, Schedule):
        return None
    return due.following(trigger.cause, wiring.clock_of(None).wall())


def _last(client: Client, trigger: Trigger) -> str:
    last = client.triggers.last(trigger.name)
    if last is None:
        return ""
    if last.job_id is None:
        return f"{last.occasion.said}: {'refused, ' + last.refused if last.refused else 'waiting'}"
    return f"{last.job_id} {client.job(last.job_id).state}"


def _values(client: Client, trigger: Trigger) -> dict[str, object]:
    last, next_wall = client.triggers.last(trigger.name), _next(trigger)
    jobs, refused = client.triggers.counts(trigger.name)
    return {
        "trigger": trigger.name,
        "kind": _KINDS[type(trigger.cause)],
        "waits_for": trigger.cause.told,
        "function": trigger.function.name,
        "file": trigger.payload.origin,
        "next_at": None if next_wall is None else words.iso(next_wall),
        "jobs": jobs,
        "refused": refused,
        "last_job": None if last is None else last.job_id,
        "last_said": None if last is None else last.occasion.said,
        "last_refused": None if last is None else last.refused or None,
        "waiter": waiting.waiter(client.home).kind,
    }


def _tell(fired: firing.Fired) -> None:
    for job_id in fired.jobs:
        typer.echo(f"submitted {job_id}")
    for name, why in fired.problems:
        typer.echo(f"tidewatt: trigger {name}: {words.printable(why)}", err=True)

"""Submits a job, follows it, and says how it ended."""

import signal
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console

from tidewatt import wiring
from tidewatt.cli import words
from tidewatt.cli.following import LineTeller, LiveTeller, Teller, follow, line, values
from tidewatt.cli.panel import pace
from tidewatt.cli.receipts import as_values, make_folder, receipt_of, write_receipts
from tidewatt.cli.request import Request, Wanted, parse
from tidewatt.cli.session import back, open_client
from tidewatt.domain.estimate import Tier
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Job, done_before
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State
from tidewatt.errors import UsageError
from tidewatt.report import text
from tidewatt.sdk.client import Client
from tidewatt.sdk.environments import furnish

_JSON_EVERY_S = 1.0
SUCCESS, JOB_FAILED, REFUSED, INTERRUPTED = 0, 1, 3, 130


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is told and what an interrupt does to it."""

    detach: bool
    json: bool
    out: Path | None
    suspend: bool


def run_job(wanted: Wanted, manner: Manner) -> int:
    """Submit and, unless detached, follow; the exit code is returned."""
    request = parse(wanted)
    if manner.out is not None and manner.detach:
        raise UsageError(
            "--out together with --detach",
            "one of them, as a detached run has no receipt yet",
            "`tidewatt receipt JOB --format html -o FILE` writes it later",
        )
    if manner.out is not None:
        make_folder(manner.out)
    client = open_client(wanted.home)
    furnish(request.handle.spec, by_value=request.options.source is None)  # an interrupt ends it
    with _held_back() as interrupted:
        job = client.job(client.submit(request.handle, request.arguments, request.options))
    told = words.screen(err=manner.json)
    if manner.detach:
        _detached(client, job, manner)
        return SUCCESS
    try:
        if interrupted():
            raise KeyboardInterrupt  # noqa: TRY301 - it came in while the job was being submitted
        _introduce(client, job, request, told)
        _warn_of_repeats(client, job, told)
        _follow(client, job, manner, told)
    except KeyboardInterrupt:
        return _interrupted(client, job, manner)
    return _finish(client, client.job(job.id), manner)


@contextmanager
def _held_back() -> Generator["_Flag"]:
    """Keep an interrupt until the body is done: a job is submitted, or it is not."""
    flag = _Flag()
    before = signal.signal(signal.SIGINT, flag.set)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


class _Flag:
    """Whether an interrupt came in."""

    def __init__(self) -> None:
        self._came = False

    def set(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True

    def __call__(self) -> bool:
        return self._came


def _kind(tier: Tier) -> str:
    return "MODEL" if tier >= Tier.MODEL else f"tier {int(tier)}"


def _introduce(client: Client, job: Job, request: Request, told: Console) -> None:
    """Say what the figures to come are made from; a model is called one."""
    submission, world = job.submission, job.submission.world
    grid = submission.grid if world.carbon_file else f"{submission.grid} (MODEL)"
    usable = [finding for finding in wiring.meters(client.home) if finding.usable]
    first = next(finding for finding in usable if not finding.beside)
    used = [first, *(finding for finding in usable if finding.beside)]
    meters = ", ".join(f"{meter.name} ({_kind(meter.tier)})" for meter in used)
    told.print(f"Grid: {grid}, zone {', '.join(world.zones)}. Meter: {meters}.")
    if not world.replayed:
        return
    why = ""
    if request.options.speed is None and request.options.start_at is not None:
        why = " (--clock-speed 3600, implied by --start)"
    elif request.options.speed is None:
        why = " (as the open jobs of this state folder)"
    told.print(
        f"Clock: {pace(world.speed)}{why}.",
    )


def _warn_of_repeats(client: Client, job: Job, told: Console) -> None:
    """Say if the same code has run with the same arguments before: its result is still there."""
    same = done_before(job, client.store.jobs())
    if same is not None:
        told.print(f"The same code ran with the same arguments before: {back(client, 'show', same.id)}")


def _teller(job: Job, manner: Manner, told: Console) -> Teller:
    if manner.json:
        return LineTeller(
            lambda update: words.print_json(values(update)),
            told.print,
            every_s=_JSON_EVERY_S,
        )
    if told.is_terminal and not told.is_dumb_terminal:
        return LiveTeller(job, told)
    return LineTeller(lambda update: typer.echo(line(update)), told.print)


def _follow(client: Client, job: Job, manner: Manner, told: Console) -> None:
    teller = _teller(job, manner, told)
    with teller.shown() if isinstance(teller, LiveTeller) else nullcontext():
        follow(client, job, teller)


def _detached(client: Client, job: Job, manner: Manner) -> None:
    if manner.json:
        words.print_json({"job": job.id, "state": str(job.state)})
    else:
        typer.echo(
            f"{job.id} is queued and goes on by itself. To watch it: {back(client, 'logs -f', job.id)}"
        )


def _interrupted(client: Client, job: Job, manner: Manner) -> int:
    """After Ctrl-C: the job goes on, or rests, and the user learns how to get back to it."""
    job = client.job(job.id)
    if job.state in ENDED:
        typer.echo(f"\nInterrupted, but {job.id} had already {job.state}.", err=True)
    elif manner.suspend and (job.function.kind is not Kind.FUNCTION or job.state not in ACTIVE):
        client.hold(job.id)
        typer.echo(f"\nInterrupted: {job.id} writes a checkpoint and rests ...", err=True)
        for _ in client.follow(job.id):
            pass
        state = client.job(job.id).state
        ending = f"{job.id} has {state}." if state in ENDED else f"{job.id} is suspended; nothing is lost."
        typer.echo(f"{ending}\n  {back(client, 'resume', job.id)}   lets it go on", err=True)
    else:
        runs_on = "a function runs through once started, so it" if manner.suspend else "it"
        ways = (
            (f"logs -f {job.id}", "watch it"),
            ("jobs", "see where it stands"),
            (f"cancel {job.id}", "end it"),
        )
        commands = [(back(client, command), what) for command, what in ways]
        width = max(len(command) for command, _ in commands)
        typer.echo(f"\nInterrupted: {job.id} - {runs_on} goes on without this terminal.", err=True)
        for command, what in commands:
            typer.echo(f"  {command:<{width}}   {what}", err=True)
    return INTERRUPTED


def _finish(client: Client, job: Job, manner: Manner) -> int:
    """Print the receipt and how the job ended."""
    receipt = receipt_of(client, job)
    if not manner.json:
        typer.echo(f"\n{text.render(receipt)}", nl=False)
    if manner.out is not None:
        written = write_receipts(receipt, manner.out)
        typer.echo(f"Receipt written to {written[0]} and {written[1]}", err=manner.json)
    code = _verdict(client, job)
    if manner.json:
        words.print_json(as_values(receipt))
    return code


def _verdict(client: Client, job: Job) -> int:
    if job.state is State.SUCCEEDED:
        return SUCCESS
    if job.state is State.FAILED:
        typer.echo(words.printable((job.error or "it does not say why").rstrip()), err=True)
        typer.echo(f"tidewatt: job {job.id} failed; see {back(client, 'logs', job.id)}", err=True)
        return JOB_FAILED
    if job.state is State.CANCELLED:
        typer.echo(f"tidewatt: job {job.id} was cancelled", err=True)
        return JOB_FAILED
    over = next(
        (e.detail for e in reversed(client.store.events(job.id)) if e.detail.startswith("over its ")), ""
    )
    resume = back(client, "resume", job.id)
    if over:
        typer.echo(
            f"tidewatt: found job {job.id} {over}; wanted one within it; it rests at its checkpoint", err=True
        )
        return REFUSED
    typer.echo(f"tidewatt: job {job.id} was suspended from elsewhere; {resume} lets it go on", err=True)
    return INTERRUPTED

"""Shows one job in full."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidewatt.cli import words
from tidewatt.cli.listing import job_values, progress, workers_of
from tidewatt.domain.job import Attempt, Event, Job
from tidewatt.domain.units import MICROJOULES, format_duration, format_quantity
from tidewatt.sdk.client import Client

_NEWEST_EVENTS = 20


def show_job(client: Client, name: str, *, json: bool) -> None:
    """Print where a job stands and how it came there."""
    job = client.job(name)
    if json:
        words.print_json(_values(client, job))
        return
    screen = words.screen()
    for label, value in _facts(client, job):
        screen.print(Text.assemble((f"{label:<11}", "dim"), value))
    attempts = client.store.attempts(job.id)
    if attempts:
        screen.print()
        screen.print(_attempts(attempts))
    screen.print()
    _print_events(screen, client.store.events(job.id))
    if job.error:
        screen.print()
        screen.print(words.printable(job.error.rstrip()))


def _facts(client: Client, job: Job) -> list[tuple[str, str]]:
    submission = job.submission
    plan = client.store.last_plan()
    note = plan.note(job.id) if plan else ""
    sign, said = words.standing(job.state, job.wish, workers_of(client, job), note)
    arguments = ", ".join(f"{k}={v}" for k, v in submission.arguments.items())
    origin = client.triggers.origin_of(job.id)
    within = job.function.environment
    deadline_at = submission.deadline_at
    energy_j = sum(balance.energy_uj for balance in client.store.balances(job.id)) / MICROJOULES
    facts = [
        ("Job", job.id),
        ("Function", words.printable(f"{job.function.name}({arguments})")),
        ("Trigger", "" if origin is None else words.printable(f"{origin.trigger}, {origin.said}")),
        ("Runs in", "" if within is None else words.printable(f"{within.digest}: {within.told}")),
        ("State", f"{sign} {said}"),
        ("Plan", note if job.ended_at is None else ""),
        ("Progress", progress(job)),
        ("Loss", sparkline([loss for _, _, _, loss in client.store.progress(job.id) if loss is not None])),
        ("Energy", f"{format_quantity(energy_j, 'J')}{' so far' if job.ended_at is None else ''}"),
        ("Grid", f"{submission.home_zone}, {submission.grid}"),
        ("Submitted", words.instant(submission.submitted_at)),
        ("Deadline", "none" if deadline_at is None else words.instant(deadline_at)),
        ("Ended", "" if job.ended_at is None else words.instant(job.ended_at)),
        ("Result", "" if job.result is None else words.printable(str(client.shown_result(job)))),
        ("Folder", str(client.folder(job))),
    ]
    return [(label, value) for label, value in facts if value]


def sparkline(values: list[float], width: int = 40) -> str:
    """Values over time as block characters, with the first and the last; empty of fewer than two."""
    finite = [v for v in values if v - v == 0]
    if len(finite) < 2:
        return ""
    step = max(1, -(-len(finite) // width))
    picked = [sum(finite[i : i + step]) / len(finite[i : i + step]) for i in range(0, len(finite), step)]
    low, high = min(picked), max(picked)
    drawn = "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * (v - low) / ((high - low) or 1)))] for v in picked)
    return f"{finite[0]:.4g} {drawn} {finite[-1]:.4g}"


def _attempts(attempts: list[Attempt]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Attempt", "Site", "Workers", "From", "Until", "Real time", "Steps", "Outcome"):
        table.add_column(name, justify="right" if name in {"Attempt", "Workers"} else "left")
    for attempt in attempts:
        ended = attempt.ended_wall is not None and attempt.ended_at is not None
        table.add_row(
            str(attempt.token),
            attempt.site,
            str(attempt.workers),
            words.hour(attempt.started_at),
            words.hour(attempt.ended_at or 0.0) if ended else "",
            format_duration((attempt.ended_wall or 0.0) - attempt.started_wall) if ended else "",
            "" if attempt.first_step is None else f"{attempt.first_step} to {attempt.last_step}",
            attempt.outcome or "under way",
        )
    return table


def _print_events(screen: Console, events: list[Event]) -> None:
    screen.print(Text("Events", "bold"))
    if len(events) > _NEWEST_EVENTS:
        screen.print(f"({len(events) - _NEWEST_EVENTS} earlier ones: --json)", style="dim")
    for event in events[-_NEWEST_EVENTS:]:
        state = f"{event.after}" if event.before != event.after else ""
        detail = "" if event.detail == state else words.printable(event.detail)
        said = f"{state:<11}  {detail}"
        screen.print(Text.assemble((words.hour(event.at), "dim"), f"  {said.rstrip()}"))


def _values(client: Client, job: Job) -> dict[str, object]:
    plan = client.store.last_plan()
    origin = client.triggers.origin_of(job.id)
    within = job.function.environment
    return {
        **job_values(client, job),
        "environment": None if within is None else {"id": within.digest, "told": within.told},
        "trigger": None if origin is None else {"name": origin.trigger, "said": origin.said},
        "plan_note": plan.note(job.id) if plan else "",
        "result": client.shown_result(job),
        "folder": str(client.folder(job)),
        "attempts": [
            {
                "attempt": a.token,
                "site": a.site,
                "zone": a.zone,
                "workers": a.workers,
                "started_at": words.iso(a.started_at),
                "ended_at": None if a.ended_at is None else words.iso(a.ended_at),
                "first_step": a.first_step,
                "last_step": a.last_step,
                "outcome": a.outcome,
            }
            for a in client.store.attempts(job.id)
        ],
        "events": [
            {
                "at": words.iso(e.at),
                "before": None if e.before is None else str(e.before),
                "after": str(e.after),
                "attempt": e.token,
                "detail": e.detail,
            }
            for e in client.store.events(job.id)
        ],
        "progress": [
            {"at": words.iso(at), "step": step, "workers": workers, "loss": loss}
            for at, step, workers, loss in client.store.progress(job.id)
        ],
    }

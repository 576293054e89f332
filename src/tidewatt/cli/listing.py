"""Lists jobs."""

from rich.table import Table
from rich.text import Text

from tidewatt.cli import words
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.domain.units import format_duration
from tidewatt.sdk.client import Client

_NEWEST = 10
_COLOURS = {State.SUCCEEDED: "#2ea060", State.FAILED: "#ce4c3e", State.CANCELLED: "dim"}


def show_jobs(client: Client, *, every: bool, json: bool) -> None:
    """Print the open jobs and those that ended last."""
    if every:
        shown = client.store.jobs()
    else:
        shown = [*client.store.jobs_at_hand(_NEWEST), *client.store.ended_last(_NEWEST)]
        shown.sort(key=lambda job: job.seq)
    if json:
        words.print_json([job_values(client, job) for job in shown])
        return
    screen = words.screen()
    if not shown:
        screen.print("No jobs yet; `tidewatt run FILE` submits one.")
        return
    now = client.now()
    screen.print(_table(client, shown, now))
    left = client.store.counts()
    left.subtract(job.state for job in shown)
    ended = sum(left[state] for state in ENDED)
    hidden = {"waiting behind them": left.total() - ended, "that ended longer ago": ended}
    told = [f"{count:,} {which}" for which, count in hidden.items() if count > 0]
    if told:
        screen.print(f"and {' and '.join(told)}: --all", style="dim")


def _table(client: Client, jobs: list[Job], now: float) -> Table:
    plan = client.store.last_plan()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Job", "State", "Progress", "Submitted", "Deadline"):
        table.add_column(name, no_wrap=name != "State")
    for job in jobs:
        sign, said = words.standing(
            job.state, job.wish, workers_of(client, job), plan.note(job.id) if plan else ""
        )
        table.add_row(
            Text(job.id, "bold"),
            Text(f"{sign} {said}", _COLOURS.get(job.state, "#2ea060" if job.state in ACTIVE else "")),
            progress(job),
            words.date(job.submission.submitted_at),
            _deadline(job, now),
        )
    return table


def workers_of(client: Client, job: Job) -> int:
    """How many workers a job has now."""
    attempts = client.store.attempts(job.id) if job.state in ACTIVE else []
    return attempts[-1].workers if attempts else 0


def progress(job: Job) -> str:
    """``"117 of 440 steps, loss 0.014"``."""
    told = words.steps(max(job.steps_done, job.steps_reached), job.steps_total)
    return told if job.loss is None else f"{told}, loss {job.loss:.4g}"


def _deadline(job: Job, now: float) -> str:
    deadline_at = job.submission.deadline_at
    if deadline_at is None:
        return "none"
    if job.ended_at is not None:
        return "kept" if job.state is State.SUCCEEDED and job.ended_at <= deadline_at else "missed"
    left = deadline_at - now
    return (
        f"in {format_duration(60 * round(left / 60))}" if left > 0 else f"passed {format_duration(-left)} ago"
    )


def job_values(client: Client, job: Job) -> dict[str, object]:
    """A job as plain values; what is not known is null."""
    submission = job.submission
    deadline_at = submission.deadline_at
    return {
        "job": job.id,
        "function": job.function.name,
        "arguments": submission.arguments,
        "state": str(job.state),
        "held": job.wish is Wish.HOLD,
        "workers": workers_of(client, job),
        "steps_done": max(job.steps_done, job.steps_reached),
        "steps_total": job.steps_total,
        "loss": job.loss,
        "zone": submission.home_zone,
        "submitted_at": words.iso(submission.submitted_at),
        "deadline_at": None if deadline_at is None else words.iso(deadline_at),
        "ended_at": None if job.ended_at is None else words.iso(job.ended_at),
        "error": job.error,
    }

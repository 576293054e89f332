"""Shows what is known of a job's speed and power at each worker count."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from tidewatt.accounting.pace import Stint, joules_per_step, stints
from tidewatt.cli import words
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.function import Kind
from tidewatt.domain.job import Job
from tidewatt.domain.units import format_duration, format_quantity
from tidewatt.errors import UsageError
from tidewatt.policy.profile import Profile, learn
from tidewatt.sdk.client import Client

_COLUMNS = ("Workers", "Steps a second", "Speed-up", "Safe", "Energy a step", "Power", "Known from")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """One worker count: what was seen at it, or is expected of it."""

    workers: int
    steps_per_s: Estimate
    speedup: float
    safe_speedup: float
    joules_per_step: Estimate | None
    attempts: int

    @property
    def watts(self) -> float | None:
        """Power of all workers together while they compute."""
        return None if self.joules_per_step is None else self.joules_per_step.value * self.steps_per_s.value


def show_profile(client: Client, name: str, *, json: bool) -> None:
    """Print throughput, energy and power of a training by worker count, seen or expected.

    Raises:
        UsageError: the job is no training, or too few of its steps were timed yet.
    """
    job = client.job(name)
    if job.function.kind is not Kind.TRAINING:
        raise UsageError(
            f"job {job.id}, a {job.function.kind}",
            "a training, whose steps can be counted",
            "name another job",
        )
    attempts = client.store.attempts(job.id)
    learned = learn(attempts)
    if not learned.steps_per_s:
        raise UsageError(
            f"job {job.id}, of which too few steps were timed yet",
            "a few steps of one attempt",
            "ask again once it has run for a second",
        )
    done = stints(attempts, client.store.balances(job.id))
    scales = [_scale(job, learned, done, count) for count in range(1, job.function.workers.most + 1)]
    startup_s = learned.startup_s if learned.startup_seen else None
    if json:
        words.print_json({"job": job.id, "startup_s": startup_s, "counts": [_values(s) for s in scales]})
        return
    screen = words.screen()
    screen.print(_table(scales))
    screen.print()
    if startup_s is not None:
        screen.print(f"A start takes {format_duration(startup_s)} of real time, from fork to first step.")
    screen.print("Plans go by the speed-up; deadlines count on the safe one, which has to be seen first.")


def _scale(job: Job, learned: Profile, done: Sequence[Stint], count: int) -> _Scale:
    most, rate = job.function.workers.most, learned.rate(count) or 0.0
    timed = [
        s.timed_steps / s.timed_s for s in done if s.workers == count and s.timed_s > 0 and s.timed_steps
    ]
    energy = joules_per_step(done, count)
    return _Scale(
        workers=count,
        steps_per_s=Estimate(rate, min(rate, *timed), max(rate, *timed)) if timed else Estimate.exact(rate),
        speedup=learned.speedup(most)[count - 1],
        safe_speedup=learned.safe_speedup(most)[count - 1],
        joules_per_step=energy.figure if energy is not None and energy.seen else None,
        attempts=len(timed),
    )


def _table(scales: Sequence[_Scale]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == _COLUMNS[-1] else "right")
    for scale in scales:
        joules, watts = scale.joules_per_step, scale.watts
        row = (
            str(scale.workers),
            _ranged(scale.steps_per_s, ""),
            f"{scale.speedup:.2f}",
            f"{scale.safe_speedup:.2f}",
            "" if joules is None else _ranged(joules, "J"),
            "" if watts is None else format_quantity(watts, "W"),
            words.count(scale.attempts, "attempt") if scale.attempts else "nothing yet: expected",
        )
        table.add_row(*(Text(cell, style="" if scale.attempts else "dim") for cell in row))
    return table


def _ranged(figure: Estimate, unit: str) -> str:
    value, low, high = (
        format_quantity(each, unit).rstrip() for each in (figure.value, figure.low, figure.high)
    )
    return value if low == high else f"{value} ({low} to {high})"


def _values(scale: _Scale) -> dict[str, object]:
    joules = scale.joules_per_step
    return {
        "workers": scale.workers,
        "steps_per_s": scale.steps_per_s.bounds(),
        "speedup": scale.speedup,
        "safe_speedup": scale.safe_speedup,
        "joules_per_step": None if joules is None else joules.bounds(),
        "watts": scale.watts,
        "attempts": scale.attempts,
    }

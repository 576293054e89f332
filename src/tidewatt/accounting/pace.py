"""What one step of a job took at each worker count, in joules and in real seconds, as observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tidewatt.domain.estimate import Estimate
from tidewatt.domain.job import Attempt
from tidewatt.domain.ledger import Balance, Phase

WORK = frozenset({Phase.COMPUTE, Phase.COMM, Phase.STALLED})
"""The phases that any run of the same steps would have; the others are how this one came about."""

_MIN_STEPS = 3
_MIN_TIMED_S = 0.3
"""Below that the power of a stint says little."""


@dataclass(frozen=True, slots=True)
class Stint:
    """What one attempt added to a job: ``steps`` that were new, and what they took.

    ``timed_steps`` in ``timed_s`` real seconds are those between its first and last report, replayed
    ones included.
    """

    workers: int
    steps: int
    energy_j: float
    timed_steps: int
    timed_s: float


@dataclass(frozen=True, slots=True)
class Observed:
    """A figure, and whether it was seen at the worker count asked for (or carried over from others)."""

    figure: Estimate
    seen: bool


def stints(attempts: Sequence[Attempt], balances: Sequence[Balance]) -> tuple[Stint, ...]:
    """Divide the work of a job among its attempts.

    A step that an attempt did again is not new. A step that no attempt reported, because it left between
    two reports, belongs to the one that left.
    """
    ordered = sorted((a for a in attempts if a.first_step is not None), key=lambda a: a.token)
    steps, reached = [0] * len(ordered), 0
    for index, attempt in enumerate(ordered):
        first, last = attempt.first_step or 0, attempt.last_step or 0
        unreported = max(0, first - 1 - reached)
        steps[max(0, index - 1)] += unreported
        steps[index] += max(0, last - reached - unreported)
        reached = max(reached, last)
    return tuple(
        Stint(
            workers=attempt.workers,
            steps=count,
            energy_j=work_energy_j(balances, attempt.token),
            timed_steps=(attempt.last_step or 0) - (attempt.first_step or 0),
            timed_s=attempt.training_wall_s,
        )
        for attempt, count in zip(ordered, steps, strict=True)
    )


def work_energy_j(balances: Sequence[Balance], token: int) -> float:
    """The joules of compute and communication of one attempt, as the meter counts them."""
    return sum(
        balance.energy_uj / 1_000_000
        for balance in balances
        if balance.token == token and balance.phase in WORK
    )


def joules_per_step(done: Sequence[Stint], workers: int) -> Observed | None:
    """The mean energy of a step at a worker count, else over all counts; None if no step took energy.

    The range is that over the attempts it is the mean of, those shorter than half their median left out,
    for a few steps say little.
    """
    usable = [s for s in done if s.steps > 0 and s.energy_j > 0]
    here = [s for s in usable if s.workers == workers]
    chosen = here or usable
    if not chosen:
        return None
    mean = sum(s.energy_j for s in chosen) / sum(s.steps for s in chosen)
    half = median(s.steps for s in chosen) / 2
    each = [s.energy_j / s.steps for s in chosen if s.steps >= half]
    return Observed(Estimate(mean, min(mean, *each), max(mean, *each)), seen=bool(here))


def steps_per_second(done: Sequence[Stint], workers: int) -> Observed | None:
    """Steps per real second at a worker count, else in proportion from the nearest count; None if unseen."""
    timed = [s for s in done if s.timed_steps > 0 and s.timed_s > 0]
    if not timed:
        return None
    nearest = min((s.workers for s in timed), key=lambda count: (abs(count - workers), count))
    chosen = [s for s in timed if s.workers == nearest]
    rate = sum(s.timed_steps for s in chosen) / sum(s.timed_s for s in chosen)
    return Observed(Estimate.exact(rate * workers / nearest), seen=nearest == workers)


def watts_seen(done: Sequence[Stint]) -> dict[int, float]:
    """Mean power of all workers together while they compute, by worker count, where that can be told."""
    seen: dict[int, float] = {}
    for workers in {s.workers for s in done}:
        here = [s for s in done if s.workers == workers]
        timed = [s for s in here if s.timed_steps >= _MIN_STEPS and s.timed_s >= _MIN_TIMED_S]
        energy = joules_per_step(here, workers)
        if timed and energy is not None:
            rate = sum(s.timed_steps for s in timed) / sum(s.timed_s for s in timed)
            seen[workers] = energy.figure.value * rate
    return seen


def watts(seen: Mapping[int, float], most: int, otherwise: float) -> tuple[float, ...]:
    """Power with 1, 2, ... workers: as seen, else in proportion from the nearest count that was.

    Args:
        seen: what was seen, by worker count.
        most: the highest count asked for.
        otherwise: what one worker is taken to draw if nothing was seen.
    """
    if not seen:
        return tuple(count * otherwise for count in range(1, most + 1))
    nearest = [min(seen, key=lambda n: (abs(n - count), n)) for count in range(1, most + 1)]
    return tuple(seen[n] * count / n for count, n in enumerate(nearest, 1))

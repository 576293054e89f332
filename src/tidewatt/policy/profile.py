"""What is known of a job's speed: learned from its own attempts, from its forebears, or declared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.job import Attempt, unbroken
from tidewatt.domain.snapshot import Remaining

_EFFICIENCY = 0.9
"""Speed is taken to grow as ``workers ** 0.9`` where it has not been seen."""
_SAFE_EFFICIENCY = 0.0
"""But no deadline depends on more workers being faster before they have been seen to be."""
_MARGIN_DECLARED = 1.1
_MARGIN_LEARNED = 1.25
"""Rates of a shared machine vary; the safe bound of what is left lies so far above the expectation."""
_MIN_STEPS = 3
_MIN_WATCHED_S = 0.3
_FIRST_START_S = 0.5
"""Real seconds from fork to first step of a job whose start has not been seen."""
_ENDING_S = 0.1
"""Real seconds at least to the end of a job that has not ended, even if no step is left."""
_UNSEEN_START_S = 600.0
_UNSEEN_START_SHARE = 0.1
"""Loading libraries and data may take minutes: so much more is kept free, or so much of the time there is."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Steps for each real second at each worker count, as far as seen, and real seconds to start."""

    steps_per_s: dict[int, float]
    startup_s: float
    startup_seen: bool

    def rate(self, workers: int) -> float | None:
        """Steps for each real second at a count, inferred from the nearest count seen; None if none was."""
        return self._inferred(workers, _EFFICIENCY)

    def speedup(self, most: int) -> tuple[float, ...]:
        """Throughput with 1, 2, ... workers over that with one, as expected."""
        return self._speedup(most, _EFFICIENCY)

    def safe_speedup(self, most: int) -> tuple[float, ...]:
        """The same, where deadlines depend on it: counts above those seen add nothing."""
        return self._speedup(most, _SAFE_EFFICIENCY)

    def _speedup(self, most: int, efficiency: float) -> tuple[float, ...]:
        one = self.rate(1)
        if one is None:
            return tuple(math.pow(n, efficiency) for n in range(1, most + 1))
        return tuple((self._inferred(n, efficiency) or one) / one for n in range(1, most + 1))

    def _inferred(self, workers: int, efficiency: float) -> float | None:
        if not self.steps_per_s:
            return None
        nearest = min(self.steps_per_s, key=lambda n: (abs(n - workers), n))
        exponent = efficiency if workers > nearest else _EFFICIENCY
        return self.steps_per_s[nearest] * math.pow(workers / nearest, exponent)


@dataclass(frozen=True, slots=True)
class Extent:
    """Steps in all, if the job or a forebear has said so, and steps that need not be done again."""

    total: float | None
    done: float


def ran_s(attempts: Sequence[Attempt], wall: float) -> float:
    """Real seconds that a command has run since it was begun anew, by ``wall`` at the latest."""
    ends = ((a, wall if a.ended_wall is None else a.ended_wall) for a in unbroken(attempts))
    return sum(ended_wall - attempt.started_wall for attempt, ended_wall in ends)


def by_the_second(profile: Profile) -> Profile:
    """The profile of a command, of which nothing is seen but that time goes by: each second is a step."""
    return Profile({1: 1.0}, profile.startup_s, profile.startup_seen)


def learn(attempts: Sequence[Attempt]) -> Profile:
    """The profile that the attempts show, weighted by how long each was watched."""
    steps: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for attempt in attempts:
        if attempt.first_step is None or attempt.last_step is None:
            continue
        done = attempt.last_step - attempt.first_step
        if done >= _MIN_STEPS and attempt.training_wall_s >= _MIN_WATCHED_S:
            steps[attempt.workers] = steps.get(attempt.workers, 0) + done
            seconds[attempt.workers] = seconds.get(attempt.workers, 0.0) + attempt.training_wall_s
    startups = sorted(a.startup_wall_s for a in attempts if a.startup_wall_s is not None)
    startup = startups[len(startups) // 2] if startups else _FIRST_START_S
    return Profile({n: steps[n] / seconds[n] for n in steps}, startup, bool(startups))


def typical(lengths: Sequence[float]) -> tuple[int, float]:
    """Of runs of the same work, which one is of median length, and how much longer nine of ten are."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    middle = order[(len(order) - 1) // 2]
    long = order[math.ceil(0.9 * len(order)) - 1]
    return middle, lengths[long] / lengths[middle]


def remaining(
    function: FunctionSpec,
    profile: Profile,
    extent: Extent,
    speed: float,
    time_left_s: float,
    margin: float = 1.0,
) -> Remaining | None:
    """Work left in world seconds at one worker, or None if nothing is known.

    Args:
        function: the function, which may declare its length.
        profile: of the job, or of a forebear.
        extent: how many steps there are, and how many are done.
        speed: world seconds for each real one.
        time_left_s: until the deadline, world seconds.
        margin: how much longer the work took others at most, if the profile is not the job's own.
    """
    reserve = (
        0.0 if profile.startup_seen else min(_UNSEEN_START_S, _UNSEEN_START_SHARE * max(0.0, time_left_s))
    )
    rate = profile.rate(1)
    if extent.total and rate:
        expected = max((extent.total - extent.done) / rate, _ENDING_S) * speed
        return Remaining(expected, expected * max(_MARGIN_LEARNED, margin) + reserve)
    declared = function.length_s
    if declared is None:
        return None
    left = declared * (1 - extent.done / extent.total) if extent.total else declared
    left = max(left, _ENDING_S * speed)
    return Remaining(left, left * _MARGIN_DECLARED + reserve)

"""What is known of a job's speed: learned from its own attempts, from its lineage, or declared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.job import Attempt
from tidewatt.domain.snapshot import Remaining

_EFFICIENCY = 0.9
"""Speed is taken to grow as ``workers ** 0.9`` where it has not been seen."""
_MARGIN_DECLARED = 1.0
_MARGIN_LEARNED = 1.15
"""Rates of a shared machine vary; the safe bound of what is left lies so far above the expectation."""
_MIN_STEPS = 3
_MIN_WATCHED_S = 0.3
_FIRST_START_S = 2.0
"""Real seconds to the first step of a job whose start has not been seen: loading torch takes most of it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Steps for each real second at each worker count, as far as seen, and real seconds to start."""

    steps_per_s: dict[int, float]
    startup_s: float

    def rate(self, workers: int) -> float | None:
        """Steps for each real second at a count, inferred from the nearest count seen; None if none was."""
        if not self.steps_per_s:
            return None
        nearest = min(self.steps_per_s, key=lambda n: (abs(n - workers), n))
        return self.steps_per_s[nearest] * math.pow(workers / nearest, _EFFICIENCY)

    def speedup(self, most: int) -> tuple[float, ...]:
        """Throughput with 1, 2, ... workers over that with one."""
        one = self.rate(1)
        if one is None:
            return tuple(n**_EFFICIENCY for n in range(1, most + 1))
        return tuple((self.rate(n) or one) / one for n in range(1, most + 1))


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
    return Profile({n: steps[n] / seconds[n] for n in steps}, startup)


def remaining(
    function: FunctionSpec, profile: Profile, steps_total: int | None, steps_done: int, speed: float
) -> Remaining | None:
    """Work left in world seconds at one worker, or None if nothing is known.

    Args:
        function: the function, which may declare its length.
        profile: of the job, or of its lineage.
        steps_total: steps in all, if the job or its lineage has said so.
        steps_done: steps that need not be done again.
        speed: world seconds for each real one.
    """
    rate = profile.rate(1)
    if steps_total and rate:
        expected = max(0, steps_total - steps_done) / rate * speed
        return Remaining(expected, expected * _MARGIN_LEARNED)
    declared = function.length_s
    if declared is None:
        return None
    left = declared * (1 - steps_done / steps_total) if steps_total else declared
    return Remaining(left, left * _MARGIN_DECLARED)

"""Whether an attempt still lives, by the steps it makes and the work it does."""

from dataclasses import dataclass

from tidewatt.domain.function import FunctionSpec, Kind

_BEFORE_STEPS = 12
"""How much longer an attempt may do nothing that makes no steps, or none yet: it may wait for somebody."""
IDLE_SHARE = 0.01
"""Of one processor: an attempt that uses less over an interval has done nothing in it."""
_LONGEST_BEAT_S = 5.0
"""An interval longer than this was a pause of the whole machine, and says no more than one of this length."""


def patience_s(function: FunctionSpec, *, stepped: bool, stuck_after_s: float) -> float | None:
    """For how many real seconds an attempt may do nothing before it counts as stuck; None for ever.

    A function that has a time-out may wait for as long, and a command for as long as it likes.

    Args:
        function: what it is an attempt at.
        stepped: whether it has made a step.
        stuck_after_s: the same for a training that steps.
    """
    match function.kind:
        case Kind.TRAINING:
            return stuck_after_s if stepped else _BEFORE_STEPS * stuck_after_s
        case Kind.FUNCTION if function.timeout_s is None:
            return _BEFORE_STEPS * stuck_after_s
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Pulse:
    """What an attempt had done at the last look, and for how many real seconds it has done nothing."""

    wall: float
    step: int
    cpu_s: float
    still_s: float = 0.0


def feel(before: Pulse | None, wall: float, step: int, cpu_s: float) -> Pulse:
    """The pulse now, given the one before; a step or any work worth the name starts the count again.

    Args:
        before: the pulse at the last look, None at the first.
        wall: the real instant, UTC seconds.
        step: the last step reported.
        cpu_s: processor seconds of all workers so far.
    """
    if before is None:
        return Pulse(wall, step, cpu_s)
    beat_s = max(0.0, wall - before.wall)
    if step > before.step or cpu_s - before.cpu_s > IDLE_SHARE * beat_s:
        return Pulse(wall, step, cpu_s)
    return Pulse(wall, step, cpu_s, before.still_s + min(beat_s, _LONGEST_BEAT_S))

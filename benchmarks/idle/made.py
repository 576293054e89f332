"""Calls made by processes that are known, each seeded: what a policy does where the truth is simple."""

import numpy as np
from numpy.typing import NDArray

from tidewatt.policy.idle.calls import Calls, Mask

DAY_MIN = 1440
_PERIODS_MIN = (2, 3, 5, 10, 15, 20, 30, 60, 120, 240)
_Rng = np.random.Generator


def made(seed: int, functions: int) -> dict[str, Calls]:
    """A day of so many functions of each kind, and of all kinds mixed; every function takes 1 GB."""
    rng = np.random.default_rng(seed)
    kinds = {
        "poisson": _poisson(rng, functions),
        "timetable": _timetable(rng, functions),
        "bursty": _bursty(rng, functions),
        "diurnal": _diurnal(rng, functions),
    }
    kinds["mixed"] = np.concatenate(list(kinds.values()))
    return {name: _of_a_gigabyte(busy) for name, busy in kinds.items()}


def _of_a_gigabyte(busy: Mask) -> Calls:
    called = busy[busy.any(axis=1)]
    return Calls(called, np.ones(len(called)))


def _rates(rng: _Rng, functions: int) -> NDArray[np.float64]:
    """Calls in a minute, from one in 400 minutes to one in two, their logarithms spread evenly."""
    return np.exp(rng.uniform(np.log(1 / 400), np.log(1 / 2), (functions, 1)))


def _poisson(rng: _Rng, functions: int) -> Mask:
    return np.asarray(rng.random((functions, DAY_MIN)) < -np.expm1(-_rates(rng, functions)))


def _timetable(rng: _Rng, functions: int) -> Mask:
    """Strict periods, every second one with up to a minute of jitter, and some calls by hand."""
    busy = np.zeros((functions, DAY_MIN), dtype=np.bool_)
    for number in range(functions):
        period = int(rng.choice(_PERIODS_MIN))
        at = np.arange(rng.integers(period), DAY_MIN, period)
        jitter = rng.integers(-1, 2, len(at)) if number % 2 else 0
        busy[number, np.clip(at + jitter, 0, DAY_MIN - 1)] = True
        if number % 3 == 0:
            busy[number] |= rng.random(DAY_MIN) < 1 / 400
    return busy


def _bursty(rng: _Rng, functions: int) -> Mask:
    """Quiet for half an hour to some hours, then busy on and off for 5 to 40 minutes."""
    begins = 1 / np.exp(rng.uniform(np.log(30), np.log(400), functions))
    ends = 1 / rng.uniform(5, 40, functions)
    density = rng.uniform(0.1, 0.8, functions)
    busy = np.zeros((functions, DAY_MIN), dtype=np.bool_)
    inside = np.zeros(functions, dtype=np.bool_)
    for minute in range(DAY_MIN):
        inside = rng.random(functions) < np.where(inside, 1 - ends, begins)
        busy[:, minute] = inside & (rng.random(functions) < density)
    return busy


def _diurnal(rng: _Rng, functions: int) -> Mask:
    """Poisson with a rate that rises and falls once a day, each function at its own time."""
    phase = 2 * np.pi * (np.arange(DAY_MIN) / DAY_MIN - rng.random((functions, 1)))
    rate = _rates(rng, functions) * (1 + np.cos(phase)) ** 2
    return np.asarray(rng.random((functions, DAY_MIN)) < -np.expm1(-rate))

"""How long a supervisor with nothing to do stays warm: as long as its idle policy says."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tidewatt.accounting.factors import CPU_MAX_WATTS, CPU_MIN_WATTS, MEMORY_WATTS
from tidewatt.control.loop import Loop
from tidewatt.domain.function import Kind
from tidewatt.domain.lifecycle import State
from tidewatt.policy.idle.names import AtPrice
from tidewatt.policy.idle.priced import Price
from tidewatt.policy.idle.stay import stay_s
from tidewatt.ports import Clock, Store

_MEMORY_GB = 0.24
"""Of a zygote with torch loaded: proportional set size, 5 starts on a machine with 2 cores, 2026-11-21."""
_START_S = 1.6
"""Processor seconds until it is loaded, measured with the above; a call waits at least as long."""
_WAIT_W = 50.0
"""What a second of waiting is taken to be worth: no measurement, a choice. It makes a cold call worth about
a quarter of an hour of a warm zygote."""
_DAY_S = 86_400.0
_SAMPLE = 20
"""Jobs that are asked how long their start took."""
_MOMENT_S = 1.0


class Standby:
    """Keeps a supervisor and its zygote while its policy expects calls; without one, as long as told."""

    def __init__(self, store: Store, clock: Clock, at_price: AtPrice | None) -> None:
        self._store = store
        self._clock = clock
        self._at_price = at_price
        self._staying_until = 0.0

    def run(self, loop: Loop, linger_s: float) -> None:
        """Have a loop work until nothing is left to do and stay so many real seconds, longer if that pays."""
        loop.run(linger_s)
        idle_s = linger_s
        while (stays_s := self._stay_s(idle_s)) > 0:
            began = self._clock.wall()
            self._staying_until = began + stays_s
            loop.run(stays_s)
            if self._clock.wall() < self._staying_until + _MOMENT_S:
                return  # nothing came
            idle_s = stays_s

    def keeps(self, seconds: float) -> bool:
        """Whether a zygote that is not needed for so many seconds is kept."""
        staying = self._clock.wall() + seconds <= self._staying_until + _MOMENT_S
        return staying or seconds <= self._stay_s(0.0)

    def _stay_s(self, idle_s: float) -> float:
        if self._at_price is None:
            return 0.0
        now = self._clock.wall()
        calls = self._store.called_since(now - _DAY_S)
        price = _price(cold_start_s(self._store, calls[-_SAMPLE:]))
        called = [(function, wall) for _, function, wall in calls]
        return stay_s(self._at_price(price), called, now=now, idle_s=idle_s, memory_gb=_MEMORY_GB)


def cold_start_s(store: Store, calls: Sequence[tuple[str, str, float]]) -> float | None:
    """How much longer a cold start takes than a warm one, real seconds, as told by jobs of some calls.

    A start with a zygote at hand takes little more than the function's own code until its first step, one
    without loads the libraries first: it is the slowest start of a function less its fastest, the median
    over functions. None where no function has told of two, as trainings do with their first step. The job
    that stands for direct calls tells nothing: its first step is the end of a call.
    """
    took: dict[str, list[float]] = {}
    for job_id, function, _ in calls:
        job = store.job(job_id)
        if job is None or job.function.kind is Kind.CALLS:
            continue
        for before, after in pairwise(store.events(job_id)):
            if before.after is State.STARTING and after.after is State.RUNNING:
                took.setdefault(function, []).append(after.wall - before.wall)
    extra = [max(starts) - min(starts) for starts in took.values() if len(starts) > 1]
    return median(extra) if extra else None


def _price(measured_s: float | None) -> Price:
    """What a cold start costs, by what was seen of it, but no less than loading takes."""
    start_s = max(_START_S, measured_s or 0.0)
    return Price(
        start_j=start_s * (CPU_MAX_WATTS.value - CPU_MIN_WATTS.value),
        wait_j=start_s * _WAIT_W,
        idle_w_per_gb=MEMORY_WATTS.value,
    )

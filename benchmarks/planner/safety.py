"""Random worlds played with forecasts that are wrong, to count deadlines missed and borders crossed."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.planner.data import Floats
from benchmarks.table import Figure
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.control.foresight import Foresight, Prospect
from tidewatt.domain.lifecycle import State
from tidewatt.domain.signal import Forecast, ForecastWindow, Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import cheapest
from tidewatt.simulation.scenario import Scenario
from tidewatt.simulation.world import Manner, SimulatedWorld

_START = 460_000 * HOUR_S
_HOURS = 24 * 7
_ZONES = ("A", "B", "C")
_INSTANCES = 10_000
KINDS = ("noise", "bias", "upside down", "a mirage always an hour ahead")


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """Deadlines of accepted jobs missed, and attempts in zones not allowed; ``data`` is not needed."""
    del data
    instances = _INSTANCES // 100 if quick else _INSTANCES
    found: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for each in pool.map(played, range(instances), chunksize=20):
            found.update(each)
    source = f"{found['accepted']:,} jobs accepted, forecasts with {', '.join(KINDS)}"
    return [
        Figure(name="safety_missed", value=found["missed"], unit="jobs", source=source, n=instances),
        Figure(name="safety_breaches", value=found["outside"], unit="attempts", source=source, n=instances),
    ]


def played(seed: int) -> Counter[str]:
    """One world from its first arrival to its last end."""
    draw = np.random.default_rng(seed)
    scenario = _scenario(draw)
    truth = {site.zone: draw.uniform(20, 900, _HOURS) for site in scenario.sites}
    store = MemoryStore(keep_history=False)
    prospect = Prospect(carbon=_wrong(truth, draw, KINDS[seed % len(KINDS)]))
    manner = Manner(prospect=prospect, metered=False)
    world = SimulatedWorld(store, Uniform(truth), scenario.sites, cheapest.decide, _START, manner)
    world.play(scenario.arrivals())
    found = Counter(accepted=0, missed=0, outside=0)
    for job in store.jobs():
        found["accepted"] += 1
        late = (job.ended_at or float("inf")) > (job.submission.deadline_at or 0.0)
        found["missed"] += late or job.state is not State.SUCCEEDED
        allowed = job.function.zones
        found["outside"] += sum(bool(allowed) and a.zone not in allowed for a in store.attempts(job.id))
    return found


def _scenario(draw: np.random.Generator) -> Scenario:
    """Up to five jobs that may be in each other's way, with tight deadlines and loose ones."""
    zones = _ZONES[: int(draw.integers(1, 4))]
    jobs: list[TracedJob] = []
    for number in range(int(draw.integers(1, 6))):
        length_s = float(draw.uniform(0.2, 4)) * HOUR_S
        jobs.append(
            TracedJob(
                name=f"{number}",
                arrival_s=float(draw.uniform(0, 6)) * HOUR_S,
                length_s=length_s,
                most=int(draw.integers(1, 5)),
                deadline_s=length_s * float(draw.uniform(0.5, 4)) + HOUR_S,
                zones=tuple(zone for zone in zones if draw.random() < 0.5),
            )
        )
    return Scenario(
        jobs=tuple(sorted(jobs, key=lambda job: job.arrival_s)),
        sites=tuple(Site(zone.lower(), zone, int(draw.integers(1, 6))) for zone in zones),
        start_at=_START,
        slack_s=0.0,
        scaling=float(draw.choice([1.0, 0.9])),
        startup_s=float(draw.choice([0.0, 1.0])),
    )


class Uniform:
    """A grid whose hours follow no law."""

    name = "random"

    def __init__(self, hours: dict[str, Floats]) -> None:
        self._hours = hours

    def zones(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._hours)

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval."""
        values = self._hours[zone]
        first = max(0, int((start_at - _START) // HOUR_S))
        last = min(values.size, max(first + 1, int(np.ceil((end_at - _START) / HOUR_S))))
        readings = (
            Reading(_START + i * HOUR_S, v, v, v, self.name, Quality.MEASURED)
            for i, v in zip(range(first, last), values[first:last].tolist(), strict=True)
        )
        return Signal(zone, tuple(readings))


def _wrong(truth: dict[str, Floats], draw: np.random.Generator, kind: str) -> Foresight:
    """Forecasts that lead astray; the last kind promises one clean hour that never comes."""

    def foresee(zone: str, now: float, horizon_s: float) -> Forecast:
        hour = int((now - _START) // HOUR_S)
        count = int(horizon_s // HOUR_S) + 2
        coming = np.resize(truth[zone][hour : hour + count], count)
        if kind == "noise":
            means = np.maximum(1.0, coming * np.exp(draw.normal(0, 0.8, count)))
        elif kind == "bias":
            means = coming * float(draw.choice([0.1, 3.0]))
        elif kind == "upside down":
            means = 1000.0 - coming
        else:
            means = np.where(np.arange(count) == 1, 1.0, 900.0)
        start = _START + hour * HOUR_S
        windows = (ForecastWindow(start + i * HOUR_S, m, m / 2, 2 * m) for i, m in enumerate(means.tolist()))
        return Forecast(zone, now, kind, tuple(windows))

    return foresee

"""How long the simulator takes for a year's trace: the live loop, planning anew in every hour."""

import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

from benchmarks.planner.data import wanted
from benchmarks.planner.scale import peak_mb
from benchmarks.table import Figure
from tidewatt import wiring
from tidewatt.adapters.grids.file import FileGrid
from tidewatt.adapters.traces import read
from tidewatt.control.foresight import Prospect, by
from tidewatt.domain.units import HOUR_S
from tidewatt.forecast.hourly import Hourly
from tidewatt.policy import cheapest
from tidewatt.simulation.scenario import Scenario
from tidewatt.simulation.world import Manner, SimulatedWorld

ZONE, _START_AT = "DE", 1_640_995_200.0
_COUNTS = (1_000, 3_000, 100_000)
"""The last is a year of them."""


def measure(data: Path, *, quick: bool = False) -> list[Figure]:
    """Seconds for the first jobs of the trace, and how they grow; ``quick`` takes a few hundred."""
    counts = tuple(count // 10 for count in _COUNTS[:-1]) if quick else _COUNTS
    seconds: dict[int, float] = {}
    figures: list[Figure] = []
    for count in counts:
        seconds[count], memory_mb, jobs = _alone(data, count)
        source = f"first {count:,} jobs of pai_100k, {ZONE} 2022, 24 h of slack, {cheapest.NAME}"
        figures += [
            Figure(name=f"sim_{_said(count)}_s", value=seconds[count], unit="s", source=source, n=jobs),
            Figure(name=f"sim_{_said(count)}_memory_mb", value=memory_mb, unit="MB", source="peak", n=jobs),
        ]
    few, many = counts[0], counts[-1]
    grown = math.log(seconds[many] / seconds[few]) / math.log(many / few)
    allowed = math.log(many * math.log(many) / (few * math.log(few))) / math.log(many / few)
    source = f"seconds as a power of jobs, {few:,} to {many:,}; peer: n log n"
    return [
        *figures,
        Figure(name="sim_growth_exponent", value=grown, unit="", source=source, n=2, peer=allowed),
    ]


def _said(count: int) -> str:
    return f"{count // 1000}k" if count % 1000 == 0 else f"{count}"


def _alone(data: Path, count: int) -> tuple[float, float, int]:
    """Simulate in a fresh process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(simulated, data, count).result()


def simulated(data: Path, count: int) -> tuple[float, float, int]:
    """Seconds, peak memory in MB and how many jobs ended."""
    _, jobs = read(wanted(data / "jobs" / "pai_100k.parquet"))
    grid = FileGrid(wanted(data / "carbon" / "zones_2022.parquet"))
    scenario = Scenario(
        jobs=jobs[:count],
        sites=(wiring.site("de", ZONE, 10**7),),
        start_at=_START_AT,
        slack_s=24 * HOUR_S,
        startup_s=30.0,
        checkpoint_s=10.0,
    )
    store = wiring.memory_store()
    manner = Manner(prospect=Prospect(carbon=by(Hourly(), grid)), metered=False)
    world = SimulatedWorld(store, grid, scenario.sites, cheapest.decide, scenario.start_at, manner)
    begun = perf_counter()
    world.play(scenario.arrivals())
    return perf_counter() - begun, peak_mb(), sum(job.ended_at is not None for job in store.jobs())

"""Where there is room for all, what a policy plans for one job does not depend on the others."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy.names import POLICIES

NOW = 1_000_000 * HOUR_S
ZONES = ("DE", "FR")


@st.composite
def jobs(draw: st.DrawFn, name: str) -> JobView:
    """A job that may be running, of any length, with or without a deadline."""
    most, length_s = draw(st.integers(1, 3)), draw(st.floats(0.1, 12)) * HOUR_S
    running = draw(st.none() | st.sampled_from(ZONES))
    speedup = tuple(float(n) ** draw(st.sampled_from([1.0, 0.8])) for n in range(1, most + 1))
    return JobView(
        id=name,
        submitted_at=NOW - draw(st.floats(0, HOUR_S)),
        deadline_at=draw(st.none() | st.floats(0.2, 40).map(lambda h: NOW + h * HOUR_S)),
        least=1,
        most=most,
        zones=draw(st.sampled_from([(), ("DE",), ZONES])),
        home_zone="DE",
        cpus_per_worker=draw(st.integers(1, 2)),
        suspendable=draw(st.booleans()),
        remaining=draw(st.none() | st.just(Remaining(length_s, 1.1 * length_s))),
        speedup=speedup,
        safe_speedup=speedup,
        watts=tuple(3.5 * n for n in range(1, most + 1)),
        restart_s=draw(st.sampled_from([0.0, 30.0])),
        running_on=running,
        running_workers=1 if running else 0,
    )


@st.composite
def roomy(draw: st.DrawFn) -> Snapshot:
    """Two sites with room for every job at its widest."""
    now = NOW + draw(st.floats(0, HOUR_S - 1))
    forecasts: list[Forecast] = []
    for zone in ZONES:
        means = draw(st.lists(st.floats(1, 900), min_size=60, max_size=60))
        windows = (ForecastWindow(NOW + i * HOUR_S, mean, mean, mean) for i, mean in enumerate(means))
        forecasts.append(Forecast(zone, now, "drawn", tuple(windows)))
    sites = tuple(Site(zone, zone, 100) for zone in ZONES)
    some = tuple(draw(jobs(f"job-{n}")) for n in range(draw(st.integers(1, 4))))
    return Snapshot(now=now, sites=sites, forecasts=tuple(forecasts), jobs=some)


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(roomy())
def test_a_job_is_planned_alike_alone_and_among_others(policy: str, snapshot: Snapshot) -> None:
    together = POLICIES[policy](snapshot)
    for job in snapshot.jobs:
        alone = POLICIES[policy](replace(snapshot, jobs=(job,)))
        assert alone == together.about({job.id})

"""What a policy decides, once it is done, it would decide again: nothing is stopped only to be started."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidewatt.domain.plan import Plan
from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy.names import POLICIES

NOW = 1_000_000 * HOUR_S
SITES = (Site("de", "DE", 4), Site("fr", "FR", 3))
MOVES = 4
"""A job may be stopped once and started once, and then again if it was late in its old place."""


@st.composite
def jobs(draw: st.DrawFn) -> JobView:
    """A job whose deadline is near what its work needs, and which may run anywhere by now."""
    most, length_s = draw(st.integers(1, 4)), draw(st.floats(0.2, 4)) * HOUR_S
    speedup = tuple(float(n) ** 0.9 for n in range(1, most + 1))
    high_s = length_s * draw(st.sampled_from([1.0, 1.1, 1.25]))
    running = draw(st.none() | st.sampled_from(SITES))
    return JobView(
        id="job",
        submitted_at=NOW,
        deadline_at=NOW + high_s * draw(st.floats(0.4, 2)) + draw(st.floats(0, 1)) * HOUR_S,
        least=1,
        most=most,
        zones=draw(st.sampled_from([(), ("DE",)])) if running is None else (),
        home_zone="DE",
        cpus_per_worker=1,
        suspendable=True,
        remaining=Remaining(length_s, high_s),
        speedup=speedup,
        safe_speedup=draw(st.sampled_from([speedup, (1.0,) * (most - 1) + speedup[-1:]])),
        watts=tuple(3.5 * n for n in range(1, most + 1)),
        restart_s=draw(st.sampled_from([0.0, 30.0])),
        running_on=running.name if running else None,
        running_workers=draw(st.integers(1, most)) if running else 0,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A job at any moment of an hour, with forecasts that do not claim to be certain."""
    now = NOW + draw(st.floats(0, HOUR_S - 1))
    forecasts: list[Forecast] = []
    for site in SITES:
        means = draw(st.lists(st.sampled_from([1.0, 300.0, 310.0, 900.0]), min_size=8, max_size=8))
        hours = (ForecastWindow(NOW + i * HOUR_S, mean, mean / 2, 2 * mean) for i, mean in enumerate(means))
        forecasts.append(Forecast(site.zone, now, "drawn", tuple(hours)))
    return Snapshot(now=now, sites=SITES, forecasts=tuple(forecasts), jobs=(draw(jobs()),))


def moved(job: JobView, plan: Plan, now: float) -> JobView:
    """The job after its next move, as the loop makes it: what is in the wrong place stops first."""
    wanted = plan.current(job.id, now)
    place = (None, 0) if wanted is None else (wanted.site, wanted.workers)
    if place == (job.running_on, job.running_workers):
        return job
    if job.running_on is not None:
        place = (None, 0)
    return replace(job, running_on=place[0], running_workers=place[1])


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(snapshots())
def test_a_job_alone_comes_to_rest_within_an_instant(policy: str, snapshot: Snapshot) -> None:
    for _ in range(MOVES + 1):
        (job,) = snapshot.jobs
        after = moved(job, POLICIES[policy](snapshot), snapshot.now)
        if after == job:
            return
        snapshot = replace(snapshot, jobs=(after,))
    pytest.fail(f"still moving: {snapshot}")

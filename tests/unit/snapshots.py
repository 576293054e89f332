"""Snapshots made by hand: hours from a round instant on, one number for each forecast hour."""

from collections.abc import Sequence

from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S

NOW = 1_000_000 * HOUR_S


def flat_forecast(zone: str, *means: float) -> Forecast:
    windows = tuple(ForecastWindow(NOW + i * HOUR_S, m, m, m) for i, m in enumerate(means))
    return Forecast(zone, NOW, "by hand", windows)


def a_job(
    hours: float | None,
    deadline_h: float | None,
    *,
    most: int = 1,
    zones: tuple[str, ...] = (),
    running: tuple[str, int] | None = None,
    name: str = "job",
    speedup: tuple[float, ...] = (1.0, 1.8, 2.4, 2.8),
    suspendable: bool = True,
) -> JobView:
    return JobView(
        id=name,
        submitted_at=NOW,
        deadline_at=None if deadline_h is None else NOW + deadline_h * HOUR_S,
        least=1,
        most=most,
        zones=zones,
        home_zone="DE",
        cpus_per_worker=1,
        suspendable=suspendable,
        remaining=None if hours is None else Remaining(hours * HOUR_S, hours * HOUR_S),
        speedup=speedup[:most],
        safe_speedup=speedup[:most],
        watts=tuple(float(n) for n in range(1, most + 1)),
        restart_s=0.0,
        running_on=running[0] if running else None,
        running_workers=running[1] if running else 0,
    )


def a_world(
    *jobs: JobView, sites: tuple[Site, ...] = (Site("de", "DE", 4),), **means: Sequence[float]
) -> Snapshot:
    forecasts = tuple(flat_forecast(zone, *values) for zone, values in means.items())
    return Snapshot(now=NOW, sites=sites, forecasts=forecasts, jobs=jobs)

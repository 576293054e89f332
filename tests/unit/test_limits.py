"""What limits a saving, in cases worked out by hand."""

from tidewatt.domain.signal import Forecast, ForecastWindow
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.domain.units import HOUR_S
from tidewatt.policy import cheapest
from tidewatt.policy.limits import Limit, limitations

NOW = 1_000_000 * HOUR_S


def a_job(deadline_h: float, name: str = "job", zones: tuple[str, ...] = ("DE",)) -> JobView:
    return JobView(
        id=name,
        submitted_at=NOW,
        deadline_at=NOW + deadline_h * HOUR_S,
        least=1,
        most=1,
        zones=zones,
        home_zone="DE",
        cpus_per_worker=1,
        suspendable=True,
        remaining=Remaining(HOUR_S, HOUR_S),
        speedup=(1.0,),
        safe_speedup=(1.0,),
        watts=(1.0,),
        restart_s=0.0,
    )


def found(*jobs: JobView, cpus: int = 1, **zones: list[float]) -> dict[Limit, float]:
    """What limits the last job, rounded to hundredths."""
    forecasts = tuple(
        Forecast(
            zone,
            NOW,
            "by hand",
            tuple(ForecastWindow(NOW + i * HOUR_S, m, m, m) for i, m in enumerate(means)),
        )
        for zone, means in zones.items()
    )
    sites = tuple(Site(zone.lower(), zone, cpus) for zone in zones)
    snapshot = Snapshot(now=NOW, sites=sites, forecasts=forecasts, jobs=jobs)
    plan = cheapest.decide(snapshot)
    return {each.limit: round(each.share, 2) for each in limitations(snapshot, jobs[-1].id, plan)}


def test_a_cleaner_hour_after_the_deadline_is_what_the_deadline_costs() -> None:
    assert found(a_job(2), DE=[200, 100, 25, 300]) == {Limit.DEADLINE: 0.75}


def test_a_cleaner_zone_that_is_not_permitted_is_what_residency_costs() -> None:
    limits = found(a_job(2), DE=[200, 100], FR=[20, 90])
    assert limits == {Limit.RESIDENCY: 0.8}


def test_an_hour_taken_by_another_job_is_what_capacity_costs() -> None:
    limits = found(a_job(2, "first"), a_job(2, "second"), DE=[200, 100])
    assert limits[Limit.CAPACITY] == 0.5
    assert next(iter(limits)) is Limit.CAPACITY


def test_a_grid_without_cleaner_hours_is_called_flat() -> None:
    limits = found(a_job(3), DE=[100, 102, 98])
    assert set(limits) == {Limit.FLAT_GRID}
    assert limits[Limit.FLAT_GRID] == 0.04


def test_nothing_limits_a_job_that_has_the_cleanest_hour_of_a_varied_grid() -> None:
    assert found(a_job(3), DE=[300, 50, 200]) == {}


def test_nothing_is_said_of_what_is_not_known() -> None:
    job = a_job(3, zones=("FR",))
    snapshot = Snapshot(now=NOW, sites=(Site("fr", "FR", 1),), forecasts=(), jobs=(job,))
    assert limitations(snapshot, "job", cheapest.decide(snapshot)) == ()

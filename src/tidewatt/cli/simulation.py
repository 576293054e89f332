"""Plays a trace of jobs by several policies and shows what came of each."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tidewatt import settings, wiring
from tidewatt.accounting.factors import NETWORK
from tidewatt.adapters.traces import read
from tidewatt.cli import words
from tidewatt.cli.request import parse_start
from tidewatt.control.foresight import Prospect, by, day_ahead
from tidewatt.domain.objective import parse
from tidewatt.domain.trace import TracedJob
from tidewatt.domain.units import HOUR_S, JOULES_PER_KWH, parse_bytes, parse_duration
from tidewatt.errors import UsageError
from tidewatt.forecast.names import METHODS, named
from tidewatt.policy.names import DEFAULT, POLICIES
from tidewatt.ports import Grid
from tidewatt.report import simulation as page
from tidewatt.simulation import foresight as foresights
from tidewatt.simulation.compare import Comparison, compare
from tidewatt.simulation.scenario import Scenario

_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, as it was written."""

    jobs: Path
    zones: tuple[str, ...]
    carbon: Path | None
    prices: Path | None
    start: str | None
    policies: str
    forecast: str
    objective: str
    slack: str
    cpus: int | None
    workers: int
    scaling: float
    startup: str
    checkpoint: str
    state: str
    mean_life: str | None
    seed: int
    watts: float
    pue: float


def simulate(asked: Asked, *, out: Path | None, json: bool) -> None:
    """Play, print the table, and write the report if one is asked for."""
    named = settings.zone()
    zones = asked.zones or ((named,) if named else ())
    if not zones:
        raise settings.no_zone()
    grid = wiring.open_grid(wiring.carbon_source(asked.carbon))
    prices = None if asked.prices is None else wiring.open_prices(asked.prices)
    began_at, jobs = read(asked.jobs)
    scenario = _scenario(asked, zones, jobs, _start(asked, began_at))
    policies = tuple(POLICIES) if asked.policies == "all" else tuple(asked.policies.split(","))
    found = compare(
        scenario,
        grid,
        policies,
        open_store=wiring.memory_store,
        prospect=partial(_prospect, asked, grid, prices),
        watts=asked.watts,
        prices=prices,
    )
    setting = _setting(asked, scenario, grid, prices)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page.render(found, setting, _hours(scenario, grid)), encoding="utf-8")
    if json:
        words.print_json(_values(found, setting))
        return
    screen = words.screen()
    screen.print("\n".join(f"{name}: {said}" for name, said in setting.items()))
    screen.print()
    screen.print(_table(found))
    screen.print()
    screen.print(
        "CO₂e: operational and embodied. Above optimum: above the least that any schedule needs if it knew "
        "all hours and jobs beforehand and starts took no time."
    )
    if out is not None:
        screen.print(f"Report written to {out}")


def _start(asked: Asked, began_at: float | None) -> float:
    if asked.start is not None:
        return parse_start(asked.start)
    if began_at is None:
        raise UsageError(
            f"{asked.jobs.name}, which tells times from its own start only",
            "when that was",
            "say it: --start 2022-06-01",
        )
    return began_at


def _scenario(asked: Asked, zones: tuple[str, ...], jobs: tuple[TracedJob, ...], start_at: float) -> Scenario:
    enough = sum(job.cpus * (job.most or asked.workers) for job in jobs)
    sites = tuple(wiring.site(zone.lower(), zone, asked.cpus or enough, pue=asked.pue) for zone in zones)
    return Scenario(
        jobs=jobs,
        sites=sites,
        start_at=start_at,
        slack_s=parse_duration(asked.slack),
        workers=asked.workers,
        scaling=asked.scaling,
        startup_s=parse_duration(asked.startup),
        checkpoint_s=parse_duration(asked.checkpoint),
        move_j=parse_bytes(asked.state) / _GB * NETWORK.value * JOULES_PER_KWH,
        mean_life_s=float("inf") if asked.mean_life is None else parse_duration(asked.mean_life),
        seed=asked.seed,
    )


def _prospect(asked: Asked, grid: Grid, prices: Grid | None) -> Prospect:
    objective = parse(asked.objective)
    if asked.forecast == foresights.NAME:
        tariffs = None if prices is None else foresights.perfect(prices)
        return Prospect(carbon=foresights.perfect(grid), tariffs=tariffs, objective=objective)
    if asked.forecast not in METHODS:
        known = ", ".join((*METHODS, foresights.NAME))
        raise UsageError(f"forecast {asked.forecast!r}", f"one of {known}", "name one of these")
    tariffs = None if prices is None else day_ahead(named(asked.forecast), prices)
    return Prospect(carbon=by(named(asked.forecast), grid), tariffs=tariffs, objective=objective)


def _setting(asked: Asked, scenario: Scenario, grid: Grid, prices: Grid | None) -> dict[str, str]:
    """What was simulated, in words."""
    until = max(scenario.arrival_at(job) for job in scenario.jobs)
    model = "" if asked.carbon else " (MODEL, not measured)"
    room = "enough for all" if asked.cpus is None else f"{asked.cpus}"
    return {
        "Jobs": f"{len(scenario.jobs):,} of {asked.jobs.name}, "
        f"{words.date(scenario.start_at)} to {words.date(until)} UTC",
        "Grid": f"{grid.name}{model}, {', '.join(site.zone for site in scenario.sites)}",
        "Prices": _priced(scenario, prices),
        "Processors": f"{room} in each zone, {asked.watts:g} W each when busy, PUE {asked.pue:g}",
        "Forecast": f"{asked.forecast}; objective {asked.objective}; slack {asked.slack}",
    }


def _priced(scenario: Scenario, prices: Grid | None) -> str:
    """By which prices electricity is counted, zone by zone."""
    by_hour = [site.zone for site in scenario.sites if prices is not None and site.zone in prices.zones()]
    constant = [site for site in scenario.sites if site.zone not in by_hour]
    said = [f"{prices.name}, by the hour in {', '.join(by_hour)}"] if prices and by_hour else []
    said += (
        [f"{constant[0].tariff:g} USD/kWh in {', '.join(site.zone for site in constant)}"] if constant else []
    )
    return "; ".join(said)


def _hours(scenario: Scenario, grid: Grid) -> tuple[float, ...]:
    """Mean intensity of the first zone in each hour of the day, over the time of the trace."""
    signal = grid.signal(scenario.sites[0].zone, scenario.start_at, scenario.end_at)
    groups: list[list[float]] = [[] for _ in range(24)]
    for reading in signal.readings:
        groups[int(reading.observed_at // HOUR_S) % 24].append(reading.value)
    return tuple(sum(group) / len(group) if group else 0.0 for group in groups)


def _table(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Policy")
    for name in page.COLUMNS:
        table.add_column(name, justify="right")
    for outcome in found.outcomes:
        policy = Text(outcome.policy, style="bold" if outcome.policy == DEFAULT else "")
        table.add_row(policy, *page.cells(found, outcome))
    return table


def _values(found: Comparison, setting: dict[str, str]) -> dict[str, object]:
    rows: list[dict[str, object]] = []
    for outcome in found.outcomes:
        saved, above = found.saved(outcome), found.above(outcome)
        rows.append(
            {
                "policy": outcome.policy,
                "gco2e": outcome.carbon_g,
                "embodied_gco2e": outcome.embodied_g,
                "saved_percent": None if saved is None else 100 * saved,
                "above_optimum_percent": None if above is None else 100 * above,
                "energy_kwh": outcome.energy_kwh,
                "cost_usd": outcome.cost,
                "mean_wait_s": outcome.wait_s,
                "starts": outcome.starts,
                "jobs": outcome.accepted,
                "ended": outcome.ended,
                "missed": outcome.missed,
                "refused": outcome.refused,
            }
        )
    return {"setting": setting, "least_gco2e": found.least_g, "policies": rows}

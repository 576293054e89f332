"""Judges methods of forecasting on past days of a zone, and writes their model card."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from tidewatt import settings, wiring
from tidewatt.cli import words
from tidewatt.cli.request import parse_start
from tidewatt.domain.signal import Reading
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import UsageError
from tidewatt.forecast.backtest import LEADS_H, WORK_H, Judgement, judge
from tidewatt.forecast.issue import hours
from tidewatt.forecast.names import named
from tidewatt.ports import Grid

_FURTHEST_S = 50 * 366 * DAY_S


def backtest(
    zone: str | None,
    carbon: Path | None,
    *,
    until: str | None,
    days: int,
    methods: str,
    card: Path | None,
    json: bool,
) -> None:
    """Judge each method on the same days and print a table."""
    if zone is None:
        raise settings.no_zone()
    chosen = [named(name) for name in methods.split(",")]
    grid = wiring.open_grid(wiring.carbon_source(carbon))
    wanted_h = 24 * days + max(method.reach_h for method in chosen)
    readings = _readings(grid, zone, until, wanted_h, whole=carbon is not None)
    values = hours(readings, wanted_h)
    first_h = math.floor(readings[-1].observed_at / HOUR_S) - values.size + 1
    found = [judge(method, zone, values, first_h, days) for method in chosen]
    since_at, until_at = readings[-1].observed_at + HOUR_S - days * DAY_S, readings[-1].observed_at + HOUR_S
    source = words.model_label(grid.name, grid.signal(zone, since_at, until_at))
    period = f"{words.date(max(since_at, readings[0].observed_at))} to {words.date(until_at)} UTC"
    if card is not None:
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(_card(found, zone, source, period, values.size), encoding="utf-8")
    if json:
        judged = [asdict(each) | {"captured": each.captured} for each in found]
        words.print_json({"zone": zone, "source": source, "leads_h": LEADS_H, "methods": judged})
        return
    _print(found, f"{zone}, {source}: {found[0].days} days, {period}")
    if card is not None:
        words.screen().print(f"Model card written to {card}")


def _print(found: Sequence[Judgement], title: str) -> None:
    screen = words.screen()
    screen.print(title)
    screen.print()
    screen.print(_table(found))
    screen.print()
    screen.print(
        f"Captured: of what the {WORK_H} cleanest hours of each day save of its mean, the share that the "
        f"{WORK_H} hours cleanest by forecast save.\nA forecast is made at midnight UTC from what was known."
    )


def _readings(grid: Grid, zone: str, until: str | None, wanted_h: int, *, whole: bool) -> list[Reading]:
    """The hours up to the instant asked for, else up to the last that there is."""
    end_at = wiring.clock_of(None).wall() if until is None else parse_start(until)
    start_at = end_at - wanted_h * HOUR_S
    if whole and until is None:
        start_at = end_at - _FURTHEST_S
    readings = [r for r in grid.signal(zone, start_at, end_at).readings if r.observed_at + HOUR_S <= end_at]
    if not readings:
        raise UsageError(
            f"no reading of {zone} before {words.instant(end_at)} in {grid.name}",
            "hours to judge by",
            "choose --until inside the time that it covers",
        )
    return readings


def _table(found: Sequence[Judgement]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Method")
    for lead in LEADS_H:
        table.add_column(f"Error {lead} h", justify="right")
    for name in ("In range", "Saved", "Best", "Captured", "Regret"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            each.method,
            *("" if error is None else f"{error:.0f}" for error in each.error),
            f"{100 * each.inside:.0f} %",
            f"{100 * each.saving:.1f} %",
            f"{100 * each.best:.1f} %",
            f"{100 * each.captured:.0f} %",
            f"{100 * each.regret:.1f} %",
        )
    return table


def _card(found: Sequence[Judgement], zone: str, source: str, period: str, hours_known: int) -> str:
    heads = " | ".join(f"error {lead} h, gCO₂e/kWh" for lead in LEADS_H)
    rows = "\n".join(_card_row(each) for each in found)
    return f"""# Forecasts of {zone}

- **Data**: {source}; {hours_known:,} hours known, the last of them judged: {period}.
- **Judged on**: {found[0].days} days, a forecast at each midnight UTC from the hours before it alone.
- **Written**: {words.date(wiring.clock_of(None).wall())} UTC.
- **Use**: to choose hours for work that can wait.
- **Not for**: trading, settlement, or other zones and times without judging it there first.
- **Ranges**: the 10 % and 90 % points of the method's own errors of the week before, by lead.

| method | {heads} | in its 80 % range | saved | best | captured | regret |
|---|{"---:|" * (len(LEADS_H) + 5)}
{rows}

Errors are mean absolute ones. Each day the {WORK_H} hours cleanest by forecast are chosen: *saved* is what
they save of the day's mean, *best* what the truly cleanest would, *captured* the one over the other, and
*regret* what the choice costs above the best.
"""


def _card_row(each: Judgement) -> str:
    errors = " | ".join("not known" if error is None else f"{error:.1f}" for error in each.error)
    shares = (each.inside, each.saving, each.best, each.captured, each.regret)
    return f"| {each.method} | {errors} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |"

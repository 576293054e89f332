"""Shows grids: their zones, and the signal of one with its forecast."""

import math
from pathlib import Path

from rich.columns import Columns
from rich.text import Text

from tidewatt import settings, wiring
from tidewatt.cli import tide, words
from tidewatt.cli.outlook import View, degradations
from tidewatt.cli.request import parse_start
from tidewatt.domain.signal import Forecast
from tidewatt.domain.units import DAY_S, HOUR_S, parse_duration
from tidewatt.errors import UsageError
from tidewatt.ports import Grid

_ROWS = 8
_BACK_S = DAY_S
_FURTHEST_S = 14 * DAY_S


def list_zones(carbon: Path | None, *, json: bool) -> None:
    """Print the zones of a grid."""
    grid = _grid(carbon)
    zones = grid.zones()
    if json:
        words.print_json({"source": grid.name, "model": carbon is None, "zones": list(zones)})
        return
    screen = words.screen()
    kind = " (MODEL, not measured)" if carbon is None else ""
    screen.print(Text(f"{words.count(len(zones), 'zone')} of {grid.name}{kind}", style="bold"))
    screen.print(Columns(zones, padding=(0, 3)) if screen.is_terminal else "\n".join(zones))


def show_zone(zone: str, *, horizon: str, carbon: Path | None, start: str | None, json: bool) -> None:
    """Draw the last day and the forecast of a zone."""
    horizon_s = parse_duration(horizon)
    if not 0 < horizon_s <= _FURTHEST_S:
        raise UsageError(f"a forecast of {horizon!r}", "more than nothing and at most 14 days", "write 48h")
    grid = _grid(carbon)
    now = wiring.clock_of(None).wall() if start is None else parse_start(start)
    view = _view(grid, zone, now, horizon_s)
    if json:
        words.print_json(_values(view, now))
    else:
        _print(view, now)


def _grid(carbon: Path | None) -> Grid:
    return wiring.open_grid(wiring.carbon_source(carbon))


def _view(grid: Grid, zone: str, now: float, horizon_s: float) -> View:
    past = grid.signal(zone, now - _BACK_S, now + 1)
    if not past.readings:
        raise UsageError(
            f"no reading of {zone} in the day before {words.instant(now)} in {grid.name}",
            "a time that it covers",
            "choose --start inside the period of the file",
        )
    begin = past.readings[0].observed_at % HOUR_S
    start_at = math.floor((now - _BACK_S - begin) / HOUR_S) * HOUR_S + begin
    return View(
        zone=zone,
        start_at=start_at,
        end_at=now + horizon_s,
        past=past,
        coming=settings.foresight(grid)(zone, now, horizon_s),
        stints=(),
        source=words.model_label(grid.name, past),
    )


def _print(view: View, now: float) -> None:
    screen = words.screen()
    width = min(screen.width, 120) if screen.is_terminal else 80
    cells = view.cells(now, tide.room(width))
    current = max((i for i, cell in enumerate(cells) if not cell.ahead), default=0)
    reading = view.past.at(now)
    screen.print(Text.assemble((view.zone, "bold"), f", {words.UNIT}, {view.source}"))
    screen.print()
    for line in tide.chart(cells, _ROWS):
        screen.print(line)
    screen.print(tide.axis(len(cells), current, words.hour(view.start_at), words.hour(view.end_at)))
    screen.print()
    value = "" if reading is None else f" ({reading.low:.0f} to {reading.high:.0f})"
    screen.print(
        f"Now       {words.instant(now)}: {words.intensity(reading.value if reading else None)}{value}"
    )
    for sentence in _ahead(view.coming):
        screen.print(sentence)
    for said in degradations([view.coming]):
        screen.print(f"Note: {said}.")


def _ahead(coming: Forecast | None) -> list[str]:
    if coming is None:
        return ["Ahead     no forecast: nothing to make one from"]
    best = min(coming.windows, key=lambda w: w.mean)
    worst = max(coming.windows, key=lambda w: w.mean)
    told = [f"Forecast  {coming.method}, shown pale; ranges hold 80 %"]
    told += [
        f"{name}  {words.hour(w.start_at)}: {w.mean:.0f} {words.UNIT} ({w.low:.0f} to {w.high:.0f})"
        for name, w in (("Cleanest", best), ("Dirtiest", worst))
    ]
    return told


def _values(view: View, now: float) -> dict[str, object]:
    coming = view.coming
    return {
        "zone": view.zone,
        "at": words.iso(now),
        "unit": "gCO2e/kWh",
        "source": view.source,
        "readings": [
            {
                "start_at": words.iso(r.observed_at),
                "value": r.value,
                "low": r.low,
                "high": r.high,
                "quality": str(r.quality),
            }
            for r in view.past.readings
        ],
        "forecast": None
        if coming is None
        else {
            "method": coming.method,
            "degraded": coming.degraded,
            "hours": [
                {"start_at": words.iso(w.start_at), "mean": w.mean, "low": w.low, "high": w.high}
                for w in coming.windows
            ],
        },
    }

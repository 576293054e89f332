"""Waits until it is time to start a run that somebody else starts, and says what that is expected to save."""

import threading
from dataclasses import dataclass
from pathlib import Path

import typer

from tidewatt import settings, wiring
from tidewatt.accounting.carbon import Operational, Spent, operational
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.counterfactual import Counterfactual
from tidewatt.accounting.saving import Saving, saving
from tidewatt.cli import words
from tidewatt.cli.outlook import degradations
from tidewatt.cli.panel import pace
from tidewatt.cli.request import parse_span, parse_speed, parse_start
from tidewatt.domain import world as worlds
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.signal import Forecast, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S, format_duration
from tidewatt.domain.world import World, WorldRequest
from tidewatt.errors import Infeasible, UsageError
from tidewatt.policy import start
from tidewatt.policy.start import Run, Start, expected_hours
from tidewatt.ports import Clock, Grid
from tidewatt.report.figures import percent

TIME, INTERRUPTED = 0, 130
_FURTHEST_S = 14 * DAY_S
_EVEN = Estimate.exact(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of the command line, as they were typed."""

    zone: str | None
    deadline: str
    length: str
    carbon: Path | None
    start: str | None
    clock_speed: str | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, understood."""

    zone: str
    deadline_s: float
    length_s: float
    world: World


@dataclass(frozen=True, slots=True)
class _Known:
    """The forecast that a wait began with, and the newest one; None where there was no signal."""

    first: Forecast | None
    last: Forecast | None


class _Teller:
    """Says on standard error what is waited for; ``quiet`` leaves only what is missing."""

    def __init__(self, *, quiet: bool) -> None:
        self._screen = words.screen(err=True)
        self._quiet = quiet
        self._doubted = False

    def say(self, text: str) -> None:
        if not self._quiet:
            self._screen.print(text)

    def doubt(self, known: Forecast | None) -> None:
        """Tell once what the forecasts have to do without."""
        lacks = degradations([known])
        if lacks and not self._doubted:
            self._doubted = True
            self._screen.print(f"Note: {lacks[0]}.")

    def blind(self, why: str) -> None:
        self._screen.print(f"Note: {why}.")


def wait(asked: Asked, *, json: bool, quiet: bool) -> int:
    """Return when it is time; the exit code is returned.

    Raises:
        UsageError: something cannot be understood, or the zone is unknown.
        Infeasible: the run is longer than the time until its deadline.
    """
    wish = _parse(asked)
    grid = wiring.open_grid(wish.world.carbon_file)
    grid.signal(wish.zone, wish.world.origin_at, wish.world.origin_at)
    teller = _Teller(quiet=quiet)
    teller.say(_setting(wish, grid))
    clock = wiring.clock_of(wish.world)
    began_at = clock.now()
    run = Run(zone=wish.zone, length_s=wish.length_s, deadline_at=began_at + wish.deadline_s)
    try:
        started_at, chosen, known = _wait(run, grid, clock, began_at, teller)
    except KeyboardInterrupt:
        typer.echo("\nInterrupted: it was not time yet, and nothing was started.", err=True)
        return INTERRUPTED
    hours = _hours(known, grid.signal(run.zone, began_at - HOUR_S, started_at), started_at)
    result = _Result(run, began_at, started_at, chosen, known.last, hours)
    teller.say(result.sentence())
    if json:
        model = not wish.world.carbon_file
        words.print_json(result.values() | {"grid": {"source": grid.name, "model": model}})
    return TIME


def _parse(asked: Asked) -> _Wish:
    deadline_s, length_s = parse_span("--deadline", asked.deadline), parse_span("--for", asked.length)
    if deadline_s > _FURTHEST_S:
        raise UsageError(
            f"--deadline {asked.deadline!r}", "at most 14 days, as far as is forecast", "write 24h"
        )
    request = WorldRequest(
        speed=None if asked.clock_speed is None else parse_speed(asked.clock_speed),
        start_at=None if asked.start is None else parse_start(asked.start),
        carbon_file=wiring.carbon_source(asked.carbon),
    )
    if not asked.zone:
        raise settings.no_zone()
    if length_s > deadline_s:
        raise Infeasible(
            f"a run of {format_duration(length_s)} with a deadline {format_duration(deadline_s)} away",
            "one that fits before its deadline",
            "allow more time with --deadline, or give a shorter --for",
        )
    return _Wish(asked.zone, deadline_s, length_s, worlds.make(request, wiring.clock_of(None).wall()))


def _setting(wish: _Wish, grid: Grid) -> str:
    source = grid.name if wish.world.carbon_file else f"{grid.name} (MODEL, not measured)"
    clock = f" Clock: {pace(wish.world.speed)}." if wish.world.replayed else ""
    return f"Grid: {source}, zone {wish.zone}.{clock}"


def _wait(run: Run, grid: Grid, clock: Clock, now: float, teller: _Teller) -> tuple[float, Start, _Known]:
    """Decide in each window anew until the decision is to start; the instant of that is returned first."""
    first: Forecast | None = None
    told_at: float | None = None
    foresee = settings.foresight(grid)
    while True:
        coming = foresee(run.zone, now, max(run.deadline_at - now, run.length_s) + HOUR_S)
        first = first or coming
        decision = start.decide(run, coming, now)
        if coming is None:
            teller.blind(decision.why)
        teller.doubt(coming)
        if decision.at <= now:
            return now, decision, _Known(first, coming)
        if decision.at != told_at:
            told_at = decision.at
            teller.say(_waiting(run, decision, coming, now))
        pause_s = max(0.0, decision.again_at - clock.now()) / clock.speed
        threading.Event().wait(min(pause_s, threading.TIMEOUT_MAX))
        now = clock.now()


def _waiting(run: Run, decision: Start, coming: Forecast | None, now: float) -> str:
    hours = _hours(_Known(None, coming), Signal(run.zone, ()), now)
    saved = _saved(run, now, decision.at, hours)
    return (
        f"Waiting until {words.instant(decision.at)} (in {format_duration(decision.at - now)}): "
        f"{_expected(decision.then)} then, {_expected(decision.at_once)} now{_told(saved)}."
    )


@dataclass(frozen=True, slots=True)
class _Result:
    """A wait that is over."""

    run: Run
    began_at: float
    started_at: float
    chosen: Start
    coming: Forecast | None
    hours: Signal

    @property
    def _at_once(self) -> Estimate | None:
        return self.hours.mean(self.began_at, self.began_at + self.run.length_s)

    @property
    def _at_start(self) -> Estimate | None:
        return self.hours.mean(self.started_at, self.started_at + self.run.length_s)

    def sentence(self) -> str:
        """What is to be said when it is time."""
        when = f"It is time, {words.instant(self.started_at)}"
        if self.coming is None:
            return f"{when}."
        if self.started_at <= self.began_at:
            return f"{when}: {self.chosen.why}; {_expected(self._at_start)}."
        saved = _saved(self.run, self.began_at, self.started_at, self.hours)
        return (
            f"{when}, after {format_duration(self.started_at - self.began_at)}: "
            f"{_expected(self._at_start)}, {_expected(self._at_once)} had it started at once{_told(saved)}."
        )

    def values(self) -> dict[str, object]:
        """The same for programs; what is not known is null."""
        saved = _saved(self.run, self.began_at, self.started_at, self.hours)
        return {
            "zone": self.run.zone,
            "began_at": words.iso(self.began_at),
            "started_at": words.iso(self.started_at),
            "deadline_at": words.iso(self.run.deadline_at),
            "waited_s": self.started_at - self.began_at,
            "length_s": self.run.length_s,
            "why": self.chosen.why,
            "intensity_at_once_gco2e_per_kwh": _values(self._at_once),
            "intensity_at_start_gco2e_per_kwh": _values(self._at_start),
            "expected_saving_percent": _values(saved, 100.0),
            "forecast_method": None if self.coming is None else self.coming.method,
            "degraded": [self.chosen.why] if self.coming is None else degradations([self.coming]),
        }


def _hours(known: _Known, actual: Signal, now: float) -> Signal:
    """The best that is known of each hour: what it was if it has ended, else the newest forecast of it.

    What was measured is taken without its range, as the forecasts are: theirs is that of foresight alone.
    """
    found: dict[float, Reading] = {}
    for forecast in (known.first, known.last):
        if forecast is not None:
            found |= {r.observed_at: r for r in expected_hours(forecast).readings}
    for r in actual.readings:
        if r.observed_at + HOUR_S <= now:
            found[r.observed_at] = Reading(r.observed_at, r.value, r.value, r.value, r.source, r.quality)
    return Signal(actual.zone, tuple(found[at] for at in sorted(found)))


def _saved(run: Run, at_once_at: float, at: float, hours: Signal) -> Estimate | None:
    """The share of carbon less than that of the same run at once; None if it is not known."""
    other = _taken(run, at_once_at, hours)
    compared = saving(
        _taken(run, at, hours),
        run.length_s,
        Counterfactual(
            start_at=at_once_at,
            end_at=at_once_at + run.length_s,
            wall_s=run.length_s,
            machine_s=run.length_s,
            zone=run.zone,
            workers=1,
            energy_j=Estimate.exact(run.length_s),
            meter=_EVEN,
            operational=other,
            basis="forecast",
            assumed=True,
        ),
    )
    return compared.share if isinstance(compared, Saving) else None


def _taken(run: Run, at: float, hours: Signal) -> Operational:
    """What one watt throughout the run would emit; the watts do not matter to a share."""
    spent = Spent(
        zone=run.zone,
        start_at=at,
        end_at=at + run.length_s,
        energy_j=Estimate.exact(run.length_s),
        meter=_EVEN,
    )
    return operational([spent], Conditions(intensity={run.zone: hours}))


def _expected(mean: Estimate | None) -> str:
    return f"intensity {words.NOT_KNOWN}" if mean is None else f"about {mean.value:.0f} {words.UNIT}"


def _told(saved: Estimate | None) -> str:
    if saved is None:
        return f"; expected saving {words.NOT_KNOWN}"
    span = f"80 % range {percent(saved.low)} to {percent(saved.high)}"
    more = "" if saved.value >= 0 else ": it would take more"
    return f"; expected saving {percent(saved.value)} ({span}){more}"


def _values(value: Estimate | None, scale: float = 1.0) -> dict[str, float] | None:
    if value is None:
        return None
    return value.bounds(scale)

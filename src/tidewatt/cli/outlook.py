"""What is known of a job's hours: intensities past and forecast, who worked in them and who is to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt import settings, wiring
from tidewatt.cli.tide import Cell, Scale
from tidewatt.cli.words import model_label
from tidewatt.domain.job import Job
from tidewatt.domain.signal import Forecast, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.ports import Grid, Store

_AHEAD_S = DAY_S
"""How far a job without a deadline is shown ahead."""
_BACK_S = 3 * DAY_S
_WIDEST = 3
"""Columns that an hour may take."""


@dataclass(frozen=True, slots=True)
class Stint:
    """Workers of the job over an interval; ``ahead`` if only planned."""

    start_at: float
    end_at: float
    workers: int
    ahead: bool


@dataclass(frozen=True, slots=True)
class View:
    """The hours of a job as they were known at an instant."""

    zone: str
    start_at: float
    end_at: float
    past: Signal
    coming: Forecast | None
    stints: tuple[Stint, ...]
    source: str

    @property
    def scale(self) -> Scale | None:
        """The cleanest and the dirtiest hour in sight."""
        hours = [r.value for r in self.past.readings]
        if self.coming is not None:
            hours += [w.mean for w in self.coming.windows if w.start_at < self.end_at]
        return Scale.of(hours)

    def cells(self, now: float, columns: int) -> list[Cell]:
        """The hours as columns, each hour one or a few of them, or several hours in one."""
        span_h = max(1, math.ceil((self.end_at - self.start_at) / HOUR_S))
        wide = min(_WIDEST, columns // span_h)
        step_s = HOUR_S / wide if wide else HOUR_S * math.ceil(span_h / columns)
        count = math.ceil((self.end_at - self.start_at) / step_s)
        return [self._cell(self.start_at + i * step_s, step_s, now) for i in range(count)]

    def _cell(self, at: float, step_s: float, now: float) -> Cell:
        ahead = at > now
        instants = [at + (i + 0.5) * HOUR_S for i in range(int(step_s // HOUR_S))] or [at + step_s / 2]
        values = [value for value in (self._value(i, now) for i in instants) if value is not None]
        working = [
            s.workers for s in self.stints if s.start_at < at + step_s and s.end_at > at and s.ahead == ahead
        ]
        return Cell(sum(values) / len(values) if values else None, ahead, max(working, default=0))

    def _value(self, at: float, now: float) -> float | None:
        reading = self.past.at(at)
        if reading is not None and reading.observed_at <= now:
            return reading.value
        window = self.coming.at(at) if self.coming is not None and at > now - HOUR_S else None
        return window.mean if window is not None else None


class Outlook:
    """Looks at the grid and the plan for one job, as somebody could who stands at an instant of it."""

    def __init__(self, store: Store, job: Job, grid: Grid) -> None:
        self._store = store
        self._job = job
        self._grid = grid
        self._foresee = settings.foresight(grid)

    @classmethod
    def of(cls, store: Store, job: Job) -> "Outlook":
        """The outlook of a submitted job, on the grid of its world."""
        return cls(store, job, wiring.open_grid(job.submission.world.carbon_file))

    def at(self, now: float, zone: str) -> View:
        """What is known at an instant of the job's world; nothing later than it is looked at."""
        submission = self._job.submission
        end_at = submission.deadline_at if submission.deadline_at is not None else now + _AHEAD_S
        end_at = max(end_at, now + HOUR_S)
        start_at = _hour(max(submission.submitted_at, now - _BACK_S), self._grid.signal(zone, now, now + 1))
        past = self._grid.signal(zone, start_at, now + 1)
        plan = self._store.last_plan()
        worked = [
            Stint(a.started_at, now if a.ended_at is None else a.ended_at, a.workers, ahead=False)
            for a in self._store.attempts(self._job.id)
        ]
        planned = [
            Stint(a.start_at, a.end_at, a.workers, ahead=True)
            for a in (plan.of(self._job.id) if plan else ())
            if a.end_at > now
        ]
        return View(
            zone=zone,
            start_at=start_at,
            end_at=end_at,
            past=past,
            coming=self._foresee(zone, now, end_at - now),
            stints=(*worked, *planned),
            source=model_label(self._grid.name, past),
        )


def degradations(forecasts: Sequence[Forecast | None]) -> list[str]:
    """What is to be said of forecasts that had to do without something."""
    return [f"forecast for {f.zone} is less certain: {f.degraded}" for f in forecasts if f and f.degraded]


def _hour(at: float, signal: Signal) -> float:
    """The start of the hour that holds an instant; some grids begin theirs at half past."""
    offset = signal.readings[0].observed_at % HOUR_S if signal.readings else 0.0
    return math.floor((at - offset) / HOUR_S) * HOUR_S + offset

"""Saves what hours turned out to be, so that receipts do not depend on its source being there later."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tidewatt.control.observe import Sites
from tidewatt.domain.job import Job
from tidewatt.domain.signal import Series, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.forecast.gaps import fill
from tidewatt.ports import Clock, Grid, Store

_DONORS_S = 7 * DAY_S
"""A missing hour is filled from the same hour of the days before."""
_HINDSIGHT_S = 48 * HOUR_S
_FRESH_S = 60.0
"""Real seconds for which what was kept of a zone's hours is not asked for again."""


class Keeper:
    """Keeps the actual signals that receipts will be priced with.

    ``series`` are those beside the intensity of the grid; a zone that one of them lacks is left out of it.
    """

    def __init__(
        self, store: Store, grid: Grid, clock: Clock, sites: Sites, series: Mapping[Series, Grid]
    ) -> None:
        self._store = store
        self._grid = grid
        self._clock = clock
        self._sites = sites
        self._series = series
        self._kept_until: float | None = None
        self._hindsight: dict[str, tuple[float, tuple[int, int, int]]] = {}
        """By zone: real seconds at which it was kept last; hours of its beginning, of then, of its end."""

    def keep(self, jobs: Sequence[Job]) -> None:
        """Save the hours that receipts of these jobs will need, up to now."""
        now = self._clock.now()
        submitted = [job.submission.submitted_at for job in jobs]
        since = min([now, *submitted]) if self._kept_until is None else min(now, self._kept_until)
        zones = {site.zone for site in self._sites()} | {job.submission.home_zone for job in jobs}
        for zone in sorted(zones):
            self._store.record_signal(self._grid.name, self._actual(zone, since - HOUR_S, now))
            self._keep_series(zone, since - HOUR_S, now)
        self._kept_until = now

    def keep_hindsight(self, job: Job) -> None:
        """Save what is known of the hours after an ended job: its counterfactual may reach into them."""
        now = self._clock.now()
        end_at = max(now, job.submission.deadline_at or now) + _HINDSIGHT_S
        zone, since = job.submission.home_zone, job.submission.submitted_at - HOUR_S
        if self._kept_just_now(zone, since, now, end_at):
            return
        self._store.record_signal(self._grid.name, self._actual(zone, since, now))
        self._store.record_signal(self._grid.name, self._grid.signal(zone, now, end_at))
        self._keep_series(zone, since, end_at)

    def _kept_just_now(self, zone: str, since: float, now: float, end_at: float) -> bool:
        """Whether all of this was kept a moment ago, as after many short jobs; if not it is from now on."""
        wall = self._clock.wall()
        first, here, last = (int(at // HOUR_S) for at in (since, now, end_at))
        kept_wall, (begin, then, end) = self._hindsight.get(zone, (-math.inf, (0, 0, 0)))
        if wall - kept_wall < _FRESH_S and begin <= first and then == here and last <= end:
            return True
        self._hindsight[zone] = wall, (first, here, last)
        return False

    def _keep_series(self, zone: str, start_at: float, end_at: float) -> None:
        for name, source in self._series.items():
            if zone in source.zones():
                with suppress(UsageError):  # a file that was damaged since must not end jobs
                    self._store.record_signal(name, source.signal(zone, start_at, end_at))

    def _actual(self, zone: str, start_at: float, end_at: float) -> Signal:
        """Actual readings of an interval that lies in the past, gaps filled and flagged."""
        signal = self._grid.signal(zone, start_at - _DONORS_S, end_at)
        try:
            return fill(signal, start_at, end_at)
        except SignalMissing:
            return signal

"""When to start one run of known length that must be done by a deadline, by the default policy."""

from dataclasses import dataclass

from tidewatt.domain.estimate import Estimate
from tidewatt.domain.signal import Forecast, Quality, Reading, Signal
from tidewatt.domain.site import Site
from tidewatt.domain.snapshot import JobView, Remaining, Snapshot
from tidewatt.policy import cheapest
from tidewatt.policy.room import windows

_NAME = "run"
_SITE = "here"
_EQUAL = 1e-9
"""Sums of equal prices differ in their last bits; that is no reason to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Something that goes through without a pause once it is started, in one zone.

    ``length_s`` is how long it takes and ``deadline_at`` the instant by which it is to be done, UTC seconds.
    """

    zone: str
    length_s: float
    deadline_at: float

    @property
    def latest_at(self) -> float:
        """The last instant at which it can start and still be done in time."""
        return self.deadline_at - self.length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """When a run is to start, as far as it is known at one instant.

    ``again_at`` is when to decide again: at the start itself, or where the next window begins if that is
    earlier. ``at_once`` and ``then`` are the mean intensities, gCO2e/kWh, that are expected of a run which
    starts at the instant of the decision and at ``at``; None where the forecast does not reach.
    """

    at: float
    again_at: float
    why: str
    at_once: Estimate | None
    then: Estimate | None


def decide(run: Run, forecast: Forecast | None, now: float) -> Start:
    """Choose the start as the default policy does for a function of one worker.

    The start is ``now`` or the beginning of a window, and never later than ``run.latest_at`` unless that has
    gone by already: then it is ``now``. Without a forecast there is no waiting.
    """
    if forecast is None or not forecast.windows:
        why = f"no carbon intensity is known for {run.zone}: not waiting blindly"
        return Start(at=now, again_at=now, why=why, at_once=None, then=None)
    snapshot = Snapshot(
        now=now, sites=(Site(_SITE, run.zone, 1),), forecasts=(forecast,), jobs=(_view(run, now),)
    )
    hours = expected_hours(forecast)
    at_once = hours.mean(now, now + run.length_s)
    planned = cheapest.decide(snapshot).of(_NAME)
    at = min(planned[0].start_at, run.latest_at) if planned else now
    then = hours.mean(at, at + run.length_s)
    window_end_at = windows(snapshot, float("inf"), most=1)[0].end_at
    if window_end_at > run.latest_at:
        why = "the deadline leaves no time to wait for another hour"
    elif at <= now or _as_good(at_once, then):
        why = "now is as good as it gets before the deadline"
    else:
        why = "the cheapest start before the deadline"
        return Start(at=at, again_at=min(at, window_end_at), why=why, at_once=at_once, then=then)
    return Start(at=now, again_at=now, why=why, at_once=at_once, then=at_once)


def expected_hours(forecast: Forecast) -> Signal:
    """The hours of a forecast as if they were readings; their ranges are those of the forecast."""
    return Signal(
        forecast.zone,
        tuple(
            Reading(w.start_at, w.mean, w.low, w.high, forecast.method, Quality.MODELLED)
            for w in forecast.windows
        ),
    )


def _as_good(at_once: Estimate | None, then: Estimate | None) -> bool:
    return at_once is not None and then is not None and then.value >= at_once.value * (1 - _EQUAL)


def _view(run: Run, now: float) -> JobView:
    return JobView(
        id=_NAME,
        submitted_at=now,
        deadline_at=run.deadline_at,
        least=1,
        most=1,
        zones=(run.zone,),
        home_zone=run.zone,
        cpus_per_worker=1,
        suspendable=False,
        remaining=Remaining(run.length_s, run.length_s),
        speedup=(1.0,),
        safe_speedup=(1.0,),
        watts=(1.0,),
        restart_s=0.0,
    )

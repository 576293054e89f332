"""Works out what a plan would take, and what starting now would, from the forecast alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.accounting.carbon import Operational, Spent, operational
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.saving import Saving, saving
from tidewatt.adapters.meters.model import MAX_W_PER_CPU
from tidewatt.domain.estimate import Estimate, total
from tidewatt.domain.plan import Assignment
from tidewatt.domain.signal import Signal
from tidewatt.domain.snapshot import JobView, Snapshot
from tidewatt.policy.start import expected_hours
from tidewatt.sdk.proposal import Proposal

_METER = Estimate(1.0, MAX_W_PER_CPU.low / MAX_W_PER_CPU.value, MAX_W_PER_CPU.high / MAX_W_PER_CPU.value)
"""What a modelled watt of a busy processor may really be."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Workers at one count in one zone, without a stop; instants of the world's clock."""

    start_at: float
    end_at: float
    zone: str
    workers: int
    intensity: Estimate | None
    """The mean that is forecast, gCO2e/kWh."""


@dataclass(frozen=True, slots=True)
class Course:
    """A way to do the work: when, where, and the operational carbon it is expected to take."""

    stretches: tuple[Stretch, ...]
    priced: Operational
    machine_s: float

    @property
    def end_at(self) -> float:
        """When the work would be done."""
        return self.stretches[-1].end_at


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a proposal; ``now`` and ``saved`` are None while the length is not known."""

    planned: Course
    now: Course | None
    saved: Saving | Unknown | None


def expect(proposal: Proposal) -> Expectation:
    """Compare the plan of a proposal with a start at once, at the least worker count in the home zone.

    Both are priced with the means of one forecast; its ranges make the range of the saving. Energy is the
    processors held times watts of a busy one, a model; the same error is in both.
    """
    snapshot, speed = proposal.snapshot, proposal.world.speed
    job = next(view for view in snapshot.jobs if view.id == proposal.job.id)
    planned = planned_course(proposal, job)
    if job.remaining is None:
        return Expectation(planned, None, None)
    signals = _signals(snapshot)
    home = next((s.name for s in snapshot.sites if s.zone == job.home_zone), snapshot.sites[0].name)
    at_once = Assignment(job.id, home, job.least, snapshot.now, float("inf"))
    now = _course([at_once], job, snapshot, signals, speed, job.remaining.expected_s)
    return Expectation(planned, now, saving(planned.priced, planned.machine_s, _as_other(now, job)))


def planned_course(proposal: Proposal, job: JobView) -> Course:
    """What a job would do by the plan of a proposal that it is in, as far as its length is known."""
    snapshot, speed = proposal.snapshot, proposal.world.speed
    work_s = None if job.remaining is None else job.remaining.expected_s
    return _course(proposal.plan.of(job.id), job, snapshot, _signals(snapshot), speed, work_s)


def _signals(snapshot: Snapshot) -> dict[str, Signal]:
    return {forecast.zone: expected_hours(forecast) for forecast in snapshot.forecasts}


def _course(
    assignments: Sequence[Assignment],
    job: JobView,
    snapshot: Snapshot,
    signals: dict[str, Signal],
    speed: float,
    work_s: float | None,
) -> Course:
    """The course that assignments make, as far as the work needs them."""
    stretches = _stretches(assignments, job, snapshot, signals, float("inf") if work_s is None else work_s)
    spent = [
        Spent(
            zone=s.zone,
            start_at=s.start_at,
            end_at=s.end_at,
            energy_j=Estimate.exact(job.watts[s.workers - 1] * (s.end_at - s.start_at) / speed),
            meter=_METER,
        )
        for s in stretches
    ]
    cpus = max(site.cpus for site in snapshot.sites)
    held_s = sum((s.end_at - s.start_at) * s.workers * job.cpus_per_worker for s in stretches)
    return Course(stretches, operational(spent, Conditions(intensity=signals)), held_s / speed / cpus)


def _stretches(
    assignments: Sequence[Assignment],
    job: JobView,
    snapshot: Snapshot,
    signals: dict[str, Signal],
    left: float,
) -> tuple[Stretch, ...]:
    """Go through assignments until the work is done, restarts included; those without a stop are one."""
    stretches: list[Stretch] = []
    before: tuple[str, int, float] | None = None
    for assignment in assignments:
        if left <= 0:
            break
        site = snapshot.site(assignment.site)
        zone = site.zone if site else ""
        carried_on = before == (assignment.site, assignment.workers, assignment.start_at)
        overhead = 0.0 if carried_on else job.restart_s
        rate = job.speedup[assignment.workers - 1]
        end_at = min(assignment.end_at, assignment.start_at + overhead + left / rate)
        left -= max(0.0, end_at - assignment.start_at - overhead) * rate
        start_at = stretches.pop().start_at if carried_on else assignment.start_at
        mean = signals[zone].mean(start_at, end_at) if zone in signals else None
        stretches.append(Stretch(start_at, end_at, zone, assignment.workers, mean))
        before = (assignment.site, assignment.workers, assignment.end_at)
    return tuple(stretches)


def _as_other(course: Course, job: JobView) -> Counterfactual:
    first = course.stretches[0]
    return Counterfactual(
        start_at=first.start_at,
        end_at=course.end_at,
        wall_s=course.machine_s,
        machine_s=course.machine_s,
        zone=first.zone,
        workers=job.least,
        energy_j=total([Estimate.exact(course.priced.energy_j)]) * _METER,
        meter=_METER,
        operational=course.priced,
        basis="forecast",
        assumed=True,
    )

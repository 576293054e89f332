"""The run that a saving is claimed against: the same work, begun at submission and straight through."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.accounting.carbon import Operational, Spent, operational, ratio
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.factors import Impact
from tidewatt.accounting.pace import joules_per_step, steps_per_second, stints, work_energy_j
from tidewatt.domain.estimate import ZERO, Estimate, total
from tidewatt.domain.job import Attempt, Job, unbroken
from tidewatt.domain.ledger import Balance, Phase
from tidewatt.domain.lifecycle import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """A run that did not happen, and what it would have taken.

    ``start_at`` and ``end_at`` are instants of the world's clock, ``wall_s`` is real time, and
    ``machine_s`` the real seconds of the whole machine that it would have reserved. ``energy_j`` has the
    range of the ``meter`` in it. ``assumed`` is true if any figure was carried over from another worker
    count instead of observed at this one; ``basis`` says it all in words.
    """

    start_at: float
    end_at: float
    wall_s: float
    machine_s: float
    zone: str
    workers: int
    energy_j: Estimate
    meter: Estimate
    operational: Operational
    basis: str
    assumed: bool

    @property
    def carbon(self) -> Impact | None:
        """Its operational carbon, or None where the home zone has no data."""
        return self.operational.carbon


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why something cannot be said."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    energy_j: Estimate
    wall_s: float
    basis: str
    assumed: bool = False


def counterfactual(
    job: Job,
    attempts: Sequence[Attempt],
    balances: Sequence[Balance],
    conditions: Conditions,
    speed: float,
) -> Counterfactual | Unknown:
    """Tell what the same work would have taken without Tidewatt's choices.

    It starts at submission, at the least worker count that the job accepts, in its home zone, with one
    cold start and nothing else than the work: no checkpoint, suspend, resume or replay. It is priced with
    the same actual signal. Of a job that has not ended, the work is what was done so far.

    Args:
        job: The job.
        attempts: All attempts at it.
        balances: Its ledger.
        conditions: Those that the run which did happen is priced with.
        speed: World seconds for each real second.
    """
    if job.state in {State.FAILED, State.CANCELLED}:
        ended = "has failed" if job.state is State.FAILED else "was cancelled"
        return Unknown(f"the job {ended}, and a saving is told only of work that was finished")
    workers = job.function.workers.least
    work = _training(job, attempts, balances, workers) or _whole_attempt(attempts, balances, workers)
    if work is None:
        return Unknown("too little of the work was observed to say what it takes")
    cold = _cold_start(attempts, balances)
    zone, start_at = job.submission.home_zone, job.submission.submitted_at
    began_at = start_at + cold.wall_s * speed
    end_at = began_at + work.wall_s * speed
    meter = ratio(total(balance.energy_j for balance in balances))
    spent = [
        Spent(zone=zone, start_at=start_at, end_at=began_at, energy_j=cold.energy_j, meter=meter),
        Spent(zone=zone, start_at=began_at, end_at=end_at, energy_j=work.energy_j, meter=meter),
    ]
    wall_s = cold.wall_s + work.wall_s
    return Counterfactual(
        start_at=start_at,
        end_at=end_at,
        wall_s=wall_s,
        machine_s=wall_s * workers * job.function.cpus / max(b.cpus for b in balances),
        zone=zone,
        workers=workers,
        energy_j=(cold.energy_j + work.energy_j) * meter,
        meter=meter,
        operational=operational(spent, conditions),
        basis=f"{work.basis}; {cold.basis}",
        assumed=work.assumed,
    )


def _training(
    job: Job, attempts: Sequence[Attempt], balances: Sequence[Balance], workers: int
) -> _Part | None:
    done = stints(attempts, balances)
    energy, pace = joules_per_step(done, workers), steps_per_second(done, workers)
    ended = job.state is State.SUCCEEDED and job.steps_total is not None
    steps = job.steps_total if ended and job.steps_total is not None else job.steps_reached
    if energy is None or pace is None or steps == 0:
        return None
    count = f"{workers} worker{'s' if workers > 1 else ''}"
    seen = f"as observed with {count}"
    per_step = seen if energy.seen else "the mean over other worker counts"
    rate = seen if pace.seen else "in proportion from the nearest worker count seen"
    return _Part(
        energy_j=energy.figure.scaled(steps),
        wall_s=steps / pace.figure.value,
        basis=f"{steps:,} steps with {count}: {energy.figure.value:.3g} J a step ({per_step}) and "
        f"{pace.figure.value:.3g} steps a real second ({rate})",
        assumed=not (energy.seen and pace.seen),
    )


def _whole_attempt(attempts: Sequence[Attempt], balances: Sequence[Balance], workers: int) -> _Part | None:
    run = unbroken(attempts)
    if not run or run[-1].outcome != "succeeded":
        return None
    energy_j = sum(work_energy_j(balances, attempt.token) for attempt in run)
    if energy_j == 0:
        return None
    seconds = sum(
        ((a.ended_wall or a.started_wall) - a.started_wall - (a.startup_wall_s or 0.0)) * a.workers
        for a in run
    )
    which = "the attempt that succeeded" if len(run) == 1 else f"the {len(run)} stretches between pauses"
    return _Part(
        energy_j=Estimate.exact(energy_j),
        wall_s=max(0.0, seconds / workers),
        basis=f"the energy and the length of {which}",
        assumed=any(a.workers != workers for a in run),
    )


def _cold_start(attempts: Sequence[Attempt], balances: Sequence[Balance]) -> _Part:
    by_token: dict[int, float] = {}
    for balance in balances:
        if balance.phase is Phase.COLD_START:
            token = balance.token
            by_token[token] = by_token.get(token, 0.0) + balance.energy_uj / 1_000_000
    timed = [a for a in attempts if a.startup_wall_s is not None]
    chosen = [a for a in timed if a.token in by_token] or timed
    wall_s = sum(a.startup_wall_s or 0.0 for a in chosen) / len(chosen) if chosen else 0.0
    seen = [joules for joules in by_token.values() if joules > 0]
    if not seen:
        return _Part(energy_j=ZERO, wall_s=wall_s, basis="no cold start took energy that could be seen")
    mean = sum(seen) / len(seen)
    return _Part(
        energy_j=Estimate(mean, min(seen), max(seen)),
        wall_s=wall_s,
        basis=f"one cold start, the mean of {len(seen)} observed" if len(seen) > 1 else "one cold start",
    )

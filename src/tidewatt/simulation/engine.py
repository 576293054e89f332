"""An engine whose workers compute nothing: they only take the time that real ones would.

Waiting on it is what moves virtual time, from one thing that happens to the next.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tidewatt.domain.job import STRANDED, Attempt
from tidewatt.domain.ledger import Phase
from tidewatt.ports import (
    Checkpointed,
    EngineEvent,
    EngineUsage,
    Exited,
    Order,
    Progressed,
    Rung,
    Started,
    WorkerUsage,
)
from tidewatt.simulation.clock import VirtualClock

STEPS = 1_000_000
"""Every simulated job has so many steps, whatever its length."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The truth about a job that the loop has to find out: seconds of work at one worker, and speeds.

    ``speedup[i]`` is the throughput with ``i + 1`` workers; starting takes ``startup_s`` and saving, when it
    is asked to leave, ``checkpoint_s``. While it runs it saves every ``checkpoint_every_s``, beside the work.
    Attempts die by chance, after ``mean_life_s`` in the mean; ``seed`` says when.
    """

    length_s: float
    speedup: tuple[float, ...]
    startup_s: float = 0.0
    checkpoint_s: float = 0.0
    checkpoint_every_s: float = float("inf")
    mean_life_s: float = float("inf")
    seed: int = 0

    def life_s(self, job_id: str, token: int) -> float:
        """Seconds after which an attempt dies if it is still there."""
        if self.mean_life_s == float("inf"):
            return self.mean_life_s
        chance = Random(f"{self.seed} {job_id} {token}")  # noqa: S311 - a simulation, and to be repeated
        return chance.expovariate(1 / self.mean_life_s)


@dataclass(slots=True)
class _Running:
    order: Order
    started_at: float
    began_at: float
    """When the first step could be made."""
    first_step: float
    cpu_s: float = 0.0
    leaving: bool = False


class SimulatedEngine:
    """Runs orders against workloads known by job, in virtual time; ties keep the order of their making."""

    def __init__(self, clock: VirtualClock, workloads: dict[str, Workload]) -> None:
        self._clock = clock
        self._workloads = workloads
        self._running: dict[str, _Running] = {}
        self._steps: dict[str, float] = {}
        self._agenda: list[tuple[float, int, EngineEvent]] = []
        self._sequence = 0
        self._ended: list[_Running] = []
        self._busy_before = 0.0
        self._told_at = -math.inf
        self._visits: dict[int, Callable[[], None]] = {}

    @property
    def busy_cpu_s(self) -> float:
        """Processor seconds of all attempts so far."""
        return self._busy_before + sum(self._cpu_s(running) for running in self._running.values())

    def visit_at(self, instant: float, action: Callable[[], None]) -> None:
        """Have something done at an instant, as when a job comes in, and the loop look again."""
        self._visits[self._plan(instant, Rung())] = action

    def start(self, order: Order) -> None:
        """Begin an attempt; its end is known at once and comes when its time has come."""
        work = self._workloads[order.job_id]
        now = self._clock.now()
        running = _Running(order, now, now + work.startup_s, self._steps.get(order.job_id, 0.0))
        self._running[order.job_id] = running
        self._plan(now, Started(job_id=order.job_id, token=order.token, processes=()))
        self._plan(running.began_at, self._progress(running, running.began_at))
        left = STEPS - running.first_step
        end_at = running.began_at + left / self._rate(order)
        self._plan(end_at, Exited(job_id=order.job_id, token=order.token, outcome="succeeded", result=""))
        dies_at = now + work.life_s(order.job_id, order.token)
        if dies_at < end_at:
            self._plan(dies_at, Exited(job_id=order.job_id, token=order.token, outcome="lost"))

    def suspend(self, job_id: str) -> None:
        """Leave as soon as all steps are saved."""
        running = self._running.get(job_id)
        if running is None or running.leaving:
            return
        running.leaving = True
        now, token = self._clock.now(), running.order.token
        step = int(self._step_at(running, now))
        self._steps[job_id] = step
        saved_at = now + self._workloads[job_id].checkpoint_s
        self._plan(now, self._progress(running, now))
        self._plan(saved_at, Checkpointed(job_id=job_id, token=token, step=step, path=f"{step}"))
        self._plan(saved_at, Exited(job_id=job_id, token=token, outcome="suspended"))

    def kill(self, job_id: str, why: str = "") -> None:
        """End at once; steps since the last checkpoint are lost."""
        running = self._running.get(job_id)
        if running is not None:
            running.leaving = True
            outcome = "failed" if why else "lost"
            token = running.order.token
            self._plan(
                self._clock.now(), Exited(job_id=job_id, token=token, outcome=outcome, error=why or None)
            )

    def wait(self, timeout_s: float) -> Sequence[EngineEvent]:
        """Go on to the next event, or by so many seconds if none comes before.

        Before a job comes or an attempt ends all others tell how far they are, as workers do all the time.
        """
        until = self._clock.now() + timeout_s
        told: list[EngineEvent] = []
        while self._agenda and not told and self._agenda[0][0] <= until:
            at, sequence, event = self._agenda[0]
            if self._stale(event):
                heapq.heappop(self._agenda)
                continue
            self._clock.advance(at)
            if self._told_at < at and isinstance(event, Rung | Exited):
                self._told_at = at
                told += self._told(at)
                continue
            heapq.heappop(self._agenda)
            if sequence in self._visits:
                self._visits.pop(sequence)()
            if isinstance(event, Exited):
                running = self._running.pop(event.job_id)
                if event.outcome == "lost":
                    told += self._saved_before(running)
                self._busy_before += self._cpu_s(running)
                self._ended.append(running)
            told.append(event)
        if not told:
            self._clock.advance(until)
            told += self._told(until)
        return told

    def _told(self, at: float) -> list[EngineEvent]:
        return [self._progress(r, at) for r in self._running.values() if r.began_at <= at]

    def usage(self) -> EngineUsage:
        """Every worker keeps its processors busy from its start on."""
        ended, self._ended = self._ended, []
        attempts = tuple(self._usage(r) for r in (*ended, *self._running.values()))
        return EngineUsage(attempts=attempts, pool_cpu_s=0.0, platform_cpu_s=0.0)

    def reap(self, attempt: Attempt, folder: str) -> Sequence[EngineEvent]:  # noqa: ARG002 - part of the port
        """Nothing survives a simulated supervisor."""
        return [Exited(job_id=attempt.job_id, token=attempt.token, outcome=STRANDED)]

    @property
    def resting(self) -> bool:
        """Nothing is kept in memory: a simulated job resumes from what it saved."""
        return False

    @property
    def serving(self) -> bool:
        """Nothing is called directly in a simulation."""
        return False

    def let_go(self) -> bool:
        """There is nothing that waits for calls."""
        return False

    def close(self) -> None:
        """Forget everything."""
        self._running.clear()
        self._agenda.clear()

    def _plan(self, at: float, event: EngineEvent) -> int:
        self._sequence += 1
        heapq.heappush(self._agenda, (at, self._sequence, event))
        return self._sequence

    def _rate(self, order: Order) -> float:
        work = self._workloads[order.job_id]
        return work.speedup[order.workers - 1] * STEPS / work.length_s

    def _step_at(self, running: _Running, at: float) -> float:
        return min(STEPS, running.first_step + max(0.0, at - running.began_at) * self._rate(running.order))

    def _progress(self, running: _Running, at: float) -> Progressed:
        order = running.order
        step = int(self._step_at(running, at))
        return Progressed(job_id=order.job_id, token=order.token, step=step, total=STEPS, loss=None)

    def _saved_before(self, running: _Running) -> list[EngineEvent]:
        """The newest of the checkpoints that an attempt made while it ran, if it got so far."""
        order, every_s = running.order, self._workloads[running.order.job_id].checkpoint_every_s
        saves = math.floor((self._clock.now() - running.began_at) / every_s) if not running.leaving else 0
        if saves < 1:
            return []
        step = int(self._step_at(running, running.began_at + saves * every_s))
        self._steps[order.job_id] = step
        return [Checkpointed(job_id=order.job_id, token=order.token, step=step, path=f"{step}")]

    def _stale(self, event: EngineEvent) -> bool:
        """Whether an event belongs to an attempt that has ended, or to one that leaves earlier."""
        if isinstance(event, Started | Progressed | Checkpointed | Exited):
            running = self._running.get(event.job_id)
            if running is None or running.order.token != event.token:
                return True
            return running.leaving and isinstance(event, Exited) and event.outcome == "succeeded"
        return False

    def _usage(self, running: _Running) -> WorkerUsage:
        order = running.order
        return WorkerUsage(
            job_id=order.job_id,
            token=order.token,
            zone=order.zone,
            workers=order.workers,
            cpus=order.workers * order.function.cpus,
            phase=Phase.COMPUTE,
            cpu_s={Phase.COMPUTE: self._cpu_s(running)},
        )

    def _cpu_s(self, running: _Running) -> float:
        """Processor seconds of an attempt so far; it stands still once the attempt has ended."""
        if running.order.job_id in self._running:
            cpus = running.order.workers * running.order.function.cpus
            running.cpu_s = cpus * (self._clock.now() - running.started_at)
        return running.cpu_s

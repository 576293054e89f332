"""Charging: what the node drew since the last look, divided among those who used it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidewatt.accounting import stall
from tidewatt.accounting.allocate import allocate
from tidewatt.control.books import Books
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import PLATFORM, POOL, Account, EnergyReading, Holder, Phase, Usage
from tidewatt.policy.stuck import Pulse, feel
from tidewatt.ports import Clock, Engine, EngineUsage, Meter, Store, WorkerUsage


@dataclass(slots=True)
class _Before:
    """Counters as they stood at the last look."""

    attempts: dict[tuple[str, int], dict[Phase, float]] = field(
        default_factory=dict[tuple[str, int], dict[Phase, float]]
    )
    pool_cpu_s: float = 0.0
    platform_cpu_s: float = 0.0


class Metering:
    """Reads the meter, allocates each reading and saves both."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        meter: Meter | None,
        clock: Clock,
        books: Books,
        stall_share: float = stall.SHARE,
    ) -> None:
        self._stall_share = stall_share
        self._store = store
        self._engine = engine
        self._meter = meter
        self._clock = clock
        self._books = books
        self._before = _Before()
        self._pulses: dict[tuple[str, int], Pulse] = {}

    def begin(self, open_jobs: Sequence[Job]) -> None:
        """Start the first interval, and take up the totals of jobs that were begun earlier."""
        if self._meter is not None:
            self._meter.read(self._clock)
        self._books.begin(open_jobs)

    def still_s(self, job_id: str, token: int) -> float:
        """For how many real seconds an attempt has neither stepped nor worked."""
        pulse = self._pulses.get((job_id, token))
        return pulse.still_s if pulse else 0.0

    def sample(self, intensities: dict[str, float | None]) -> None:
        """Charge the interval since the last call.

        Args:
            intensities: present intensity by zone, for the running totals; receipts price exactly.
        """
        usage = self._engine.usage()
        self._feel(usage)
        reading = None if self._meter is None else self._meter.read(self._clock)
        if reading is None:
            return
        allocations = allocate(reading, self._usages(usage, reading))
        self._store.record_energy(reading, allocations)
        for allocation in allocations:
            self._books.add(allocation, reading.start_at, intensities)

    def _feel(self, usage: EngineUsage) -> None:
        """Look after every attempt that has made its first step; before it, loading may take any time."""
        pulses: dict[tuple[str, int], Pulse] = {}
        for used in usage.attempts:
            attempts = self._store.attempts(used.job_id)
            if not attempts or attempts[-1].token != used.token or attempts[-1].last_step is None:
                continue
            key = (used.job_id, used.token)
            step, cpu_s = attempts[-1].last_step, sum(used.cpu_s.values())
            pulses[key] = feel(self._pulses.get(key), self._clock.wall(), step, cpu_s)
        self._pulses = pulses

    def _usages(self, usage: EngineUsage, reading: EnergyReading) -> list[Usage]:
        before, self._before = (
            self._before,
            _Before(pool_cpu_s=usage.pool_cpu_s, platform_cpu_s=usage.platform_cpu_s),
        )
        usages: list[Usage] = []
        for attempt in usage.attempts:
            key = (attempt.job_id, attempt.token)
            usages.extend(self._phases(attempt, before.attempts.get(key, {}), reading.wall_s))
            self._before.attempts[key] = attempt.cpu_s
        pool_s = max(0.0, usage.pool_cpu_s - before.pool_cpu_s)
        platform_s = max(0.0, usage.platform_cpu_s - before.platform_cpu_s)
        usages.append(Usage(account=POOL, phase=Phase.WARM_IDLE, cpu_s=pool_s))
        usages.append(Usage(account=PLATFORM, phase=Phase.NONE, cpu_s=platform_s))
        return usages

    def _phases(self, attempt: WorkerUsage, before: dict[Phase, float], wall_s: float) -> list[Usage]:
        """One usage for each phase in which the attempt computed; its reservation is split alike."""
        spent = {phase: max(0.0, cpu_s - before.get(phase, 0.0)) for phase, cpu_s in attempt.cpu_s.items()}
        spent = {phase: cpu_s for phase, cpu_s in spent.items() if cpu_s > 0} or {attempt.phase: 0.0}
        spent = stall.told_apart(spent, attempt.phase, attempt.cpus * wall_s, wall_s, self._stall_share)
        return _split(attempt, spent, wall_s)


def _split(attempt: WorkerUsage, spent: dict[Phase, float], wall_s: float) -> list[Usage]:
    total = sum(spent.values())
    return [
        Usage(
            account=Account(Holder.JOB, attempt.job_id),
            phase=phase,
            cpu_s=cpu_s,
            reserved_cpu_s=attempt.cpus * wall_s * (cpu_s / total if total else 1.0),
            zone=attempt.zone,
            workers=attempt.workers,
            token=attempt.token,
        )
        for phase, cpu_s in spent.items()
    ]

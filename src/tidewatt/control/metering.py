"""Charging: what the node drew since the last look, divided among those who used it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tidewatt.accounting import stall
from tidewatt.accounting.allocate import allocate
from tidewatt.control.books import Books
from tidewatt.control.devices import charged, owned
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import PLATFORM, POOL, Account, Charge, EnergyReading, Holder, Phase, Usage
from tidewatt.domain.units import format_duration
from tidewatt.errors import TidewattError
from tidewatt.policy.stuck import Pulse, feel
from tidewatt.ports import (
    Clock,
    DeviceMeter,
    DeviceReading,
    Engine,
    EngineUsage,
    Meter,
    Store,
    WorkerUsage,
)

SAVE_EVERY_S = 10.0
"""Real seconds of readings that may wait to be saved together, and be lost if the supervisor is killed."""
NO_STEPS: Mapping[tuple[str, int], int] = {}
_JUMP_S = 5.0
"""Clocks that are kept in time are moved by less."""


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
        devices: DeviceMeter | None = None,
    ) -> None:
        self._stall_share = stall_share
        self._store = store
        self._engine = engine
        self._meter = meter
        self._clock = clock
        self._books = books
        self._before = _Before()
        self._pulses: dict[tuple[str, int], Pulse] = {}
        self._devices = devices
        self._unsaved: list[Charge] = []
        self._unsaved_s = 0.0
        self._usual = "" if meter is None else meter.name
        """Readings by another name are worth a note."""
        self._noted: dict[str, set[str]] = {}
        """By job, what was noted with it."""

    def begin(self, open_jobs: Sequence[Job]) -> None:
        """Start the first interval, and take up the totals of jobs that were begun earlier."""
        if self._meter is not None:
            with suppress(TidewattError):  # the first reading will tell
                self._meter.read(self._clock)
        if self._devices is not None:
            self._devices.read(None)
        self._books.begin(open_jobs)

    def still_s(self, job_id: str, token: int) -> float:
        """For how many real seconds an attempt has neither stepped nor worked."""
        pulse = self._pulses.get((job_id, token))
        return pulse.still_s if pulse else 0.0

    def forget(self, job_id: str) -> None:
        """Let go of what was noted of a job that is open no more."""
        self._noted.pop(job_id, None)

    def sample(
        self,
        intensities: dict[str, float | None],
        steps: Mapping[tuple[str, int], int] = NO_STEPS,
        *,
        save: bool = True,
    ) -> None:
        """Charge the interval since the last call.

        Args:
            intensities: present intensity by zone, for the running totals; receipts price exactly.
            steps: by job and token the attempts whose pulse is to be felt, with the last step of each.
            save: whether all that was charged is to be saved now; otherwise a few seconds of it may wait,
                since a transaction costs more than what is written in it.
        """
        usage = self._engine.usage()
        self._feel(usage.attempts, steps)
        reading = self._read(usage)
        if reading is not None:
            self._unsaved_s += reading.wall_s
            for charge in self._charges(usage, reading):
                self._unsaved.append(charge)
                for allocation in charge[1]:
                    self._books.add(allocation, reading.start_at, intensities)
        if save or self._unsaved_s >= SAVE_EVERY_S:
            self.save()

    def _read(self, usage: EngineUsage) -> EnergyReading | None:
        """What the meter says; one that fails ends no job, and what it leaves out is told as missing."""
        try:
            return None if self._meter is None else self._meter.read(self._clock)
        except TidewattError as error:
            self._note(usage, {"missing": f"energy cannot be read, and is missing from here on: {error}"})
            return None

    @property
    def unsaved(self) -> Sequence[Charge]:
        """What was charged and waits to be saved."""
        return self._unsaved

    def saved(self) -> None:
        """Somebody else has saved it all."""
        self._unsaved, self._unsaved_s = [], 0.0

    def save(self) -> None:
        """Save all that was charged and waits."""
        unsaved = self._unsaved
        self.saved()
        if unsaved:
            self._store.record_energies(unsaved)

    def _charges(self, usage: EngineUsage, reading: EnergyReading) -> list[Charge]:
        devices = () if self._devices is None else self._devices.read(reading)
        owners = [owned(device.uses, usage.attempts) for device in devices]
        working = {
            attempt
            for owner in owners
            for attempt, use in owner.items()
            if use.busy_s > self._stall_share * use.held_s
        }
        usages = self._usages(usage, reading, working)
        phases = {(u.account.job_id, u.token): u.phase for u in usages if u.phase is Phase.STALLED}
        self._tell(usage, reading, devices)
        return [
            (reading, allocate(reading, usages)),
            *(charged(device, usage.attempts, phases) for device in devices),
        ]

    def _tell(self, usage: EngineUsage, reading: EnergyReading, devices: Sequence[DeviceReading]) -> None:
        """Note with each job under way, once, what is unusual about how its energy is read."""
        said = {d.reading.meter: f"{d.reading.meter}: {d.note}" for d in devices if d.note}
        if reading.meter != self._usual:
            said[reading.meter] = f"energy is now read by {reading.meter} (tier {int(reading.tier)})"
        jump_s = (reading.end_at - reading.start_at) / self._clock.speed - reading.wall_s
        if abs(jump_s) > _JUMP_S:
            way = "forward" if jump_s > 0 else "back"
            said[f"clock {jump_s:.0f}"] = (
                f"the clock was set {way} by {format_duration(abs(jump_s))} while energy was read, which is "
                "priced at the hours that it told"
            )
        self._note(usage, said)

    def _note(self, usage: EngineUsage, said: Mapping[str, str]) -> None:
        """Save words with each job, once for each of what they are about: figures in them may change."""
        for attempt in usage.attempts if said else ():
            for about, words in said.items():
                if about not in self._noted.setdefault(attempt.job_id, set()):
                    self._noted[attempt.job_id].add(about)
                    at, wall = self._clock.now(), self._clock.wall()
                    self._store.note(attempt.job_id, at=at, wall=wall, detail=words)

    def _feel(self, attempts: Sequence[WorkerUsage], steps: Mapping[tuple[str, int], int]) -> None:
        """See which attempts make steps or do work."""
        wall = self._clock.wall()
        self._pulses = {
            key: feel(self._pulses.get(key), wall, steps[key], sum(used.cpu_s.values()))
            for used in attempts
            if (key := (used.job_id, used.token)) in steps
        }

    def _usages(
        self, usage: EngineUsage, reading: EnergyReading, working: Collection[tuple[str, int]]
    ) -> list[Usage]:
        before, self._before = (
            self._before,
            _Before(pool_cpu_s=usage.pool_cpu_s, platform_cpu_s=usage.platform_cpu_s),
        )
        usages: list[Usage] = []
        for attempt in usage.attempts:
            key = (attempt.job_id, attempt.token)
            known = before.attempts.get(key)
            if attempt.cpus or attempt.cpu_s != known:  # else it only waits for calls
                spent = _spent(attempt, known or {})
                if key not in working:
                    held_s = attempt.cpus * reading.wall_s
                    spent = stall.told_apart(spent, attempt.phase, held_s, reading.wall_s, self._stall_share)
                usages.extend(_split(attempt, spent, reading.wall_s))
            self._before.attempts[key] = attempt.cpu_s
        pool_s = max(0.0, usage.pool_cpu_s - before.pool_cpu_s)
        platform_s = max(0.0, usage.platform_cpu_s - before.platform_cpu_s)
        usages.append(Usage(account=POOL, phase=Phase.WARM_IDLE, cpu_s=pool_s))
        usages.append(Usage(account=PLATFORM, phase=Phase.NONE, cpu_s=platform_s))
        return usages


def _spent(attempt: WorkerUsage, before: dict[Phase, float]) -> dict[Phase, float]:
    """Processor seconds since the last look, by phase in which the attempt computed or, if in none, is."""
    spent = {phase: max(0.0, cpu_s - before.get(phase, 0.0)) for phase, cpu_s in attempt.cpu_s.items()}
    return {phase: cpu_s for phase, cpu_s in spent.items() if cpu_s > 0} or {attempt.phase: 0.0}


def _split(attempt: WorkerUsage, spent: dict[Phase, float], wall_s: float) -> list[Usage]:
    """One usage for each phase; the reservation is split as the processor time is."""
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

"""What Tidewatt asks of the world, each as few methods as its callers need."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tidewatt.domain.function import FunctionSpec, Payload
from tidewatt.domain.job import Attempt, Event, Job, SavedCheckpoint, Submission
from tidewatt.domain.ledger import Allocation, Balance, Charge, EnergyReading, Holder, LedgerEntry, Phase
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.plan import Plan
from tidewatt.domain.signal import Signal
from tidewatt.domain.snapshot import Snapshot
from tidewatt.domain.trigger import Fired, Occasion, Trigger
from tidewatt.domain.world import World


class Clock(Protocol):
    """Two times: the world's, which signals and deadlines are told in, and the real one.

    In a replay the world's clock runs ``speed`` times as fast as the real one; otherwise they agree.
    """

    @property
    def speed(self) -> float:
        """World seconds for each real second."""
        ...

    def now(self) -> float:
        """The instant of the world, UTC seconds."""
        ...

    def wall(self) -> float:
        """The real instant, UTC seconds; leases, energy and time-outs are told in it."""
        ...


class Grid(Protocol):
    """Where carbon intensity comes from."""

    @property
    def name(self) -> str:
        """How the source is named wherever its figures are shown."""
        ...

    def zones(self) -> tuple[str, ...]:
        """Every zone it knows, sorted."""
        ...

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval; hours without data are absent.

        Raises:
            UsageError: the zone is unknown; similar names are suggested.
        """
        ...


class Meter(Protocol):
    """What the node draws, but for devices that have meters of their own."""

    @property
    def name(self) -> str:
        """How the meter is named wherever its figures are shown."""
        ...

    def read(self, clock: Clock) -> EnergyReading | None:
        """The energy since the call before; None on the first call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """What one process used and held of a device over an interval, in seconds times parts of the device.

    ``ancestry`` are its number, that of the process which started it, and so on up.
    """

    ancestry: tuple[int, ...]
    busy_s: float
    held_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReading:
    """What one device beside the processors drew, who used it, and in words what is wrong with that."""

    reading: EnergyReading
    uses: tuple[DeviceUse, ...]
    note: str = ""


class DeviceMeter(Protocol):
    """What devices beside the processors draw: GPUs."""

    def read(self, over: EnergyReading | None) -> Sequence[DeviceReading]:
        """The energy of each device since the call before, which is the interval of a reading of the node.

        The first call takes no reading and tells none.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a worker of an attempt needs to know."""

    job_id: str
    token: int
    function: FunctionSpec
    payload: Payload
    folder: str
    """The job's folder: payload, checkpoints, results and logs lie below it."""
    site: str
    zone: str
    workers: int
    checkpoint: str | None
    """Path of the checkpoint to resume from, inside the folder."""
    reached: int
    """Steps up to this one were done before and lost; doing them again is ``replay``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Workers of an attempt exist."""

    job_id: str
    token: int
    processes: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """A worker reports how far it has come."""

    job_id: str
    token: int
    step: int
    total: int | None
    loss: float | None
    metrics: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed:
    """A worker wrote a checkpoint, or says in ``error`` why it could not."""

    job_id: str
    token: int
    step: int
    path: str
    size: int = 0
    sha256: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """All workers of an attempt are gone.

    ``outcome`` is one of succeeded, suspended, failed (the function raised), lost (a worker died) and
    stranded (its zygote or its supervisor ended).
    """

    job_id: str
    token: int
    outcome: str
    result: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A command asks the loop to look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Direct calls of a function have begun: a job that stands for all of them is to be charged."""

    job_id: str
    function: FunctionSpec
    zone: str
    workers: int


EngineEvent = Opened | Started | Progressed | Checkpointed | Exited | Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUsage:
    """Processor seconds that an attempt has used so far, by phase; ``cpus`` are those held for it now.

    ``processes`` are the numbers of its workers, by which meters of other devices know it.
    """

    job_id: str
    token: int
    zone: str
    workers: int
    cpus: int
    phase: Phase
    cpu_s: dict[Phase, float]
    processes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUsage:
    """Processor seconds used so far by all that an engine started, and by the supervisor itself."""

    attempts: tuple[WorkerUsage, ...]
    pool_cpu_s: float
    platform_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What those who follow a job are told while it runs; energy and carbon are the job's so far."""

    job_id: str
    state: State
    at: float
    zone: str
    intensity: float | None
    workers: int
    step: int
    total: int | None
    loss: float | None
    energy_j: float
    carbon_g: float | None
    note: str
    budget: str = ""
    """What its budgets have to say of it; empty if nothing."""


class Feed(Protocol):
    """Those who follow along."""

    @property
    def heard(self) -> bool:
        """Whether anybody listens to updates; none need be made otherwise."""
        ...

    def publish(self, update: Update) -> None:
        """Tell everybody who listens now; nobody is waited for."""
        ...

    def rests(self, job_id: str, *, ended: bool) -> None:
        """Tell those who wait for a job that it has come to rest, and if it has ended also who asks later."""
        ...


class Engine(Protocol):
    """What starts and stops workers."""

    def start(self, order: Order) -> None:
        """Begin an attempt; ``Started`` or ``Exited`` follows."""
        ...

    def suspend(self, job_id: str) -> None:
        """Ask an attempt to save and leave at its next step, a command to stand still; ``Exited`` follows."""
        ...

    def kill(self, job_id: str, why: str = "") -> None:
        """End the attempt at once; ``Exited`` follows: failed where a reason is given, else lost.

        Of what was suspended and kept in memory, nothing is left and nothing is told.
        """
        ...

    def wait(self, timeout_s: float) -> Sequence[EngineEvent]:
        """Events as soon as there are any, at the latest after so many real seconds; possibly none."""
        ...

    def usage(self) -> EngineUsage:
        """What has been used since the engine began; ended attempts stay until they have been seen once."""
        ...

    def reap(self, attempt: Attempt, folder: str) -> Sequence[EngineEvent]:
        """Make sure that no process of an earlier supervisor's attempt is left, and tell what it had to tell.

        The last event is how it ended.
        """
        ...

    @property
    def resting(self) -> bool:
        """Whether something that was suspended is kept in memory, and lost if the engine is closed."""
        ...

    @property
    def serving(self) -> bool:
        """Whether direct calls are being made or waited for."""
        ...

    def let_go(self) -> bool:
        """Let go of workers that wait for calls, each after the call that it is at; False if there are none.

        ``Exited`` follows for each function whose last worker has left.
        """
        ...

    def close(self) -> None:
        """End everything that the engine started."""
        ...


class Store(Protocol):
    """Durable state. Every move of a job is compare-and-set and saves its event in the same transaction."""

    def world(self) -> World | None:
        """The world of this state, or None before the first job."""
        ...

    def save_world(self, world: World) -> None:
        """Replace the world."""
        ...

    def submit(self, submission: Submission) -> Job:
        """Make a submission durable before returning; or return the job that has its idempotency key."""
        ...

    def job_named(self, idempotency_key: str) -> Job | None:
        """The job that was submitted with this key, or None."""
        ...

    def job(self, job_id: str) -> Job | None:
        """One job by its identifier, or None."""
        ...

    def jobs(self, *, open_only: bool = False) -> list[Job]:
        """All jobs in order of submission."""
        ...

    def jobs_at_hand(self, most: int, passed_over: Collection[str] = ()) -> list[Job]:
        """Open jobs; of the unplanned the first ``most`` that want to run, and as many to be cancelled.

        Unplanned is a job that waits for room alone and was never tried. Of those, higher priority comes
        first, and those of the functions ``passed_over`` never.
        """
        ...

    def any_open(self) -> bool:
        """Whether any job has not ended."""
        ...

    def counts(self) -> Counter[State]:
        """How many jobs are in each state that any is in."""
        ...

    def ended_last(self, most: int) -> list[Job]:
        """The newest submissions of those that have ended, in order of submission."""
        ...

    def ids(self) -> list[str]:
        """The identifiers of all jobs, in order of submission."""
        ...

    def called_since(self, wall: float) -> list[tuple[str, str, float]]:
        """Job, function and real instant of every submission since a real instant, in order of submission."""
        ...

    def wish(self, job_id: str, wish: Wish) -> None:
        """Note what the user asks of a job."""
        ...

    def move(  # noqa: PLR0913 - each is one thing that is saved at once
        self,
        job_id: str,
        before: State,
        after: State,
        *,
        at: float,
        wall: float,
        detail: str = "",
        attempt: Attempt | None = None,
        ran_at: tuple[float, float] | None = None,
        charges: Sequence[Charge] = (),
        **changes: object,
    ) -> Job:
        """Move a job and save the event, or raise IllegalMove; ``changes`` are further columns of it.

        All at once or nothing: what is new of its ``attempt``, or StaleToken is raised; a move to running
        before this one, at an instant of the world and a real one, if none was saved; and readings with their
        allocations.
        """
        ...

    def begin_attempt(self, job_id: str, before: State, attempt: Attempt) -> Job:
        """Move to starting under a new fencing token, one above the last; ``attempt.token`` must be it."""
        ...

    def update_attempt(self, attempt: Attempt) -> None:
        """Save what is new of an attempt, or raise StaleToken if the job has a newer one."""
        ...

    def attempts(self, job_id: str) -> list[Attempt]:
        """All attempts at a job, oldest first."""
        ...

    def record_progress(self, progress: Progressed, *, at: float, wall: float, workers: int) -> None:
        """Save a report, or raise StaleToken."""
        ...

    def progress(self, job_id: str) -> list[tuple[float, int, int, float | None]]:
        """(at, step, workers, loss) of every report kept, in order."""
        ...

    def record_checkpoint(self, checkpoint: Checkpointed, *, at: float) -> None:
        """Make a checkpoint the one to resume from, or raise StaleToken."""
        ...

    def checkpoints(self, job_id: str) -> list[SavedCheckpoint]:
        """All checkpoints of a job that were written, oldest first; most are gone by now."""
        ...

    def note(self, job_id: str, *, at: float, wall: float, detail: str) -> None:
        """Save something worth knowing that is not a move: an event that leaves the state as it is."""
        ...

    def events(self, job_id: str) -> list[Event]:
        """All moves of a job, oldest first."""
        ...

    def record_energy(self, reading: EnergyReading, allocations: Sequence[Allocation]) -> None:
        """Save a reading and its allocations in one transaction; refuse them unless they sum to it."""
        ...

    def record_energies(self, charges: Sequence[Charge]) -> None:
        """Save several at once, all or none."""
        ...

    def ledger(self, job_id: str | None = None) -> list[LedgerEntry]:
        """Entries of one job, or all of the node, one by one; ``balances`` are their sums."""
        ...

    def balances(
        self, job_id: str | None = None, *, since_at: float | None = None, until_at: float | None = None
    ) -> list[Balance]:
        """The ledger in sums of entries that are alike, of one job or all of the node.

        ``since_at`` and ``until_at`` bound when readings began; they lie on hours.
        """
        ...

    def beside(self, job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
        """What each kind of account of the node received in a job's time, its own included, microjoules."""
        ...

    def record_signal(self, grid: str, signal: Signal) -> None:
        """Keep actual readings of a grid, by its name: receipts must not depend on it being there later."""
        ...

    def signal(self, grid: str, zone: str, start_at: float, end_at: float) -> Signal:
        """Kept readings of an interval; those of one grid never stand in for those of another."""
        ...

    def record_plan(self, snapshot: Snapshot, plan: Plan) -> None:
        """Keep a decision with all that it was made from."""
        ...

    def plans(self) -> Iterable[tuple[Snapshot, Plan]]:
        """All decisions, oldest first."""
        ...

    def last_plan(self) -> Plan | None:
        """The newest decision."""
        ...


class Triggers(Protocol):
    """Deployed triggers, and the occasions on which they submitted jobs; part of the durable state."""

    def deploy(self, trigger: Trigger) -> None:
        """Save a trigger, in place of another one of its name; the occasions of that stay known."""
        ...

    def remove(self, name: str) -> bool:
        """Forget a trigger and what waits for it; False if there is none of that name."""
        ...

    def all(self) -> list[Trigger]:
        """What is deployed, by name."""
        ...

    def known(self, name: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose occasions have had their job or their refusal."""
        ...

    def fire(self, each: Iterable[tuple[Occasion, Submission]], *, wall: float) -> list[str]:
        """Submit the job of every occasion that has none, in one transaction; the jobs submitted."""
        ...

    def refuse(self, occasion: Occasion, why: str, *, wall: float) -> None:
        """Note why an occasion gets no job, unless it has one."""
        ...

    def reach(self, name: str, wall: float) -> None:
        """Note up to when the times of a schedule have been dealt with."""
        ...

    def waiting(self) -> list[Occasion]:
        """Occasions that have neither a job nor a refusal, oldest first."""
        ...

    def origin_of(self, job_id: str) -> Occasion | None:
        """What a job was submitted for; None if somebody submitted it."""
        ...

    def last(self, name: str) -> Fired | None:
        """The newest occasion of a trigger."""
        ...

    def counts(self, name: str) -> tuple[int, int]:
        """How many occasions of a trigger got a job, and how many were refused."""
        ...

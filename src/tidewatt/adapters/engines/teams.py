"""The workers of one attempt, what they have used and how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidewatt.adapters.engines.crew import Warm
from tidewatt.adapters.engines.processes import kill_group
from tidewatt.adapters.engines.times import Times
from tidewatt.domain.job import LOST, STRANDED, Attempt
from tidewatt.domain.ledger import Phase
from tidewatt.errors import OutOfMemory
from tidewatt.ports import Checkpointed, EngineEvent, Exited, Order, Progressed, Started, WorkerUsage
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import newest_of, sweep
from tidewatt.runtime.journal import log_name
from tidewatt.runtime.messages import Done, Report, Saved
from tidewatt.runtime.worker import result_name


@dataclass(slots=True)
class Rank:
    """One rank of an attempt, from the request for it until it has ended."""

    channel: Channel
    times: Times
    pid: int | None = None
    started: float = 0.0
    phase: Phase = Phase.COLD_START
    reported: dict[Phase, float] = field(default_factory=dict[Phase, float])
    cpu_s: float = 0.0
    before: dict[Phase, float] = field(default_factory=dict[Phase, float])
    """Processor seconds that were charged to earlier attempts; only a paused command goes on as another."""
    done: Done | None = None
    ended: bool = False
    excess: str = ""
    """What it took that it may not, in words, if it was ended for that."""
    warm: Warm | None = None
    """The worker, if it was there before and stays; ``since_s`` is what it had used when the job came."""
    since_s: float = 0.0

    def look(self) -> float:
        """Processor seconds that it has used for this attempt."""
        if self.warm is not None and not self.ended:
            self.cpu_s = max(self.cpu_s, self.warm.look() - self.since_s)
        elif self.pid is not None and not self.ended:
            self.cpu_s = max(self.cpu_s, self.times.used_s(self.pid) or 0.0)
        return self.cpu_s

    def finish(self) -> None:
        """A warm worker is done with the job; what it used for it is nobody else's."""
        assert self.warm is not None  # noqa: S101 - only warm workers outlive a job
        self.warm.charged_s += self.look()
        self.ended = True


@dataclass(slots=True)
class Team:
    """All workers of an attempt."""

    order: Order
    workers: list[Rank]
    told_started: bool = False
    killed_for: str | None = None
    stranded: str = ""
    """Why, if all of its workers were taken from it."""


def kill(team: Team) -> None:
    """End all workers of an attempt, those at once that are there."""
    team.killed_for = team.killed_for or ""
    for worker in team.workers:
        if worker.pid is not None and not worker.ended:
            kill_group(worker.pid)
        elif worker.warm is not None:
            worker.warm.leaving = True


def strand(team: Team, why: str) -> None:
    """Its workers are not to blame for their end; of one that had ended before this says nothing."""
    if not all(worker.ended for worker in team.workers):
        team.stranded = why


def hung_up(those: Iterable[Team]) -> list[Rank]:
    """Workers of theirs alone whose connection has ended, and of whose end nobody has told."""
    workers = (worker for team in those for worker in team.workers)
    return [each for each in workers if each.channel.closed and not (each.ended or each.warm)]


def begun(team: Team) -> Started | None:
    """All workers exist, which is told once."""
    for worker in team.workers:
        if worker.warm is not None:
            worker.pid, worker.started = worker.warm.pid, worker.warm.started
    pids = tuple((worker.pid, worker.started) for worker in team.workers if worker.pid is not None)
    if team.told_started or len(pids) < len(team.workers):
        return None
    team.told_started = True
    return Started(job_id=team.order.job_id, token=team.order.token, processes=pids)


def only_begun(events: Iterable[EngineEvent]) -> bool:
    """Whether all that there is to tell is that work has begun: a call may have ended in a moment."""
    kinds = {type(event) for event in events}
    return Started in kinds and kinds <= {Started, Progressed}


def broken(team: Team) -> bool:
    """Whether any worker ended without having come to its end."""
    return any(
        worker.done.outcome in {"failed", "lost"} if worker.done is not None else worker.ended
        for worker in team.workers
    )


def may_leave_parts(team: Team) -> bool:
    """Whether any worker may have ended in the middle of writing, of this attempt or of one before it."""
    return team.order.token > 1 or any(w.warm is None or w.done is None for w in team.workers)


def exit_of(team: Team) -> Exited:
    """How an attempt ended, from the last words of its workers."""
    job_id, token = team.order.job_id, team.order.token
    words = [worker.done for worker in team.workers]
    if team.killed_for:
        return Exited(job_id=job_id, token=token, outcome="failed", error=team.killed_for)
    failed = next((done for done in words if done is not None and done.outcome == "failed"), None)
    first = words[0]
    if first is not None and first.outcome in {"succeeded", "suspended"}:
        return Exited(job_id=job_id, token=token, outcome=first.outcome, result=first.result)
    excess = next((worker.excess for worker in team.workers if worker.excess), "")
    if excess:  # the others only lost a peer, and it would be the same the next time
        error = f"{OutOfMemory.__name__}: found {excess}"
        return Exited(job_id=job_id, token=token, outcome="failed", error=error)
    if failed is None and team.stranded:
        return Exited(job_id=job_id, token=token, outcome=STRANDED, error=team.stranded)
    if failed is None:
        return Exited(job_id=job_id, token=token, outcome=LOST)
    return Exited(job_id=job_id, token=token, outcome="failed", error=failed.error)


def progressed(team: Team, message: Report, step: int) -> Progressed:
    """How far an attempt has come, as its worker 0 says it."""
    return Progressed(
        job_id=team.order.job_id,
        token=team.order.token,
        step=step,
        total=message.total,
        loss=message.loss,
        metrics=message.metrics,
    )


def checkpointed(team: Team, message: Saved) -> Checkpointed:
    """The checkpoint that a worker has written, or could not."""
    return Checkpointed(
        job_id=team.order.job_id,
        token=team.order.token,
        step=message.step,
        path=message.path,
        size=message.size,
        sha256=message.sha256,
        error=message.error,
    )


def left_by(attempt: Attempt, place: Path) -> Sequence[EngineEvent]:
    """What an attempt that is over saved when nobody was left to hear of it."""
    job_id, token = attempt.job_id, attempt.token
    sweep(place)
    result = result_name(token)
    if (place / result).exists():
        return [Exited(job_id=job_id, token=token, outcome="succeeded", result=result)]
    told: list[EngineEvent] = []
    saved = newest_of(place, token)
    if saved is not None:
        step, written = saved
        told.append(
            Checkpointed(
                job_id=job_id,
                token=token,
                step=step,
                path=written.path,
                size=written.size,
                sha256=written.sha256,
            )
        )
    return [*told, Exited(job_id=job_id, token=token, outcome=STRANDED, error="its supervisor ended")]


def logs_of(team: Team) -> list[Path]:
    """Where what its workers print goes."""
    order = team.order
    return [Path(order.folder) / log_name(order.token, rank) for rank in range(len(team.workers))]


def usage_of(team: Team) -> WorkerUsage:
    """Processor seconds of an attempt, looked at now."""
    by_phase: dict[Phase, float] = {}
    for worker in team.workers:
        worker.look()
        for phase, cpu_s in charged(worker).items():
            spent = max(0.0, cpu_s - worker.before.get(phase, 0.0))
            by_phase[phase] = by_phase.get(phase, 0.0) + spent
    order = team.order
    return WorkerUsage(
        job_id=order.job_id,
        token=order.token,
        zone=order.zone,
        workers=order.workers,
        cpus=order.workers * order.function.cpus,
        phase=team.workers[0].phase,
        cpu_s=by_phase,
        processes=tuple(worker.pid for worker in team.workers if worker.pid is not None),
    )


def charged(worker: Rank) -> dict[Phase, float]:
    """Processor seconds of a worker as last looked at; what was not reported yet is of the present phase."""
    reported = sum(worker.reported.values())
    scale = min(1.0, worker.cpu_s / reported) if reported else 0.0
    found = {phase: cpu_s * scale for phase, cpu_s in worker.reported.items()}
    found[worker.phase] = found.get(worker.phase, 0.0) + max(0.0, worker.cpu_s - reported)
    return found

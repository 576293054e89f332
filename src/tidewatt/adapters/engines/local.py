"""Workers on this machine, forked from a zygote."""

import os
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tidewatt.adapters.cgroup import Groups
from tidewatt.adapters.engines.nursery import Nursery
from tidewatt.adapters.engines.processes import end_all, kill_group
from tidewatt.adapters.engines.times import Times
from tidewatt.domain.job import Attempt
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
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import newest_of, sweep
from tidewatt.runtime.messages import (
    Done,
    Forked,
    Message,
    Paused,
    Proceed,
    Reaped,
    Refused,
    Report,
    Saved,
    Suspend,
)
from tidewatt.runtime.worker import result_name


@dataclass(slots=True)
class _Worker:
    """One rank of an attempt, from the request for it until it has ended."""

    channel: Channel
    pid: int | None = None
    started: float = 0.0
    phase: Phase = Phase.COLD_START
    reported: dict[Phase, float] = field(default_factory=dict[Phase, float])
    cpu_s: float = 0.0
    before: dict[Phase, float] = field(default_factory=dict[Phase, float])
    """Processor seconds that were charged to earlier attempts; only a paused command goes on as another."""
    done: Done | None = None
    ended: bool = False


@dataclass(slots=True)
class _Team:
    """All workers of an attempt."""

    order: Order
    workers: list[_Worker]
    told_started: bool = False
    killed_for: str | None = None


class LocalEngine:
    """Runs attempts as process groups of this machine; everything ends with ``close``."""

    def __init__(
        self, trainer: str, *, warm_s: float = 60.0, keeps: Callable[[float], bool] = lambda _seconds: False
    ) -> None:
        self._nursery = Nursery(trainer)
        self._times = Times(Groups.below_own())
        self._warm_s = warm_s
        """The zygote is let go when nothing runs and nothing is due for longer than this, ..."""
        self._keeps = keeps
        """... unless it is worth keeping for so many seconds."""
        self._teams: dict[str, _Team] = {}
        self._resting: dict[str, _Team] = {}
        """Commands that stand still and keep their memory, by job."""
        self._ended: list[_Team] = []
        self._left: list[WorkerUsage] = []
        self._selector = selectors.DefaultSelector()
        self._told: list[EngineEvent] = []
        self._visitors: Callable[[], bool] | None = None

    def listen(self, fileno: int, visit: Callable[[], bool]) -> None:
        """Wake up for a further descriptor as well; ``visit`` deals with it and says whether it rang."""
        self._selector.register(fileno, selectors.EVENT_READ)
        self._visitors = visit

    def start(self, order: Order) -> None:
        """Ask for all workers of an attempt; a command that stands still goes on."""
        if self._nursery.gone:
            self._lose_all()
            self._settle_all()
        rested = self._resting.pop(order.job_id, None)
        if rested is not None:
            self._teams[order.job_id] = _Team(order, rested.workers)
            rested.workers[0].channel.send(Proceed(order.token))
            return
        team = _Team(order, [])
        self._teams[order.job_id] = team
        for rank in range(order.workers):
            ours, theirs = Channel.pair()
            self._selector.register(ours, selectors.EVENT_READ)
            team.workers.append(_Worker(ours))
            self._nursery.fork(order, rank, theirs)
        self._watch_nursery()

    def suspend(self, job_id: str) -> None:
        """Ask worker 0 to leave, which tells the others at the end of the step; a command stands still."""
        team = self._teams.get(job_id)
        if team is not None:
            team.workers[0].channel.send(Suspend())

    def kill(self, job_id: str, why: str = "") -> None:
        """End all workers of an attempt at once, or what is left of one that stands still."""
        rested = self._resting.pop(job_id, None)
        if rested is not None:
            self._dismiss(rested)
        team = self._teams.get(job_id)
        if team is not None:
            team.killed_for = team.killed_for or why
            self._kill(team)

    def wait(self, timeout_s: float) -> Sequence[EngineEvent]:
        """Events, as soon as there are any, or none after so many seconds."""
        idle = not self._teams and not self._resting
        if idle and timeout_s > self._warm_s and not self._keeps(timeout_s):
            self._release_nursery()
        if not self._told:
            self._selector.select(timeout_s)
            self._hear()
        told, self._told = self._told, []
        return told

    def usage(self) -> EngineUsage:
        """What has been used; an attempt that ended is part of it once more, then forgotten."""
        ended, self._ended = self._ended, []
        left, self._left = self._left, []
        times = os.times()
        return EngineUsage(
            attempts=(*left, *(self._usage(team) for team in (*ended, *self._teams.values()))),
            pool_cpu_s=self._nursery.cpu_s(),
            platform_cpu_s=times.user + times.system,
        )

    def reap(self, attempt: Attempt, folder: str) -> Sequence[EngineEvent]:
        """End what is left of an attempt, and find what it saved when nobody was left to hear of it."""
        end_all(attempt.processes)
        job_id, token, place = attempt.job_id, attempt.token, Path(folder)
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
        return [*told, Exited(job_id=job_id, token=token, outcome="lost")]

    @property
    def resting(self) -> bool:
        """Whether any command stands still and keeps its memory."""
        return bool(self._resting)

    def close(self) -> None:
        """End all workers and the zygote."""
        for job_id in tuple(self._resting):
            self.kill(job_id)
        for team in self._teams.values():
            self._kill(team)
        self._nursery.discard()
        end_all(
            (w.pid, w.started) for team in self._teams.values() for w in team.workers if w.pid is not None
        )
        for team in self._teams.values():
            for worker in team.workers:
                worker.channel.close()
        self._times.close()
        self._selector.close()

    def _usage(self, team: _Team) -> WorkerUsage:
        for worker in team.workers:
            self._look(worker)
        return _usage(team)

    def _look(self, worker: _Worker) -> None:
        if worker.pid is not None and not worker.ended:
            worker.cpu_s = max(worker.cpu_s, self._times.used_s(worker.pid) or 0.0)

    def _watch_nursery(self) -> None:
        channel = self._nursery.channel
        if channel is not None and channel.fileno() not in self._selector.get_map():
            self._selector.register(channel, selectors.EVENT_READ)

    def _hear(self) -> None:
        for team in tuple(self._teams.values()):
            for rank, worker in enumerate(team.workers):
                for message in worker.channel.receive() if not worker.ended else ():
                    self._from_worker(team, rank, worker, message)
        for team in self._resting.values():
            team.workers[0].channel.receive()
        for message in self._nursery.receive():
            self._from_zygote(message)
        if self._nursery.gone:
            self._lose_all()
        if self._visitors is not None and self._visitors():
            self._told.append(Rung())
        self._settle_all()

    def _settle_all(self) -> None:
        for team in tuple(self._teams.values()):
            self._settle(team)

    def _from_worker(self, team: _Team, rank: int, worker: _Worker, message: Message) -> None:
        job_id, token = team.order.job_id, team.order.token
        match message:
            case Report():
                worker.phase, worker.reported = message.phase, message.cpu_s
                if rank == 0 and message.step is not None:
                    self._told.append(
                        Progressed(
                            job_id=job_id,
                            token=token,
                            step=message.step,
                            total=message.total,
                            loss=message.loss,
                            metrics=message.metrics,
                        )
                    )
            case Saved():
                self._told.append(
                    Checkpointed(
                        job_id=job_id,
                        token=token,
                        step=message.step,
                        path=message.path,
                        size=message.size,
                        sha256=message.sha256,
                        error=message.error,
                    )
                )
            case Paused():
                self._left.append(self._usage(team))
                worker.before = _charged(worker)
                self._resting[job_id] = self._teams.pop(job_id)
                self._told.append(Exited(job_id=job_id, token=token, outcome="suspended"))
            case Done():
                worker.done = message
            case _:
                pass

    def _from_zygote(self, message: Message) -> None:
        match message:
            case Forked():
                team = self._teams.get(message.job_id)
                if team is not None and team.order.token == message.token:
                    worker = team.workers[message.rank]
                    worker.pid, worker.started = message.pid, message.started
                    if team.killed_for is not None:
                        kill_group(message.pid)
                    self._times.watch(message.pid)
            case Refused():
                self._nursery.be_plain()
                self._lose_all()
            case Reaped():
                self._reaped(message)
            case _:
                pass

    def _reaped(self, message: Reaped) -> None:
        for team in self._teams.values():
            for rank, worker in enumerate(team.workers):
                if worker.pid == message.pid and not worker.ended:
                    self._end(team, rank, message.cpu_s)
        for job_id, team in tuple(self._resting.items()):
            if team.workers[0].pid == message.pid:
                self._dismiss(self._resting.pop(job_id))

    def _end(self, team: _Team, rank: int, cpu_s: float) -> None:
        worker = team.workers[rank]
        self._look(worker)
        worker.cpu_s = max(worker.cpu_s, cpu_s)
        worker.ended = True
        if worker.pid is not None:
            self._times.let_go(worker.pid)
        for message in worker.channel.receive():  # its last words may come in after the news of its end
            self._from_worker(team, rank, worker, message)
        self._selector.unregister(worker.channel)
        worker.channel.close()

    def _lose_all(self) -> None:
        """The zygote is gone, and with it, by the kernel's hand, all of its workers: make sure of it."""
        self._release_nursery()
        for job_id in tuple(self._resting):
            self._dismiss(self._resting.pop(job_id))
        for team in self._teams.values():
            end_all((w.pid, w.started) for w in team.workers if w.pid is not None and not w.ended)
            for rank, worker in enumerate(team.workers):
                if not worker.ended:
                    self._end(team, rank, worker.cpu_s)

    def _release_nursery(self) -> None:
        channel = self._nursery.channel
        if channel is not None and channel.fileno() in self._selector.get_map():
            self._selector.unregister(channel)
        self._nursery.discard()

    def _kill(self, team: _Team) -> None:
        team.killed_for = team.killed_for or ""
        for worker in team.workers:
            if worker.pid is not None and not worker.ended:
                kill_group(worker.pid)

    def _dismiss(self, team: _Team) -> None:
        """Let go of a command that stood still: whatever it kept is lost."""
        worker = team.workers[0]
        if worker.pid is not None:
            end_all([(worker.pid, worker.started)])
            self._times.let_go(worker.pid)
        self._selector.unregister(worker.channel)
        worker.channel.close()

    def _settle(self, team: _Team) -> None:
        """Tell when all workers exist, and when all have ended; one that dies takes the others along."""
        pids = [(w.pid, w.started) for w in team.workers if w.pid is not None]
        if not team.told_started and len(pids) == len(team.workers):
            team.told_started = True
            job_id, token = team.order.job_id, team.order.token
            self._told.append(Started(job_id=job_id, token=token, processes=tuple(pids)))
        if any(w.done.outcome in {"failed", "lost"} if w.done is not None else w.ended for w in team.workers):
            self._kill(team)
        if all(w.ended for w in team.workers):
            del self._teams[team.order.job_id]
            self._ended.append(team)
            sweep(Path(team.order.folder))
            self._told.append(_exit(team))


def _exit(team: _Team) -> Exited:
    """How an attempt ended, from the last words of its workers."""
    job_id, token = team.order.job_id, team.order.token
    words = [worker.done for worker in team.workers]
    if team.killed_for:
        return Exited(job_id=job_id, token=token, outcome="failed", error=team.killed_for)
    failed = next((done for done in words if done is not None and done.outcome == "failed"), None)
    first = words[0]
    if first is not None and first.outcome in {"succeeded", "suspended"}:
        return Exited(job_id=job_id, token=token, outcome=first.outcome, result=first.result)
    if failed is None:
        return Exited(job_id=job_id, token=token, outcome="lost")
    return Exited(job_id=job_id, token=token, outcome="failed", error=failed.error)


def _usage(team: _Team) -> WorkerUsage:
    """Processor seconds of an attempt, as last looked at."""
    by_phase: dict[Phase, float] = {}
    for worker in team.workers:
        for phase, cpu_s in _charged(worker).items():
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


def _charged(worker: _Worker) -> dict[Phase, float]:
    """Processor seconds of a worker since it began; what was not reported yet is of the present phase."""
    reported = sum(worker.reported.values())
    scale = min(1.0, worker.cpu_s / reported) if reported else 0.0
    found = {phase: cpu_s * scale for phase, cpu_s in worker.reported.items()}
    found[worker.phase] = found.get(worker.phase, 0.0) + max(0.0, worker.cpu_s - reported)
    return found

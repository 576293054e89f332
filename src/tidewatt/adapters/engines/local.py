"""Workers on this machine, forked from a zygote."""

import os
import selectors
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidewatt.adapters.engines import teams
from tidewatt.adapters.engines.door import Place
from tidewatt.adapters.engines.footing import Footing
from tidewatt.adapters.engines.hall import Hall
from tidewatt.adapters.engines.nurseries import Nurseries
from tidewatt.adapters.engines.nursery import Nursery, Room
from tidewatt.adapters.engines.processes import end_all, kill_group
from tidewatt.adapters.engines.times import Times
from tidewatt.adapters.engines.unheard import Unheard
from tidewatt.domain.job import Attempt
from tidewatt.ports import EngineEvent, EngineUsage, Exited, Order, Rung, WorkerUsage
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import sweep
from tidewatt.runtime.messages import (
    Done,
    Forked,
    Furnished,
    Hired,
    Message,
    Paused,
    Proceed,
    Reaped,
    Refused,
    Report,
    Saved,
    Suspend,
)
from tidewatt.runtime.pages import Still

if TYPE_CHECKING:
    from tidewatt.adapters.environments.cache import Environments


_WORDS, _MOMENT_S = 2, 0.002
"""A beginning is told along with the end that comes within so many words, each within so many seconds: both
are then saved at once."""


class LocalEngine:
    """Runs attempts as process groups of this machine; everything ends with ``close``."""

    def __init__(
        self,
        footing: Footing | str,
        *,
        warm_s: float = 60.0,
        keeps: Callable[[float], bool] = lambda _seconds: False,
        place: Place | None = None,
        environments: "Callable[[], Environments] | None" = None,
        trim: Callable[[Sequence[Path]], None] = lambda _logs: None,
    ) -> None:
        """Start nothing yet; ``footing`` may be the name of a trainer, where there is no state folder."""
        wall, answer_s = (place.wall, place.answer_s) if place is not None else (lambda: 0.0, 0.0)
        footing = Footing(footing, None) if isinstance(footing, str) else footing
        self._nurseries = Nurseries(footing, environments, wall, answer_s)
        self._unheard = Unheard(footing.groups.limits if footing.groups is not None else "")
        self._times = Times(footing.groups)
        self._warm_s = warm_s
        self._trim = trim
        self._keeps = keeps
        """... unless it is worth keeping for so many seconds."""
        self._teams: dict[str, teams.Team] = {}
        self._resting: dict[str, teams.Team] = {}
        """Commands that stand still and keep their memory, by job."""
        self._ended: list[teams.Team] = []
        self._left: list[WorkerUsage] = []
        self._selector = selectors.DefaultSelector()
        self._told: list[EngineEvent] = []
        self._visitors: Callable[[], bool] | None = None
        self._still = Still(quiet_s=0.5, again_s=0.1)  # a supervisor is small, and has soon looked
        self._hall = None if place is None else Hall(place, self._nurseries, self._times, self)
        """Where functions are called; without it each job has a process of its own."""
        if self._hall is not None:
            self._selector.register(self._hall, selectors.EVENT_READ)
        self._watch_nurseries()

    def listen(self, fileno: int, visit: Callable[[], bool]) -> None:
        """Wake up for a further descriptor as well; ``visit`` deals with it and says whether it rang."""
        self._selector.register(fileno, selectors.EVENT_READ)
        self._visitors = visit

    def start(self, order: Order) -> None:
        """Ask for all workers of an attempt; a command that stands still goes on."""
        nursery = self._nurseries.of(order.function)
        if nursery.gone:
            self._lose(nursery)
            self._settle_all()
        rested = self._resting.pop(order.job_id, None)
        if rested is not None:
            self._teams[order.job_id] = teams.Team(order, rested.workers)
            rested.workers[0].channel.send(Proceed(order.token))
            return
        team = teams.Team(order, [])
        self._teams[order.job_id] = team
        if self._hall is not None and order.payload.version:
            warm = self._hall.employ(order)
            team.workers.append(teams.Rank(warm.channel, self._times, warm=warm, since_s=warm.look()))
            self._settle(team)  # its processes are known before the worker has a word to say
            self._watch_nurseries()
            return
        for rank in range(order.workers):
            ours, theirs = Channel.pair()
            self._selector.register(ours, selectors.EVENT_READ)
            team.workers.append(teams.Rank(ours, self._times))
            nursery.fork(order, rank, theirs)
        self._watch_nurseries()

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
            teams.kill(team)
        elif self._hall is not None:
            self._hall.kill(job_id)

    def wait(self, timeout_s: float) -> Sequence[EngineEvent]:
        """Events, as soon as there are any, or none after so many seconds; before that if it has to look."""
        hall = self._hall
        staffed = hall is not None and (hall.staffed or hall.serving)
        idle = not self._teams and not self._resting and not staffed
        if idle and timeout_s > self._warm_s and not self._keeps(timeout_s):
            for nursery in self._nurseries:
                self._release(nursery)
        if not self._told:
            looks_s = min(self._nurseries.patience_s(), self._unheard.due_s())
            self._still.wait(self._selector.select, min(timeout_s, self._release_unused(), looks_s))
            self._hear()
        for _ in range(_WORDS):
            if not (teams.only_begun(self._told) and self._selector.select(_MOMENT_S)):
                break
            self._hear()
        told, self._told = self._told, []
        return told

    def usage(self) -> EngineUsage:
        """What has been used; an attempt that ended is part of it once more, then forgotten."""
        ended, self._ended = self._ended, []
        logs = self._hall.logs() if self._hall is not None else []
        self._trim([*logs, *(log for team in (*ended, *self._teams.values()) for log in teams.logs_of(team))])
        left, self._left = self._left, []
        times = os.times()
        calls, idle_s = self._hall.usage() if self._hall is not None else ([], 0.0)
        return EngineUsage(
            attempts=(*left, *(teams.usage_of(team) for team in (*ended, *self._teams.values())), *calls),
            pool_cpu_s=self._nurseries.cpu_s() + idle_s,
            platform_cpu_s=times.user + times.system,
        )

    def reap(self, attempt: Attempt, folder: str) -> Sequence[EngineEvent]:
        """End what is left of an attempt, and find what it saved when nobody was left to hear of it."""
        end_all(attempt.processes)
        return teams.left_by(attempt, Path(folder))

    @property
    def resting(self) -> bool:
        """Whether any command stands still and keeps its memory."""
        return bool(self._resting)

    @property
    def serving(self) -> bool:
        """Whether direct calls are being made or waited for."""
        return self._hall is not None and self._hall.serving

    def let_go(self) -> bool:
        """Let go of workers that wait for calls; False if there are none."""
        return self._hall is not None and self._hall.let_go()

    def from_warm(self, order: Order, message: Message) -> None:
        """A warm worker said something about the job that it has."""
        team = self._teams.get(order.job_id)
        if team is not None and team.order.token == order.token:
            worker = team.workers[0]
            self._from_worker(team, 0, worker, message)
            if worker.done is not None:
                worker.finish()

    def warm_lost(self, order: Order, excess: str) -> None:
        """A warm worker ended before the job that it had, for taking too much if so."""
        team = self._teams.get(order.job_id)
        if team is not None and team.order.token == order.token and not team.workers[0].ended:
            team.workers[0].excess = excess
            team.workers[0].finish()

    def close(self) -> None:
        """End all workers and the zygote."""
        for job_id in tuple(self._resting):
            self.kill(job_id)
        warm = self._hall.processes() if self._hall is not None else []
        if self._hall is not None:
            self._hall.close()
        for team in self._teams.values():
            teams.kill(team)
        for nursery in self._nurseries:
            nursery.discard()
        end_all(warm)
        end_all(
            (w.pid, w.started) for team in self._teams.values() for w in team.workers if w.pid is not None
        )
        for team in self._teams.values():
            for worker in team.workers:
                worker.channel.close()
        self._times.close()
        self._selector.close()

    def _watch_nurseries(self) -> None:
        for nursery in self._nurseries:
            channel = nursery.channel
            if channel is not None and channel.fileno() not in self._selector.get_map():
                self._selector.register(channel, selectors.EVENT_READ)

    def _release_unused(self) -> float:
        """Let go of zygotes whose environment nobody works in; seconds until there is more to let go."""
        hall = self._hall
        busy = {Room.of(team.order.function) for team in self._teams.values()}
        busy |= hall.rooms() if hall is not None else set()
        for nursery in self._nurseries.unused(busy, self._warm_s):
            self._release(nursery)
            self._nurseries.forget(nursery)
        due_s = self._nurseries.due_s(self._warm_s)
        return due_s if hall is None else min(due_s, hall.due_s())

    def _hear(self) -> None:
        for team in tuple(self._teams.values()):
            for rank, worker in enumerate(team.workers):
                for message in worker.channel.receive() if not (worker.ended or worker.warm) else ():
                    self._from_worker(team, rank, worker, message)
        for team in self._resting.values():
            team.workers[0].channel.receive()
        for nursery in self._nurseries:
            for message in nursery.receive():
                self._from_zygote(nursery, message)
            if nursery.gone or self._nurseries.ended_as_silent(nursery):
                self._lose(nursery)
        if self._hall is not None:
            self._hall.hear()
        self._hear_unheard()
        if self._visitors is not None and self._visitors():
            self._told.append(Rung())
        self._settle_all()

    def _hear_unheard(self) -> None:
        """Ask the kernel how workers ended that have hung up and of which their zygote does not tell."""
        left = self._hall.hung_up() if self._hall is not None else []
        for worker in teams.hung_up((*self._teams.values(), *self._resting.values())):
            self._ignore(worker.channel)  # it would be readable for ever
            left += [worker.pid] if worker.pid is not None else []
        for news in self._unheard.look(left):
            self._reaped(news)

    def _ignore(self, channel: Channel) -> None:
        if channel.fileno() in self._selector.get_map():
            self._selector.unregister(channel)

    def _settle_all(self) -> None:
        if self._hall is not None:
            self._told += self._hall.told
            self._hall.told.clear()
            self._watch_nurseries()
        for team in tuple(self._teams.values()):
            self._settle(team)

    def _from_worker(self, team: teams.Team, rank: int, worker: teams.Rank, message: Message) -> None:
        job_id, token = team.order.job_id, team.order.token
        match message:
            case Report():
                worker.phase, worker.reported = message.phase, message.cpu_s
                if rank == 0 and message.step is not None:
                    self._told.append(teams.progressed(team, message, message.step))
            case Saved():
                self._told.append(teams.checkpointed(team, message))
            case Paused():
                self._left.append(teams.usage_of(team))
                worker.before = teams.charged(worker)
                self._resting[job_id] = self._teams.pop(job_id)
                self._told.append(Exited(job_id=job_id, token=token, outcome="suspended"))
            case Done():
                worker.done = message
            case _:
                pass

    def _from_zygote(self, nursery: Nursery, message: Message) -> None:
        match message:
            case Forked():
                team = self._teams.get(message.job_id)
                if team is not None and team.order.token == message.token:
                    worker = team.workers[message.rank]
                    worker.pid, worker.started = message.pid, message.started
                    if team.killed_for is not None:
                        kill_group(message.pid)
                    self._times.watch(message.pid)
            case Refused() | Hired() if message.why:
                nursery.be_plain()
                self._lose(nursery, message.why)
            case Furnished():
                nursery.furnished(message)
                if message.why:
                    self._give_up(nursery, message.why)
            case Hired():
                if self._hall is not None:
                    self._hall.from_zygote(message)
            case Reaped():
                self._reaped(message)
            case _:
                pass

    def _reaped(self, message: Reaped) -> None:
        if self._hall is not None:
            self._hall.from_zygote(message)
        for team in self._teams.values():
            for rank, worker in enumerate(team.workers):
                if worker.pid == message.pid and not (worker.ended or worker.warm):
                    worker.excess = message.excess
                    self._end(team, rank, message.cpu_s)
        for job_id, team in tuple(self._resting.items()):
            if team.workers[0].pid == message.pid:
                self._dismiss(self._resting.pop(job_id))

    def _end(self, team: teams.Team, rank: int, cpu_s: float) -> None:
        worker = team.workers[rank]
        worker.cpu_s = max(worker.look(), cpu_s)
        worker.ended = True
        if worker.pid is not None:
            self._times.let_go(worker.pid)
        for message in worker.channel.receive():  # its last words may come in after the news of its end
            self._from_worker(team, rank, worker, message)
        self._ignore(worker.channel)
        worker.channel.close()

    def _lose(self, nursery: Nursery, why: str = "") -> None:
        """A zygote is gone, and with it, by the kernel's hand, all of its workers: make sure of it."""
        for team in self._teams_of(nursery):
            teams.strand(team, why or nursery.fate)
        self._release(nursery)
        if nursery is self._nurseries.common:
            for job_id in tuple(self._resting):
                self._dismiss(self._resting.pop(job_id))
        if self._hall is not None:
            self._hall.lose_all(nursery.room)
        for team in self._teams_of(nursery):
            end_all((w.pid, w.started) for w in team.workers if w.pid is not None and not w.ended)
            for rank, worker in enumerate(team.workers):
                if not worker.ended:
                    self._end(team, rank, worker.cpu_s)

    def _give_up(self, nursery: Nursery, why: str) -> None:
        """The environment of a zygote cannot be built: whoever waits for a worker in it is told."""
        for team in self._teams_of(nursery):
            team.killed_for = why
        if self._hall is not None:
            self._hall.turn_away(nursery.room, why)
        self._lose(nursery)

    def _teams_of(self, nursery: Nursery) -> list[teams.Team]:
        return [team for team in self._teams.values() if Room.of(team.order.function) == nursery.room]

    def _release(self, nursery: Nursery) -> None:
        if nursery.channel is not None:
            self._ignore(nursery.channel)
        nursery.discard()

    def _dismiss(self, team: teams.Team) -> None:
        """Let go of a command that stood still: whatever it kept is lost."""
        worker = team.workers[0]
        if worker.pid is not None:
            end_all([(worker.pid, worker.started)])
            self._times.let_go(worker.pid)
        self._ignore(worker.channel)
        worker.channel.close()

    def _settle(self, team: teams.Team) -> None:
        """Tell when all workers exist, and when all have ended; one that dies takes the others along."""
        begun = teams.begun(team)
        if begun is not None:
            self._told.append(begun)
        if teams.broken(team):
            teams.kill(team)
        if all(w.ended for w in team.workers):
            del self._teams[team.order.job_id]
            self._ended.append(team)
            if teams.may_leave_parts(team):
                sweep(Path(team.order.folder))
            self._told.append(teams.exit_of(team))

"""The warm workers of a supervisor: hired when they are called, and let go when nobody calls."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from tidewatt.adapters.ears import Ears
from tidewatt.adapters.engines.crew import TOKEN, Crew, Employer, Line, Warm, how_ended, post_of
from tidewatt.adapters.engines.door import Door, Place
from tidewatt.adapters.engines.nurseries import Nurseries
from tidewatt.adapters.engines.nursery import Room
from tidewatt.adapters.engines.processes import kill_group
from tidewatt.adapters.engines.times import Times
from tidewatt.adapters.engines.waits import in_vain, need_of
from tidewatt.adapters.home import fresh_name
from tidewatt.adapters.unix import peer_pid
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.policy.crews import Answer, answer
from tidewatt.ports import EngineEvent, Exited, Opened, Order, Progressed, Started, WorkerUsage
from tidewatt.runtime import frames
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.journal import log_name
from tidewatt.runtime.messages import (
    Busy,
    Dial,
    Done,
    Hired,
    Idle,
    Leave,
    Message,
    Reaped,
    Report,
    Take,
    Took,
    Where,
    Work,
    Yield,
)
from tidewatt.runtime.orphans import ORPHAN_S

_LONGEST_NAME = 20
_TOO_DEEP = "calls within calls, each waiting for the next, and no worker that could come free for the last"


class Hall:
    """Hires warm workers, gives callers to them, and lets them go when nobody calls."""

    def __init__(self, place: Place, nurseries: Nurseries, times: Times, employer: Employer) -> None:
        self._place = place
        self._nurseries = nurseries
        self._times = times
        self._employer = employer
        self._ears = Ears()
        self._door = Door(place, self._ears, self._enter)
        self._crews: dict[str, Crew] = {}
        self._left: list[WorkerUsage] = []
        self._pool_cpu_s = 0.0
        self._numbers = 0
        self.told: list[EngineEvent] = []

    def fileno(self) -> int:
        """For selectors: readable when there is anything to hear."""
        return self._ears.fileno()

    @property
    def serving(self) -> bool:
        """Whether direct calls are being made or waited for."""
        return any(
            crew.waiting or any(w.calling or w.coming is not None for w in crew.workers)
            for crew in self._crews.values()
        )

    @property
    def staffed(self) -> bool:
        """Whether there is any warm worker."""
        return any(crew.workers for crew in self._crews.values())

    def due_s(self) -> float:
        """Seconds until a worker is to be let go, or an orphan ended, if nothing happens before."""
        now = self._place.wall()
        waits = [
            w.since + (ORPHAN_S if w.orphan else self._place.warm_s) - now
            for w in self._workers()
            if w.orphan or not (w.at_work or w.leaving)
        ]
        return max(0.0, min(waits, default=float("inf")))

    def hear(self) -> None:
        """Deal with all that callers and workers have said."""
        self._ears.hear()
        self._tick()

    def employ(self, order: Order) -> Warm:
        """Give a job to an idle worker of its function, hiring one if there is none."""
        payload = order.payload
        crew = self._crew(payload.version, order.function, Where(payload.folder, payload.beside), order.zone)
        worker = self._free(crew) or self._hire(crew, payload.imports)
        worker.order, worker.rested = order, False
        worker.channel.send(Work(order))
        return worker

    def from_zygote(self, message: Hired | Reaped) -> None:
        """A worker exists, may not exist, or has ended."""
        worker = next((w for w in self._workers() if w.is_meant(message)), None)
        if worker is None:
            return
        if isinstance(message, Reaped):
            self._ended(worker, message)
        elif not message.why:
            worker.pid, worker.started = message.pid, message.started
            if worker.leaving and worker.at_work:  # its caller left; rather before it has begun
                kill_group(message.pid)
            self._times.watch(message.pid)
            self._tell_processes(worker.crew)

    def rooms(self) -> set[Room]:
        """Where any of its workers live."""
        return {Room.of(crew.function) for crew in self._crews.values() if crew.workers}

    def turn_away(self, room: Room, why: str) -> None:
        """There will be no workers there: tell those who wait for one."""
        for crew in self._crews.values():
            if Room.of(crew.function) == room:
                coming = [worker.coming for worker in crew.workers if worker.coming is not None]
                for line in (*coming, *crew.waiting):
                    self._hang_up(line, frames.Kind.REFUSED, why)
                crew.waiting.clear()
                for worker in crew.workers:
                    worker.coming = None

    def lose_all(self, room: Room) -> None:
        """The zygote of some workers is gone, and they with it."""
        for worker in [w for w in self._workers() if Room.of(w.crew.function) == room]:
            if worker.pid is not None:
                kill_group(worker.pid)
            self._ended(worker, Reaped(worker.pid or 0, -9, worker.cpu_s))

    def usage(self) -> tuple[list[WorkerUsage], float]:
        """What direct calls have used so far, ended ones once more; and what nobody's call used."""
        left, self._left = self._left, []
        opened = [crew.usage() for crew in self._crews.values() if crew.opened]
        idle_s = sum(
            sum(max(0.0, w.look() - w.charged_s) for w in crew.workers) + crew.ended_cpu_s
            for crew in self._crews.values()
            if not crew.opened
        )
        return [*left, *opened], self._pool_cpu_s + idle_s

    def logs(self) -> list[str]:
        """Where what direct calls print goes."""
        return [f"{self._place.jobs}/{crew.job_id}/{log_name(TOKEN)}" for crew in self._crews.values()]

    def kill(self, job_id: str) -> bool:
        """End all workers of the crew that is charged as this job; False if there is none."""
        crew = next((c for c in self._crews.values() if c.job_id == job_id and c.opened), None)
        for worker in crew.workers if crew else ():
            worker.leaving = True
            if worker.pid is not None:
                kill_group(worker.pid)
        return crew is not None

    def let_go(self) -> bool:
        """Ask all workers to leave, each after the call that it is at; False if there are none."""
        for worker in self._workers():
            if not worker.leaving:
                worker.leaving = True
                worker.channel.send(Leave())
        return self.staffed

    def processes(self) -> list[tuple[int, float]]:
        """All workers that there are."""
        return [(w.pid, w.started) for w in self._workers() if w.pid is not None]

    def hung_up(self) -> list[int]:
        """Workers whose connection has ended and of whose end nobody has told, by number."""
        return [w.pid for w in self._workers() if w.channel.closed and w.pid is not None]

    def close(self) -> None:
        """End all workers, and send callers elsewhere."""
        self._door.close()
        for crew in self._crews.values():
            for line in crew.waiting:
                frames.farewell(line.sock, frames.Kind.BYE)
                line.sock.close()
            for worker in crew.workers:
                if worker.pid is not None:
                    kill_group(worker.pid)
                worker.channel.close()
                for served in (worker.line, worker.coming):
                    if served is not None:
                        served.sock.close()
        self._crews.clear()
        self._ears.close()

    def _workers(self) -> Iterator[Warm]:
        for crew in self._crews.values():
            yield from crew.workers

    def _enter(self, caller: socket.socket, dial: Dial) -> None:
        """Somebody wants a worker."""
        line = Line(caller, dial, self._asker(peer_pid(caller)))
        self._ears.await_end(caller.fileno(), lambda: self._hung_up(line))
        crew = self._crew(dial.version, dial.function, dial.where, self._door.zone(dial))
        self._open(crew)
        crew.waiting.append(line)
        self._staff(crew)

    def _asker(self, pid: int) -> Warm | None:
        """The warm worker that a process is, or was started by, in whose process group it then is."""
        with suppress(OSError):
            group = os.getpgid(pid)
            return next((worker for worker in self._workers() if worker.pid == group), None)
        return None

    def _crew(self, version: str, function: FunctionSpec, where: Where, zone: str) -> Crew:
        crew = self._crews.get(version)
        if crew is None:
            name = fresh_name(f"{function.name[:_LONGEST_NAME].replace('_', '-')}-calls", self._place.jobs)
            crew = Crew(name, function, where, zone)
            self._crews[version] = crew
        return crew

    def _open(self, crew: Crew) -> None:
        """Have a job made that the direct calls of a crew are charged to."""
        if not crew.opened:
            crew.opened = True
            with suppress(OSError):  # a disk that is full costs the log
                (self._place.jobs / crew.job_id).mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = replace(crew.function, kind=Kind.CALLS, retries=0, timeout_s=None)
            workers = max(1, len(crew.workers))
            self.told.append(Opened(job_id=crew.job_id, function=kept, zone=crew.zone, workers=workers))
            self._tell_processes(crew)

    def _staff(self, crew: Crew) -> None:
        """Give those who wait to free workers, to new ones, or to whoever is free first."""
        while crew.waiting:
            line = crew.waiting[0]
            worker = self._free(crew)
            if worker is None:
                match answer(need_of(line, crew, self._crews.values(), self._place.processors)):
                    case Answer.HIRE:
                        worker = self._hire(crew)
                    case Answer.SHARE if line.dial.spare:
                        crew.waiting.popleft()
                        self._hang_up(line, frames.Kind.BYE, "")
                        continue
                    case Answer.SHARE:
                        self._share(crew)
                        self._refuse([each for each in crew.waiting if in_vain(each, self._crews.values())])
                        return
                    case Answer.REFUSE:
                        self._refuse([line])
                        continue
            worker.coming, worker.rested = crew.waiting.popleft(), False
            worker.channel.send(Take(), fds=[line.sock.fileno()])

    def _freed(self, crew: Crew) -> None:
        """A worker has nothing more to do: who waits for its crew comes first, then all who want its room."""
        for each in (crew, *self._crews.values()):
            self._staff(each)

    def _share(self, crew: Crew) -> None:
        """Have as many callers take turns as there are others waiting."""
        asked = sum(worker.yielding for worker in crew.workers)
        willing = (w for w in crew.workers if w.calling and w.coming is None and not w.yielding)
        for worker in islice(willing, max(0, len(crew.waiting) - asked)):
            worker.yielding = True
            worker.channel.send(Yield())

    def _refuse(self, lines: Sequence[Line]) -> None:
        for line in lines:
            for crew in self._crews.values():
                with suppress(ValueError):
                    crew.waiting.remove(line)
            self._hang_up(line, frames.Kind.REFUSED, _TOO_DEEP)

    def _free(self, crew: Crew) -> Warm | None:
        """A worker that has nothing to do, rather one whose caller has hung up."""
        idle = [worker for worker in crew.workers if not (worker.at_work or worker.leaving)]
        return min(idle, key=lambda worker: worker.line is not None, default=None)

    def _hire(self, crew: Crew, imports: Sequence[str] = ()) -> Warm:
        self._numbers += 1
        ours, theirs = Channel.pair()
        worker = Warm(self._numbers, ours, crew, self._times, since=self._place.wall())
        crew.workers.append(worker)
        post = post_of(worker, self._place)
        self._nurseries.of(crew.function).hire(post, theirs, imports)
        self._ears.listen(ours.fileno(), lambda: self._from_worker(worker))
        return worker

    def _from_worker(self, worker: Warm) -> None:
        for message in worker.channel.receive():
            match message:
                case Busy():
                    worker.calling, worker.rested = True, False
                case Took():
                    self._drop(worker.line)
                    worker.line, worker.coming, worker.yielding = worker.coming, None, False
                    worker.calling = True
                case Idle():
                    self._rests(worker, message)
                case Report() | Done() if worker.order is not None:
                    self._at_order(worker, worker.order, message)
                case _:
                    pass
        if worker.channel.closed:
            self._ears.ignore(worker.channel.fileno())

    def _at_order(self, worker: Warm, order: Order, message: Message) -> None:
        if isinstance(message, Done):
            worker.order, worker.since = None, self._place.wall()
        self._employer.from_warm(order, message)
        self._freed(worker.crew)

    def _rests(self, worker: Warm, idle: Idle) -> None:
        answered = worker.crew.calls
        worker.calling, worker.orphan, worker.yielding = False, False, False
        worker.calls, worker.since = idle.calls, self._place.wall()
        if idle.free:
            self._drop(worker.line)
            worker.line = None
        crew = worker.crew
        if crew.calls > answered:
            step = Progressed(job_id=crew.job_id, token=TOKEN, step=crew.calls, total=None, loss=None)
            self.told.append(step)
        self._freed(crew)

    def _hung_up(self, line: Line) -> None:
        """A caller is gone: nobody waits for the call that is being made for it."""
        self._ears.ignore(line.sock.fileno())
        line.gone = True
        for crew in self._crews.values():
            if line in crew.waiting:
                crew.waiting.remove(line)
                line.sock.close()
        for worker in self._workers():
            if worker.line is line or worker.coming is line:
                worker.orphan, worker.since = worker.calling or worker.coming is line, self._place.wall()

    def _drop(self, line: Line | None) -> None:
        if line is not None:
            self._ears.ignore(line.sock.fileno())
            line.sock.close()

    def _hang_up(self, line: Line | None, kind: frames.Kind, why: str) -> None:
        if line is not None:
            frames.farewell(line.sock, kind, why)
            self._drop(line)

    def _tell_processes(self, crew: Crew) -> None:
        pids = tuple((w.pid, w.started) for w in crew.workers if w.pid is not None)
        if crew.opened and pids:
            self.told.append(Started(job_id=crew.job_id, token=TOKEN, processes=pids))

    def _ended(self, worker: Warm, news: Reaped) -> None:
        """A worker is no more: tell its caller, and send on the one that it had not begun with."""
        self._from_worker(worker)  # its last words may come in after the news of its end
        crew = worker.crew
        crew.workers.remove(worker)
        worker.end(news.cpu_s)
        if worker.order is not None:
            self._employer.warm_lost(worker.order, news.excess)
        crew.ended_cpu_s += max(0.0, worker.cpu_s - worker.charged_s)
        crew.ended_calls += worker.calls
        self._ears.ignore(worker.channel.fileno())
        worker.channel.close()
        last = frames.Kind.EXCESS if news.excess else frames.Kind.FATE
        self._hang_up(worker.line, last, news.excess or how_ended(news.code))
        if worker.coming is not None and worker.coming.gone:
            self._drop(worker.coming)
        elif worker.coming is not None:
            crew.waiting.appendleft(worker.coming)
        self._freed(crew)
        if not crew.workers:
            self._disband(crew)

    def _disband(self, crew: Crew) -> None:
        version = next(name for name, each in self._crews.items() if each is crew)
        del self._crews[version]
        if crew.opened:
            self._left.append(crew.usage())
            self.told.append(Exited(job_id=crew.job_id, token=TOKEN, outcome="succeeded"))
        else:
            self._pool_cpu_s += crew.ended_cpu_s

    def _tick(self) -> None:
        """Let go of workers that nobody has called for long, and end those whose caller is gone."""
        now = self._place.wall()
        for worker in self._workers():
            if worker.orphan and now - worker.since >= ORPHAN_S:
                worker.orphan, worker.leaving = False, True
                if worker.pid is not None:
                    kill_group(worker.pid)
            elif not (worker.at_work or worker.leaving) and now - worker.since >= self._place.warm_s:
                worker.leaving = True
                worker.channel.send(Leave())

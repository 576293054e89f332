"""The one way in: commands and decorated functions reach a state folder through it."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, Self

import cloudpickle

from tidewatt import settings, wiring
from tidewatt.domain import world as worlds
from tidewatt.domain.function import FunctionSpec, Kind, Payload, WorkerRange
from tidewatt.domain.job import Job, Submission
from tidewatt.domain.lifecycle import ENDED, State, Wish
from tidewatt.domain.units import HOUR_S
from tidewatt.domain.world import World, WorldRequest
from tidewatt.errors import JobFailed, UsageError
from tidewatt.ports import Grid, Store, Triggers, Update
from tidewatt.runtime.data import fingerprint
from tidewatt.runtime.payload import describe, save
from tidewatt.runtime.storage import checked
from tidewatt.sdk.proposal import Proposal

_RECENT_S = 48 * HOUR_S
_LONGEST_NAME = 24
_SILENCE_S = 5.0
"""Real seconds without a word after which the store is asked instead."""
_HASTE_S = 0.5
"""The same for a job that is to come to rest, about which there may be no word left to say."""


class Submittable(Protocol):
    """A function together with what it needs; decorated functions are such."""

    @property
    def spec(self) -> FunctionSpec:
        """Its name and needs."""
        ...

    @property
    def body(self) -> Callable[..., Any]:
        """What is called."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a submission says beyond its function; None leaves it to the function or to what there is."""

    deadline_s: float | None = None
    length_s: float | None = None
    workers: WorkerRange | None = None
    zones: tuple[str, ...] = ()
    """Where to run, the home zone first."""
    labels: tuple[tuple[str, str], ...] = ()
    """What to call it by in reports, beside or in place of the function's own."""
    speed: float | None = None
    start_at: float | None = None
    carbon_file: str | None = None
    source: Path | None = None
    """The file that the function was loaded from, if a copy of it is to be kept."""
    payload: Payload | None = None
    """How the code was kept before, if it was, as with a trigger that was deployed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that nobody has submitted yet, and where it would live."""

    job: Job
    world: World
    grid: Grid


class Client:
    """Jobs of one state folder."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = wiring.Home(home.absolute()) if home is not None else wiring.Home.default()
        store = wiring.open_store(self.home)
        self.store: Store = store
        self.triggers: Triggers = store.triggers
        self._close = store.close

    def __enter__(self) -> Self:
        """The client; it is closed when the block is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Let go of the store; jobs go on."""
        self._close()

    def submit(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> str:
        """Make a submission durable and wake the supervisor; the job's identifier is returned.

        Raises:
            Refused: it cannot be done in time, or not where it is allowed to be, or a budget is used up;
                nothing is left behind.
            UsageError: something in it, or in the budgets in force, cannot be understood.
        """
        with wiring.submitting(self.home):
            proposal = self.propose(handle, arguments, options)
            self.check(proposal)
            self._keep(proposal, handle.body, arguments, options.source)
        self.wake()
        return proposal.job.id

    def propose(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> Proposal:
        """What a submission would look like, and what would be planned for it."""
        draft = self.draft(handle, arguments, options)
        open_jobs = self.store.jobs(open_only=True)
        observer = wiring.observer_at(self.store, draft.grid, draft.world, supervised=bool(open_jobs))
        snapshot = observer.snapshot([*open_jobs, draft.job])
        return Proposal(draft.job, draft.world, snapshot, settings.policy()(snapshot), draft.grid)

    def draft(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> Draft:
        """The job of a submission and the world that it joins, as long as nobody else submits."""
        settings.stall_share()  # the supervisor would stumble over a wrong one
        spec = _specify(handle.spec, options)
        request = WorldRequest(
            speed=options.speed,
            start_at=options.start_at,
            carbon_file=None if options.carbon_file is None else wiring.carbon_source(options.carbon_file),
            zones=self.zones(spec, options.zones),
        )
        open_jobs = self.store.jobs(open_only=True)
        clock = wiring.clock_of(None)
        known = self.store.world()
        world = worlds.join(known, request) if open_jobs and known else worlds.make(request, clock.wall())
        grid = wiring.open_grid(world.carbon_file)
        for zone in world.zones:
            _check_zone(grid, zone, worlds.now(world, clock.wall(), supervised=False))
        at = worlds.now(world, clock.wall(), supervised=bool(open_jobs) and wiring.supervised(self.home))
        payload = options.payload or describe(options.source, handle.body, spec.name)
        payload = replace(payload, data=fingerprint(arguments))
        job = _draft(
            spec=spec,
            arguments=arguments,
            home_zone=request.zones[0],
            at=at,
            wall=clock.wall(),
            payload=payload,
        )
        return Draft(job, world, grid)

    def check(self, proposal: Proposal) -> None:
        """Refuse what cannot be done, and what there is no budget for.

        Raises:
            Refused: it cannot be done in time, or not where it is allowed to be, or a budget is used up.
            UsageError: the budgets in force cannot be read.
        """
        from tidewatt.policy import admission  # noqa: PLC0415 - numpy is slow to load, and commands that only look need none
        from tidewatt.sdk import affording  # noqa: PLC0415 - the same

        budgets = settings.budgets(self.home.path)()
        admission.check(proposal.snapshot, proposal.job.id)
        affording.check(self.store, budgets, proposal)

    def wake(self) -> bool:
        """See that somebody is at work if there is anything to do; True if nobody was."""
        if not wiring.any_work(self.store) and not self.triggers.waiting():
            wiring.tidy(self.home)
            return False
        if wiring.supervised(self.home):
            return False
        wiring.wake(self.home).close()
        return True

    def job(self, name: str) -> Job:
        """The job with this identifier, or the only one that it begins.

        Raises:
            UsageError: there is none, or more than one.
        """
        job = self.store.job(name)
        if job is not None:
            return job
        ids = [j.id for j in self.store.jobs()]
        matching = [i for i in ids if i.startswith(name)]
        if len(matching) == 1:
            return self.job(matching[0])
        close = matching or get_close_matches(name, ids, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "`tidewatt jobs` lists them"
        found = "several jobs" if matching else "no job"
        raise UsageError(f"{found} {name!r}", "the identifier of a job", hint)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job."""
        self._ask(job_id, Wish.CANCEL)

    def hold(self, job_id: str) -> None:
        """Ask for the suspension of a job until it is resumed."""
        self._ask(job_id, Wish.HOLD)

    def resume(self, job_id: str) -> None:
        """Let a held job go on."""
        self._ask(job_id, Wish.RUN)

    def follow(self, job_id: str) -> Iterator[Update]:
        """What happens to a job, until it has ended or is held; a supervisor that dies is replaced."""
        while not self._at_rest(job_id):
            caller = wiring.wake(self.home)
            try:
                if self._at_rest(job_id):  # it came to rest before anybody listened
                    return
                asked = self.job(job_id).wish is not Wish.RUN
                for update in caller.updates(_HASTE_S if asked else _SILENCE_S):
                    if update is not None and update.job_id == job_id:
                        yield update
                    if (update is None or update.job_id == job_id) and self._at_rest(job_id):
                        return
            finally:
                caller.close()

    def result(self, job_id: str) -> Any:  # noqa: ANN401 - the user's result
        """Wait for a job and return what its function returned.

        Raises:
            JobFailed: it ended without a result.
        """
        for _ in self.follow(job_id):
            pass
        job = self.job(job_id)
        if job.state is not State.SUCCEEDED or job.result is None:
            raise JobFailed(f"job {job_id} {job.state}", "a result", job.error or "see `tidewatt show`")
        return self._saved_result(job)["value"]

    def shown_result(self, job: Job) -> object:
        """The result of a job in plain values, None if it has none."""
        return self._saved_result(job)["shown"] if job.result is not None else None

    def folder(self, job: Job) -> Path:
        """Where the files of a job lie."""
        return self.home.jobs / job.id

    def now(self) -> float:
        """The instant of the world, as far as somebody outside the supervisor can tell."""
        world = self.store.world()
        wall = wiring.clock_of(None).wall()
        return worlds.now(world, wall, supervised=wiring.supervised(self.home)) if world else wall

    def _saved_result(self, job: Job) -> dict[str, Any]:
        saved: dict[str, Any] = cloudpickle.loads((self.folder(job) / (job.result or "")).read_bytes())
        return saved

    def _ask(self, job_id: str, wish: Wish) -> None:
        job = self.job(job_id)
        if job.state in ENDED:
            raise UsageError(
                f"job {job.id}, already {job.state}", "one that is still open", "`tidewatt jobs` lists them"
            )
        self.store.wish(job.id, wish)
        if wiring.any_work(self.store):
            wiring.wake(self.home).close()

    def _at_rest(self, job_id: str) -> bool:
        return self.job(job_id).at_rest

    def zones(self, spec: FunctionSpec, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Where to run: as asked, as the function says, as the environment says, or where others run."""
        named = settings.zone()
        world = self.store.world()
        zones = asked or spec.zones or ((named,) if named else ()) or (world.zones if world else ())
        if not zones:
            raise settings.no_zone()
        return tuple(dict.fromkeys(zones))

    def _keep(self, proposal: Proposal, body: object, arguments: dict[str, Any], source: Path | None) -> None:
        """Write the job's folder, then the submission; a failure leaves neither."""
        job = proposal.job
        folder = self.folder(job)
        folder.mkdir(mode=0o700, parents=True)
        try:
            save(folder, source, body, arguments)
            self.store.save_world(proposal.world)
            self.store.submit(replace(job.submission, world=proposal.world, grid=proposal.grid.name))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _specify(spec: FunctionSpec, options: Options) -> FunctionSpec:
    """The function as this submission wants it."""
    workers = options.workers or spec.workers
    if options.workers is not None and workers.most > spec.shards:
        raise UsageError(
            f"{workers.most} workers for {spec.name}, which has shards={spec.shards}",
            f"at most {spec.shards}",
            "shards are fixed by the function, because the result depends on them: @tw.training(shards=...)",
        )
    storage = spec.storage or settings.storage() if spec.kind is Kind.TRAINING else ""
    return replace(
        spec,
        workers=workers,
        storage=checked(storage) if storage else "",
        deadline_s=options.deadline_s or spec.deadline_s,
        length_s=options.length_s or spec.length_s,
        zones=spec.zones or options.zones,
        labels=tuple((dict(spec.labels) | dict(options.labels)).items()),
    )


def _check_zone(grid: Grid, zone: str, at: float) -> None:
    """Refuse a zone that the grid does not know, or knows nothing of at the time in question."""
    if not grid.signal(zone, at - _RECENT_S, at + HOUR_S).readings:
        day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise UsageError(
            f"no reading of {zone} within two days of {day} in {grid.name}",
            "data for the time that the job begins at",
            "choose --start inside the period of the file",
        )


def _draft(
    *,
    spec: FunctionSpec,
    arguments: dict[str, Any],
    home_zone: str,
    at: float,
    wall: float,
    payload: Payload,
) -> Job:
    """A job that nobody has submitted yet."""
    submission = Submission(
        id=f"{spec.name[:_LONGEST_NAME].replace('_', '-')}-{secrets.token_hex(3)}",
        function=spec,
        payload=payload,
        arguments={name: repr(value) for name, value in arguments.items()},
        submitted_at=at,
        submitted_wall=wall,
        deadline_at=None if spec.deadline_s is None else at + spec.deadline_s,
        home_zone=home_zone,
    )
    return Job.draft(submission)

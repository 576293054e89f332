"""The one way in: commands and decorated functions reach a state folder through it."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import cloudpickle

from tidewatt import settings, wiring
from tidewatt.adapters import cgroup, supervision
from tidewatt.control import unplanned
from tidewatt.domain import world as worlds
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import ENDED, State, Wish
from tidewatt.domain.units import HOUR_S
from tidewatt.domain.world import World, WorldRequest
from tidewatt.errors import JobFailed, UsageError
from tidewatt.ports import Grid, Store, Triggers, Update
from tidewatt.runtime.data import fingerprint
from tidewatt.runtime.faults import unpacked
from tidewatt.runtime.payload import describe, save
from tidewatt.runtime.secret import Secrets
from tidewatt.runtime.worker import fault_name
from tidewatt.sdk.drafts import Options as Options  # noqa: PLC0414 - who has a client wants these too
from tidewatt.sdk.drafts import Submittable, check_zone, drafted, key_of, shown, specify, versioned
from tidewatt.sdk.environments import furnish
from tidewatt.sdk.following import Following
from tidewatt.sdk.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that nobody has submitted yet, and where it would live."""

    job: Job
    world: World
    new: bool
    """Whether the world is another than the one that is kept."""
    grid: Grid
    among: Sequence[Job]
    """The open jobs that it comes to be among, of those that wait for room alone the first."""

    @property
    def at_once(self) -> bool:
        """Whether it waits for room alone and keeps nobody from being in time: nothing is to be planned."""
        in_time = not any(job.submission.deadline_at for job in self.among)
        return self.job.submission.unplanned and in_time


class Client:
    """Jobs of one state folder."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = wiring.Home(home.absolute()) if home is not None else wiring.Home.default()
        store = wiring.open_store(self.home)
        self.store: Store = store
        self.triggers: Triggers = store.triggers
        self._close = store.close
        self._known_hour: tuple[str, tuple[str, ...], float] | None = None
        """That for which a grid is known to have data, and of which zones."""
        self._grids: tuple[str, Grid] | None = None
        self._processors = cgroup.processors()
        self._following = Following(self.home, self.job)

    def __enter__(self) -> Self:
        """The client; it is closed when the block is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Let go of the store; jobs go on."""
        self._following.close()
        self._close()

    def submit(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> str:
        """Make a submission durable and wake the supervisor; the job's identifier is returned.

        With an idempotency key that was used before, it is the job from before.

        Raises:
            Refused: it cannot be done in time, or not where it is allowed to be, or a budget is used up;
                nothing is left behind but an environment that could be built.
            UsageError: something in it, or in the budgets in force, cannot be understood, or the key stands
                for other arguments.
        """
        if options.payload is None:
            furnish(handle.spec, by_value=options.source is None)
        with supervision.submitting(self.home) as begin:
            named = self._named(handle.spec, arguments, options)
            if named is None:
                draft = self.draft(handle, arguments, options)
                self._admit(draft)
                begin(draft.job.id)
                named = self._keep(draft, handle.body, arguments, options.source)
        if not (named.at_rest or self._following.ring(named.id)):
            self.wake()
        return named.id

    def _named(self, spec: FunctionSpec, arguments: dict[str, Any], options: Options) -> Job | None:
        """The job that this function was submitted as before, with the same idempotency key.

        Raises:
            UsageError: it has other arguments.
        """
        job = self.store.job_named(key_of(spec, options)) if options.key else None
        if job is not None and job.submission.arguments != shown(arguments):
            there = ", ".join(f"{name}={value}" for name, value in job.submission.arguments.items())
            raise UsageError(
                f"the idempotency key {options.key!r} with other arguments than job {job.id} has",
                f"{spec.name}({there})",
                "use another key for other work",
            )
        return job

    def _admit(self, draft: Draft) -> None:
        """Refuse what cannot be done or paid for; a plan is made only where one is needed for that."""
        from tidewatt.policy import admission  # noqa: PLC0415 - numpy is slow to load, and commands that only look need none

        function = draft.job.function
        if draft.at_once and not settings.budgets(self.home.path)().rules:
            sites = wiring.sites_of(draft.world, cpus=self._processors)
            admission.check_place(function.zones, 1, function.cpus, sites)
        else:
            self.check(self.proposed(draft))

    def propose(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> Proposal:
        """What a submission would look like, and what would be planned for it."""
        return self.proposed(self.draft(handle, arguments, options))

    def proposed(self, draft: Draft) -> Proposal:
        """What would be planned for a job among those that are open with it."""
        supervised = bool(draft.among)
        observer = wiring.observer_at(self.store, draft.grid, draft.world, supervised=supervised)
        snapshot = observer.snapshot([*draft.among, draft.job])
        return Proposal(draft.job, draft.world, snapshot, settings.policy()(snapshot), draft.grid)

    def draft(self, handle: Submittable, arguments: dict[str, Any], options: Options) -> Draft:
        """The job of a submission and the world that it joins, as long as nobody else submits."""
        settings.stall_share()  # the supervisor would stumble over a wrong one, as over the next
        settings.log_limit_bytes()
        spec = specify(handle.spec, options)
        kept = Secrets(self.home.secrets)
        kept.check(spec.secrets)
        request = WorldRequest(
            speed=options.speed,
            start_at=options.start_at,
            carbon_file=None if options.carbon_file is None else wiring.carbon_source(options.carbon_file),
            zones=self.zones(spec, options.zones),
        )
        clock, known, any_open = wiring.clock_of(None), self.store.world(), self.store.any_open()
        world = (
            worlds.join(known, request) if any_open and known else worlds.make(request, clock.wall(), known)
        )
        grid = self._grid(world.carbon_file)
        self._check_zones(grid, world, worlds.now(world, clock.wall(), supervised=False))
        at = worlds.now(world, clock.wall(), supervised=any_open and supervision.supervised(self.home))
        payload = options.payload or versioned(
            describe(options.source, handle.body, spec.name), spec, kept.stamp(spec.secrets)
        )
        payload = replace(payload, data=fingerprint(arguments))
        job = drafted(
            spec=spec,
            arguments=arguments,
            home_zone=request.zones[0],
            at=at,
            wall=clock.wall(),
            payload=payload,
            key=key_of(spec, options) if options.key else None,
            folders=self.home.jobs,
        )
        at_hand = self.store.jobs_at_hand(unplanned.AT_HAND) if any_open else []
        among = [each for each in at_hand if each.function.kind is not Kind.CALLS]
        return Draft(job, world, world != known, grid, among)

    def _check_zones(self, grid: Grid, world: World, at: float) -> None:
        """Refuse zones that a grid has no data for at an instant; it is asked once an hour."""
        hour = (grid.name, world.zones, at // HOUR_S)
        if hour != self._known_hour:
            for zone in world.zones:
                check_zone(grid, zone, at)
            self._known_hour = hour

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

    def _grid(self, carbon: str) -> Grid:
        """A source of intensities, opened once."""
        if self._grids is None or self._grids[0] != carbon:
            self._grids = carbon, wiring.open_grid(carbon)
        return self._grids[1]

    def wake(self) -> bool:
        """See that somebody is at work if there is anything to do; True if nobody was."""
        if not wiring.any_work(self.store) and not self.triggers.waiting():
            supervision.tidy(self.home, lambda job_id: self.store.job(job_id) is not None)
            return False
        if supervision.supervised(self.home):
            return False
        wiring.wake(self.home).close()
        return True

    def host(self, spec: FunctionSpec, begin: supervision.Begin | None = None) -> None:
        """See that somebody is there to whom a function can be given, without a job.

        Args:
            spec: the function.
            begin: has a supervisor begin that was readied before.

        Raises:
            UsageError: no zone is known, or no supervisor starts.
            WorldConflict: open jobs live in another time or place.
        """
        request = WorldRequest(zones=self.zones(spec, ()))
        with supervision.submitting(self.home):
            self._join(request)
        wiring.wake(self.home, begin).close()

    def _join(self, request: WorldRequest) -> World:
        """The world that there is, or a new one; it is saved for whoever supervises it."""
        known, wall = self.store.world(), wiring.clock_of(None).wall()
        joined = known is not None and (self.store.any_open() or supervision.supervised(self.home))
        world = worlds.join(known, request) if known and joined else worlds.make(request, wall, known)
        if world != known:
            self.store.save_world(world)
        return world

    def job(self, name: str) -> Job:
        """The job with this identifier, or the only one that it begins.

        Raises:
            UsageError: there is none, or more than one.
        """
        job = self.store.job(name)
        if job is not None:
            return job
        ids = self.store.ids()
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

    def follow(self, job_id: str, timeout_s: float | None = None) -> Iterator[Update]:
        """What happens to a job, until it has ended or is held; a supervisor that dies is replaced.

        Raises:
            TimeoutError: that has not come to pass after so many seconds.
        """
        return self._following.updates(job_id, timeout_s)

    def result(
        self, job_id: str, timeout_s: float | None = None, given_up: Callable[[], bool] = lambda: False
    ) -> Any:  # noqa: ANN401 - the user's result
        """Wait for a job and return what its function returned.

        Args:
            job_id: its identifier.
            timeout_s: how many seconds to wait at most.
            given_up: asked now and then, whether to wait no more.

        Raises:
            TimeoutError: it has not ended after so many seconds, or was given up.
            JobFailed: it ended without a result.
            Exception: what the function raised, if that can be told; its cause is the worker's traceback.
        """
        job = self._following.rested(job_id, timeout_s, given_up)
        if job.state is not State.SUCCEEDED or job.result is None:
            fault = self.folder(job) / fault_name(job.token)
            if job.state is State.FAILED and fault.exists():
                raise unpacked(cloudpickle.loads(fault.read_bytes()), f"job {job_id} {job.state}")
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
        return worlds.now(world, wall, supervised=supervision.supervised(self.home)) if world else wall

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

    def zones(self, spec: FunctionSpec, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Where to run: as asked, as the function says, as the environment says, or where others run."""
        named = settings.zone()
        zones = asked or spec.zones or ((named,) if named else ())
        if not zones and (world := self.store.world()) is not None:
            zones = world.zones
        if not zones:
            raise settings.no_zone()
        return tuple(dict.fromkeys(zones))

    def _keep(self, proposal: Draft, body: object, arguments: dict[str, Any], source: Path | None) -> Job:
        """Write the job's folder, then the submission; a failure leaves neither."""
        job = proposal.job
        folder = self.folder(job)
        try:
            folder.mkdir(mode=0o700, parents=True)
            save(folder, source, body, arguments)
            if proposal.new:
                self.store.save_world(proposal.world)
            submission = replace(job.submission, world=proposal.world, grid=proposal.grid.name)
            kept = self.store.submit(submission)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, OSError):
                raise
            raise UsageError(
                f"no way to write {folder} ({error.strerror})",
                "a state folder with room for the code and the arguments of a job",
                "free some space, or see that you may write there",
            ) from error
        if kept.id != job.id:  # another state folder with the same store was first to use the key
            shutil.rmtree(folder)
        return kept

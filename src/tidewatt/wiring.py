"""The one place that names concrete adapters."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import platformdirs

from tidewatt import settings
from tidewatt.accounting.factors import DEFAULTS, SERVER_PROCESSORS, Factors
from tidewatt.adapters import cgroup, supervision
from tidewatt.adapters.bell import Bell, Caller
from tidewatt.adapters.clocks.real import RealClock, ReplayClock
from tidewatt.adapters.home import Home as Home  # noqa: PLC0414 - whoever asks for a state folder asks here
from tidewatt.adapters.supervision import hold, tell
from tidewatt.domain import world as worlds
from tidewatt.domain.signal import Series
from tidewatt.domain.site import Site
from tidewatt.domain.world import World
from tidewatt.ports import Clock, DeviceMeter, Engine, Feed, Grid, Meter, Store
from tidewatt.runtime.frames import Limits
from tidewatt.runtime.journal import trim

if TYPE_CHECKING:
    from tidewatt.adapters.engines.door import Place
    from tidewatt.adapters.engines.footing import Footing
    from tidewatt.adapters.environments.cache import Environments
    from tidewatt.adapters.meters.detect import MeterFinding
    from tidewatt.adapters.stores.sql import SqlStore
    from tidewatt.control.foresight import Prospect
    from tidewatt.control.loop import Loop
    from tidewatt.control.observe import Observer
    from tidewatt.control.standby import Standby

_TRAINER = "tidewatt.elastic.trainer:make"
_LINGER_S = 5.0
_STUCK_S = 300.0
_ANSWER_S = 60.0


def open_store(home: Home) -> "SqlStore":
    """The store of a state folder.

    Raises:
        NewerState: a newer version wrote the folder or the database.
    """
    from tidewatt.adapters.stores.sql import SqlStore  # noqa: PLC0415 - slow to load, and calls to warm workers need none

    home.prepare()
    return SqlStore.open(home.store_url)


def carbon_source(given: Path | str | None) -> str:
    """What ``--carbon`` says, as a world keeps it: empty for the model, a source's name, or a whole path."""
    from tidewatt.adapters.grids.sources import NAMES  # noqa: PLC0415 - only who asks for a grid needs it

    if given is None or not str(given):
        return ""
    return str(given) if str(given) in NAMES else str(Path(given).absolute())


def open_grid(carbon: str, *, forgiving: bool = False) -> Grid:
    """The grid of a world: the offline model, a source over the network by its name, or a file.

    ``forgiving`` is for those who go on with what is kept when a source refuses, such as a supervisor.
    """
    from tidewatt.adapters.grids.file import FileGrid  # noqa: PLC0415 - numpy is slow to load, and commands that only look need none
    from tidewatt.adapters.grids.model import ModelGrid  # noqa: PLC0415 - the same
    from tidewatt.adapters.grids.sources import NAMES  # noqa: PLC0415 - the same

    if carbon in NAMES:
        return _open_source(carbon, forgiving=forgiving)
    return FileGrid(Path(carbon)) if carbon else ModelGrid()


def _open_source(name: str, *, forgiving: bool) -> Grid:
    from tidewatt.adapters.grids.cache import CachedGrid  # noqa: PLC0415 - the same
    from tidewatt.adapters.grids.sources import named  # noqa: PLC0415 - the same

    clock = RealClock()
    address = os.environ.get("TIDEWATT_GRID_URL")
    source = named(name, environment=os.environ, clock=clock, sleep=Event().wait, base_url=address)
    folder = Path(platformdirs.user_cache_dir("tidewatt")) / "grids"
    return CachedGrid(source, folder, clock, forgiving=forgiving)


def open_series() -> dict[Series, Grid]:
    """What the environment names files of, beside the grid: marginal intensity, prices, PUE, by the hour.

    Raises:
        UsageError: a file is missing or damaged, or lacks a column.
    """
    return {series: _open_file(Path(name), series) for series, name in settings.series().items()}


def open_prices(path: Path) -> Grid:
    """Hourly prices of electricity in a file, USD/kWh.

    Raises:
        UsageError: the file is missing or damaged, or lacks a column.
    """
    return _open_file(path, Series.PRICE)


def _open_file(path: Path, series: Series) -> Grid:
    from tidewatt.adapters.grids.file import FileGrid  # noqa: PLC0415 - the same
    from tidewatt.adapters.grids.rows import EFFECTIVENESS, INTENSITY, PRICE  # noqa: PLC0415 - the same

    measures = {Series.MARGINAL: INTENSITY, Series.PRICE: PRICE, Series.PUE: EFFECTIVENESS}
    return FileGrid(path, measures[series])


def factors() -> Factors:
    """The factors in force: those of ``$TIDEWATT_FACTORS`` in place of published ones.

    Raises:
        UsageError: the file cannot be read or understood.
    """
    from tidewatt.adapters.factorfile import read_factors  # noqa: PLC0415 - only where there is such a file

    name = os.environ.get("TIDEWATT_FACTORS")
    return read_factors(Path(name)) if name else DEFAULTS


def prospect_on(grid: Grid, series: Mapping[Series, Grid]) -> "Prospect":
    """What plans go by, as the environment says: the forecast, hourly prices if there are any, the aim."""
    from tidewatt.control.foresight import Prospect  # noqa: PLC0415 - the same

    prices = series.get(Series.PRICE)
    return Prospect(
        carbon=settings.foresight(grid),
        tariffs=None if prices is None else settings.tariffs(prices),
        objective=settings.objective(),
    )


def sites_of(world: World | None, known: Factors = DEFAULTS, cpus: int | None = None) -> tuple[Site, ...]:
    """This machine, once for each zone that it stands in or, in a replay, stands in for."""
    cpus = cgroup.processors() if cpus is None else cpus
    return tuple(site(f"local-{zone.lower()}", zone, cpus, known) for zone in (world.zones if world else ()))


def memory_store() -> Store:
    """A store for a simulation: it keeps jobs and attempts, and nothing of how they were decided on."""
    from tidewatt.adapters.stores.memory import MemoryStore  # noqa: PLC0415 - the same

    return MemoryStore(keep_history=False)


def site(name: str, zone: str, cpus: int, known: Factors = DEFAULTS, *, pue: float | None = None) -> Site:
    """A site of servers of which nothing more is known than factors tell."""
    return Site(
        name,
        zone,
        cpus,
        known.of("pue", zone).value if pue is None else pue,
        embodied_g=1000 * known.embodied.value / known.lifespan.value / SERVER_PROCESSORS,
        rent=0.0 if known.machine is None else known.machine.value / cpus,
        tariff=known.of("price", zone).value,
    )


def clock_of(world: World | None) -> Clock:
    """The clock that a supervisor lives by."""
    if world is None or not world.replayed:
        return RealClock()
    return ReplayClock(world.speed, world.reached_at)


def observer_at(store: Store, grid: Grid, world: World, *, supervised: bool) -> "Observer":
    """An observer for a command that wants to know what a supervisor would decide.

    Raises:
        UsageError: hours or factors of the site are damaged, over which a supervisor would stumble.
    """
    from tidewatt.control.observe import Observer  # noqa: PLC0415 - the same

    series, known = open_series(), factors()
    for each in series.values():
        for zone in set(world.zones) & set(each.zones()):
            each.signal(zone, 0.0, 0.0)  # the rows of a zone are read, and refused, when it is asked for
    prospect = prospect_on(grid, series)
    clock = clock_of(world)  # from here on the hours of a replay go by
    if world.replayed:
        clock = ReplayClock(world.speed, worlds.now(world, clock.wall(), supervised=supervised))
    return Observer(store, grid, clock, lambda: sites_of(world, known), prospect)


def wake(home: Home, begin: supervision.Begin | None = None) -> Caller:
    """Ring the supervisor of a state folder, starting one in today's environment if there is none.

    Args:
        home: the state folder.
        begin: has a supervisor begin that was readied before.

    Raises:
        UsageError: it does not start; its log says why.
    """
    return supervision.wake(home, settings.environment(), begin)


def readied(home: Home) -> AbstractContextManager[supervision.Begin | None]:
    """A supervisor in today's environment whose zygote loads meanwhile, for whoever will call a function."""
    return supervision.readied(home, settings.environment())


def call_limits(home: Home) -> Limits:
    """How large arguments and results may be, and where large ones lie on their way."""
    return Limits(
        most_bytes=settings.call_limit_bytes(), spill_bytes=settings.spill_bytes(), folder=str(home.path)
    )


def environments() -> "Environments":
    """The environments of this user, which all state folders share."""
    from tidewatt.adapters.environments.cache import Environments  # noqa: PLC0415 - most functions have none

    return Environments(Path(platformdirs.user_cache_dir("tidewatt")) / "environments")


def supervise(home: Home, ready: int, follow_up: Callable[[Home], bool], begin: int | None = None) -> None:
    """Be the supervisor of a state folder until there is nothing left to do.

    Args:
        home: the state folder.
        ready: a descriptor that is written to and closed once the supervisor listens.
        follow_up: submits what triggers make of jobs that have succeeded; tells whether that was anything.
        begin: a descriptor on which whoever is about to call a function says when to begin, or hangs up.
            Loading libraries takes longer than all else, so that a zygote does it from the first moment.
    """
    linger_s = float(os.environ.get("TIDEWATT_LINGER_S", _LINGER_S))
    footing = _footing(home)
    if begin is not None:
        footing.common.prepare()
        if not supervision.told_to_begin(begin):
            footing.close()
            return
    with home.lock.open("a+") as lock, suppress(KeyboardInterrupt):
        if not hold(lock):
            footing.close()
            return
        while _supervise_once(home, ready, linger_s, follow_up, footing):
            ready, footing = -1, _footing(home)


def _footing(home: Home) -> "Footing":
    from tidewatt.adapters.engines.footing import Footing  # noqa: PLC0415 - only a supervisor needs it

    return Footing(_TRAINER, home)


def _supervise_once(
    home: Home, ready: int, linger_s: float, follow_up: Callable[[Home], bool], footing: "Footing"
) -> bool:
    """Run the loop until it is idle; True if a job came in while the bell was being taken down."""
    from tidewatt.adapters.engines.local import LocalEngine  # noqa: PLC0415 - the same
    from tidewatt.adapters.engines.nursery import end_strays  # noqa: PLC0415 - the same
    from tidewatt.adapters.meters.detect import at_hand  # noqa: PLC0415 - the same
    from tidewatt.adapters.stores.patient import patient, patiently  # noqa: PLC0415 - the same

    opened = open_store(home)
    outage = supervision.Outage(RealClock().wall)
    store = patient(opened, outage)
    followed = patiently(lambda: bool(opened.triggers.waiting()) and follow_up(home), outage)
    if supervision.left_open(home):
        end_strays(str(home.path), footing.common.pid)
        supervision.sweep(home, lambda job_id: store.job(job_id) is not None)
    standby = _standby(store)
    bell = Bell(home.socket)
    if not any_work(store):
        footing.common.prepare()  # somebody is about to call a function
    log_bytes, own_log = settings.log_limit_bytes(), str(home.log)
    engine = LocalEngine(
        footing,
        keeps=standby.keeps,
        place=_place(home, store, linger_s),
        environments=environments,
        trim=lambda logs: trim([*logs, own_log], log_bytes),
    )
    engine.listen(bell.fileno(), bell.visit)
    try:
        with at_hand(home.calibrations, settings.meter_log()) as meters_here:
            loop = _loop(home, store, engine, bell, meters_here, followed)
            tell(ready)
            standby.run(loop, linger_s)
    finally:
        bell.close()
        engine.close()
        left = any_work(store)
        opened.close()
    return left


def _loop(
    home: Home,
    store: Store,
    engine: Engine,
    feed: Feed,
    meters_here: tuple[Meter, DeviceMeter | None],
    follow_up: Callable[[], bool],
) -> "Loop":
    """The loop of a state folder, with all that the environment says of it."""
    from tidewatt.control.loop import Loop  # noqa: PLC0415 - the same
    from tidewatt.control.parts import Parts  # noqa: PLC0415 - the same

    world = store.world()
    grid = open_grid(world.carbon_file if world else "", forgiving=True)
    series, known, cpus = open_series(), factors(), cgroup.processors()
    parts = Parts(
        store=store,
        engine=engine,
        grid=grid,
        meter=meters_here[0],
        devices=meters_here[1],
        clock=clock_of(world),
        feed=feed,
        sites=lambda world: sites_of(world, known, cpus),
        prospect=prospect_on(grid, series),
        series=series,
        world=world,
        folder=home.jobs,
        budgets=settings.budgets(home.path),
        follow_up=follow_up,
        factors=known,
        stall_share=settings.stall_share(),
        stuck_after_s=float(os.environ.get("TIDEWATT_STUCK_S", _STUCK_S)),
    )
    return Loop(parts, settings.policy())


def _standby(store: Store) -> "Standby":
    from tidewatt.control.standby import Standby  # noqa: PLC0415 - the same

    return Standby(store, RealClock(), settings.idle_policy())


def _place(home: Home, store: Store, linger_s: float) -> "Place":
    from tidewatt.adapters.engines.door import Place  # noqa: PLC0415 - the same

    return Place(
        socket=home.door,
        jobs=home.jobs,
        limits=call_limits(home),
        zones=lambda: (store.world() or World()).zones,
        processors=cgroup.processors(),
        warm_s=linger_s,
        wall=RealClock().wall,
        answer_s=float(os.environ.get("TIDEWATT_ANSWER_S", _ANSWER_S)),
    )


def any_work(store: Store) -> bool:
    """Whether a supervisor would have something to do."""
    return not all(job.at_rest for job in store.jobs_at_hand(1))


def meters(home: Home) -> "list[MeterFinding]":
    """All meters that there are for a node, best first, with why this one has them or not."""
    from tidewatt.adapters.meters.detect import surveyed  # noqa: PLC0415 - the same

    return surveyed(home.calibrations, settings.meter_log())

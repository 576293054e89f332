"""The one place that names concrete adapters."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import platformdirs

from tidewatt import settings
from tidewatt.accounting.factors import DEFAULTS, SERVER_PROCESSORS, Factors
from tidewatt.adapters import cgroup
from tidewatt.adapters.bell import Bell, Caller
from tidewatt.adapters.clocks.real import RealClock, ReplayClock
from tidewatt.adapters.home import Home as Home  # noqa: PLC0414 - a name of the wiring for whoever is above it
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.domain import world as worlds
from tidewatt.domain.signal import Series
from tidewatt.domain.site import Site
from tidewatt.domain.world import World
from tidewatt.errors import UsageError
from tidewatt.ports import Clock, DeviceMeter, Engine, Feed, Grid, Meter, Store

if TYPE_CHECKING:
    from tidewatt.adapters.meters.detect import MeterFinding
    from tidewatt.control.foresight import Prospect
    from tidewatt.control.loop import Loop
    from tidewatt.control.observe import Observer
    from tidewatt.control.standby import Standby

_TRAINER = "tidewatt.elastic.trainer:make"
_LINGER_S = 5.0
_STUCK_S = 300.0
_READY = b"ready"
_MOST_FAILURES = 5
_MOMENT_S = 0.2
_TRIES = 100
"""A supervisor that is leaving may take seconds to end its zygote; each try waits for it a moment."""


def open_store(home: Home) -> SqlStore:
    """The store of a state folder.

    Raises:
        NewerState: a newer version wrote the folder or the database.
    """
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


@contextmanager
def submitting(home: Home) -> Generator[None]:
    """Keep other submissions to the same state folder waiting during the body."""
    with home.submitting.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def supervised(home: Home) -> bool:
    """Whether a supervisor holds the state folder at this moment."""
    return is_held(home.lock)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file, which the kernel lets go of with its holder."""
    if not path.exists():
        return False
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def tidy(home: Home) -> None:
    """Remove the socket of a supervisor that was killed before it could."""
    if home.socket.exists():
        with home.lock.open("a+") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # while it is held nobody else binds one
            home.socket.unlink(missing_ok=True)


def wake(home: Home) -> Caller:
    """Ring the supervisor of a state folder, starting one if there is none.

    It is no child of this process in any way that matters: a session of its own, no terminal.

    Raises:
        UsageError: it does not start; its log says why.
    """
    failures = 0
    for _ in range(_TRIES):
        caller = Caller.ring(home.socket)
        if caller is not None:
            return caller
        if not _start_supervisor(home) and not supervised(home):
            failures += 1
        if failures == _MOST_FAILURES:
            break
    tail = home.log.read_text(errors="replace").strip().splitlines()[-1:] if home.log.exists() else []
    raise UsageError(
        f"no supervisor for {home.path}: {' '.join(tail) or 'it does not say why'}",
        "one that starts",
        f"read {home.log}",
    )


def _start_supervisor(home: Home) -> bool:
    """Start a supervisor and wait until it listens; False if it left, as it does if there is one already."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "tidewatt.cli.supervisor", str(home.path), str(writer)]
    try:
        with home.log.open("ab") as log:
            subprocess.run(  # noqa: S603 - our own module, with arguments of our own
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                cwd="/",
                env=settings.environment(),
            )
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as ready:
        return ready.read(len(_READY)) == _READY


def supervise(home: Home, ready: int, follow_up: Callable[[Home], bool]) -> None:
    """Be the supervisor of a state folder until there is nothing left to do.

    ``ready`` is a descriptor that is written to and closed once the supervisor listens. ``follow_up``
    submits what triggers make of jobs that have succeeded, and tells whether that was anything.
    """
    linger_s = float(os.environ.get("TIDEWATT_LINGER_S", _LINGER_S))
    with home.lock.open("a+") as lock, suppress(KeyboardInterrupt):
        if not _hold(lock):
            return
        while _supervise_once(home, ready, linger_s, follow_up):
            ready = -1


def _hold(lock: TextIO) -> bool:
    """Take the lock; False if another supervisor has it and does not leave in a moment.

    That one either listens, or will in a moment, or is about to leave: whoever asked rings again.
    """

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _MOMENT_S)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def _supervise_once(home: Home, ready: int, linger_s: float, follow_up: Callable[[Home], bool]) -> bool:
    """Run the loop until it is idle; True if a job came in while the bell was being taken down."""
    from tidewatt.adapters.engines.local import LocalEngine  # noqa: PLC0415 - the same
    from tidewatt.adapters.meters.detect import at_hand  # noqa: PLC0415 - the same

    store = open_store(home)
    standby = _standby(store)
    bell, engine = Bell(home.socket), LocalEngine(_TRAINER, keeps=standby.keeps)
    engine.listen(bell.fileno(), bell.visit)
    try:
        with at_hand(home.calibrations, settings.meter_log()) as meters_here:
            loop = _loop(home, store, engine, bell, meters_here, follow_up)
            _tell(ready)
            standby.run(loop, linger_s)
    finally:
        bell.close()
        engine.close()
        left = any_work(store)
        store.close()
    return left


def _tell(ready: int) -> None:
    """Let whoever started this supervisor know that it listens, once."""
    if ready >= 0:
        os.write(ready, _READY)
        os.close(ready)


def _loop(
    home: Home,
    store: SqlStore,
    engine: Engine,
    feed: Feed,
    meters_here: tuple[Meter, DeviceMeter | None],
    follow_up: Callable[[Home], bool],
) -> "Loop":
    """The loop of a state folder, with all that the environment says of it."""
    from tidewatt.control.loop import Loop, Parts  # noqa: PLC0415 - the same

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
        sites=lambda: sites_of(store.world(), known, cpus),
        prospect=prospect_on(grid, series),
        series=series,
        world=world,
        folder=home.jobs,
        budgets=settings.budgets(home.path),
        follow_up=lambda: bool(store.triggers.waiting()) and follow_up(home),
        factors=known,
        stall_share=settings.stall_share(),
        stuck_after_s=float(os.environ.get("TIDEWATT_STUCK_S", _STUCK_S)),
    )
    return Loop(parts, settings.policy())


def _standby(store: Store) -> "Standby":
    from tidewatt.control.standby import Standby  # noqa: PLC0415 - the same

    return Standby(store, RealClock(), settings.idle_policy())


def any_work(store: Store) -> bool:
    """Whether a supervisor would have something to do."""
    return not all(job.at_rest for job in store.jobs(open_only=True))


def meters(home: Home) -> "list[MeterFinding]":
    """All meters that there are for a node, best first, with why this one has them or not."""
    from tidewatt.adapters.meters.detect import surveyed  # noqa: PLC0415 - the same

    return surveyed(home.calibrations, settings.meter_log())

"""All that a policy may see, its time included."""

from dataclasses import dataclass

from tidewatt.domain.objective import CARBON, Objective
from tidewatt.domain.signal import Forecast
from tidewatt.domain.site import Site


@dataclass(frozen=True, slots=True)
class Remaining:
    """Work left, in seconds of the world's clock that one worker would need; ``high`` is a safe bound."""

    expected_s: float
    high_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as a policy sees it.

    ``speedup[i]`` is the expected throughput with ``i + 1`` workers over that with one,
    ``safe_speedup[i]`` what a deadline may depend on, and ``watts[i]`` the mean power drawn then, for
    every count up to ``most``. ``restart_s`` is what a stop and start costs, in seconds of the world's
    clock. ``remaining`` is None until something is known of the job's length. ``kept_on`` is the site where
    its state lies, None if there is none yet; ``move_j`` is the network energy to bring it to another one.
    Of jobs that are due by the same time those of higher ``priority`` come first.
    """

    id: str
    submitted_at: float
    deadline_at: float | None
    least: int
    most: int
    zones: tuple[str, ...]
    home_zone: str
    cpus_per_worker: int
    suspendable: bool
    remaining: Remaining | None
    speedup: tuple[float, ...]
    safe_speedup: tuple[float, ...]
    watts: tuple[float, ...]
    restart_s: float
    running_on: str | None = None
    running_workers: int = 0
    kept_on: str | None = None
    move_j: float = 0.0
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The world at ``now``, in UTC seconds; windows are hours that begin on the hour.

    ``forecasts`` are of carbon intensity, gCO2e/kWh, ``tariffs`` of the price of a kWh, each by zone.
    """

    now: float
    sites: tuple[Site, ...]
    forecasts: tuple[Forecast, ...]
    jobs: tuple[JobView, ...]
    objective: Objective = CARBON
    tariffs: tuple[Forecast, ...] = ()

    def forecast(self, zone: str) -> Forecast | None:
        """The forecast of a zone, or None where there is none."""
        return next((f for f in self.forecasts if f.zone == zone), None)

    def site(self, name: str) -> Site | None:
        """The site of that name, or None."""
        return next((s for s in self.sites if s.name == name), None)

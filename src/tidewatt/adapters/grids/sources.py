"""Chooses a grid over the network by its name."""

from collections.abc import Callable, Mapping

from tidewatt.errors import UsageError
from tidewatt.ports import Clock, Grid

NAMES = ("electricity-maps", "watttime", "uk", "entsoe")


def named(
    name: str,
    *,
    environment: Mapping[str, str],
    clock: Clock,
    sleep: Callable[[float], object],
    base_url: str | None = None,
) -> Grid:
    """The grid of that name.

    Args:
        name: one of ``NAMES``.
        environment: variables that hold the user's credentials.
        clock: tells the real instant.
        sleep: waits so many real seconds between tries.
        base_url: another address than the documented one, for a proxy or a test.

    Raises:
        UsageError: the name is unknown, a variable is unset, or httpx is not installed.
    """
    if name not in NAMES:
        raise UsageError(f"grid {name!r}", f"one of {', '.join(NAMES)}", "choose one of them")
    try:
        from tidewatt.adapters.grids import (  # noqa: PLC0415 - httpx is an extra, and slow to load
            carbon_intensity_uk,
            electricity_maps,
            entsoe,
            http,
            watttime,
        )
    except ModuleNotFoundError as error:
        raise UsageError(
            f"no {error.name}", f"httpx, for grid {name!r}", "pip install 'tidewatt[grids]'"
        ) from error

    def source(title: str, url: str, *variables: str) -> http.HttpSource:
        return http.HttpSource(
            name=title,
            base_url=base_url or url,
            clock=clock,
            sleep=sleep,
            variables=" and ".join(variables),
        )

    if name == "uk":
        uk = carbon_intensity_uk
        return uk.CarbonIntensityGrid(source(uk.NAME, uk.BASE_URL), clock)
    if name == "electricity-maps":
        maps = electricity_maps
        token = http.credential(environment, maps.TOKEN, maps.NAME)
        return maps.ElectricityMapsGrid(source(maps.NAME, maps.BASE_URL, maps.TOKEN), token, clock)
    if name == "entsoe":
        token = http.credential(environment, entsoe.TOKEN, entsoe.NAME)
        return entsoe.EntsoeGrid(source(entsoe.NAME, entsoe.BASE_URL, entsoe.TOKEN), token, clock)
    user = http.credential(environment, watttime.USER, watttime.NAME)
    password = http.credential(environment, watttime.PASSWORD, watttime.NAME)
    api = source(watttime.NAME, watttime.BASE_URL, watttime.USER, watttime.PASSWORD)
    return watttime.WattTimeGrid(api, user, password, clock)

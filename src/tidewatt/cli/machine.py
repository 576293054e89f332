"""The commands about the place: grid and doctor."""

from typing import Annotated

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(epilog="Example:  [bold]tidewatt grid DE --forecast 24h[/bold]")(grid)
    app.command(epilog="Example:  [bold]tidewatt doctor[/bold]")(doctor)


def grid(
    zone: Annotated[
        str | None, typer.Argument(metavar="[ZONE]", help="A grid zone.", show_default="lists all zones")
    ] = None,
    *,
    forecast: Annotated[
        str, typer.Option(metavar="TIME", help="How far to look ahead: 24h, '2 days'.")
    ] = "48h",
    carbon: options.Carbon = None,
    start: options.Start = None,
    json: options.Json = False,
) -> None:
    """Draw the carbon intensity of a zone, the last day and the forecast; without a zone, list the zones."""
    from tidewatt.cli import zones  # noqa: PLC0415 - keeps `--help` quick

    if zone is None:
        zones.list_zones(carbon, json=json)
    else:
        zones.show_zone(zone, horizon=forecast, carbon=carbon, start=start, json=json)


def doctor(
    *,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure what this machine draws at rest and at full load.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to measure each of the two.")
    ] = 10.0,
    idle_watts: Annotated[
        float | None,
        typer.Option(metavar="WATTS", help="What a wall meter shows at rest, where there is no counter."),
    ] = None,
    busy_watts: Annotated[
        float | None, typer.Option(metavar="WATTS", help="What it shows with all processors busy.")
    ] = None,
    json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Say what this machine has: Python, torch, engines, meters, store, and whether a supervisor runs."""
    from tidewatt.cli import health  # noqa: PLC0415 - keeps `--help` quick

    if calibrate or idle_watts is not None or busy_watts is not None:
        health.calibrate(home, seconds, idle_watts, busy_watts, asked=calibrate)
    health.show_health(home, json=json)

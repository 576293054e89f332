"""The commands that try things out on the past: simulate and backtest."""

from pathlib import Path
from typing import Annotated

import typer

from tidewatt.cli import options


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        epilog="Example:  [bold]tidewatt simulate --jobs trace.csv --zone DE --start 2022-06-01[/bold]"
    )(simulate)
    app.command(epilog="Example:  [bold]tidewatt backtest --zone DE --carbon 2022.parquet[/bold]")(backtest)


def simulate(  # noqa: PLR0913 - typer wants every option in the signature
    *,
    jobs: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Jobs, a row each: arrival_s, arrival_h or submitted_at; length_s or length_h; if known, "
            "cpus, workers, deadline_s or deadline_h, zones. Parquet or CSV.",
        ),
    ],
    zone: options.Zone = None,
    carbon: options.Carbon = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Prices of electricity by the hour: zone, datetime_utc, usd_mwh. Parquet or CSV.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When the trace begins: 2022-06-01T14:00.", show_default="as the trace says"
        ),
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="A,B,C", help="Policies by name, or all of them.")
    ] = "run-now,suspend-resume,cheapest-windows",
    forecast: Annotated[
        str, typer.Option(metavar="NAME", help="hourly, persistence, boosting, blend, or perfect.")
    ] = "hourly",
    objective: Annotated[
        str, typer.Option(metavar="AIM", help="carbon, cost, energy, time, or money:PRICE of a tonne.")
    ] = "carbon",
    slack: Annotated[
        str, typer.Option(metavar="TIME", help="Time on top of its length, for jobs without a deadline.")
    ] = "24h",
    cpus: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processors in each zone.", show_default="enough for all"),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Most workers, for jobs that do not say.")
    ] = 1,
    scaling: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="N workers are N^X times as fast as one.")
    ] = 0.9,
    startup: Annotated[str, typer.Option(metavar="TIME", help="From a start to its first step.")] = "30s",
    checkpoint: Annotated[str, typer.Option(metavar="TIME", help="To save and leave.")] = "10s",
    state: Annotated[
        str, typer.Option(metavar="SIZE", help="What a job takes along when it goes on in another zone.")
    ] = "1 GB",
    mean_life: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Attempts die by chance after so long in the mean.", show_default="never"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of that chance.")] = 0,
    watts: Annotated[float, typer.Option(min=0, metavar="W", help="What a busy processor draws.")] = 3.5,
    pue: Annotated[float, typer.Option(min=1, metavar="X", help="Facility over machine energy.")] = 1.56,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write a report in HTML there.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Play a trace of jobs by several policies, with the loop that runs them live, and compare what comes."""
    from tidewatt.cli import simulation  # noqa: PLC0415 - keeps `--help` quick

    simulation.simulate(
        simulation.Asked(
            jobs=jobs,
            zones=tuple(zone or ()),
            carbon=carbon,
            prices=prices,
            start=start,
            policies=policy,
            forecast=forecast,
            objective=objective,
            slack=slack,
            cpus=cpus,
            workers=workers,
            scaling=scaling,
            startup=startup,
            checkpoint=checkpoint,
            state=state,
            mean_life=mean_life,
            seed=seed,
            watts=watts,
            pue=pue,
        ),
        out=out,
        json=json,
    )


def backtest(
    *,
    zone: options.OneZone = None,
    carbon: options.Carbon = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Judge the days before it.", show_default="now, or the file's end"),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, metavar="N", help="How many days.")] = 28,
    method: Annotated[
        str, typer.Option(metavar="A,B", help="Methods: hourly, persistence, boosting, blend.")
    ] = "persistence,hourly",
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a model card in Markdown there.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Judge forecasts by what deciding by them would have saved, on days of which they knew only the past."""
    from tidewatt.cli import backtesting  # noqa: PLC0415 - keeps `--help` quick

    backtesting.backtest(zone, carbon, until=until, days=days, methods=method, card=card, json=json)

"""The options that several commands share, each with its unit and its default."""

from pathlib import Path
from typing import Annotated

import typer


def job_ids(incomplete: str) -> list[str]:
    """Identifiers of jobs that begin so, for shell completion."""
    from tidewatt.sdk.client import Client  # noqa: PLC0415 - keeps `--help` quick

    with Client() as client:
        return [job_id for job_id in client.store.ids() if job_id.startswith(incomplete)]


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="State folder.",
        show_default="$TIDEWATT_HOME, else the user's state folder",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
JobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="Identifier of a job, or how only one begins.", autocompletion=job_ids
    ),
]
Target = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE[:FUNCTION] | COMMAND",
        help="A Python file with a @tw.training function, and its name where there are several; or any "
        "script or command, after -- if it has options of its own.",
    ),
]
Arg = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        metavar="K=V",
        help="An argument of the function, a Python literal or text. Repeatable.",
        show_default="the function's own",
    ),
]
Label = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="K=V",
        help="What to call the job by in reports: team=vision, cost_centre=42. Repeatable.",
        show_default="the function's own",
    ),
]
Secret = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME",
        help="A secret that a command finds in its environment; `tidewatt secrets` lists them. Repeatable.",
        show_default="none",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Done by then, from now on the grid's clock: '90 min', 6h, '2 days'.",
        show_default="the function's, else none: nothing is waited for",
    ),
]
Length = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long one worker needs, on the grid's clock: 2h.",
        show_default="the function's, else learned from a run",
    ),
]
Zone = Annotated[
    list[str] | None,
    typer.Option(
        "--zone",
        metavar="Z",
        help="Grid zone to run in, as `tidewatt grid` lists them. Repeatable, the home zone first.",
        show_default="$TIDEWATT_ZONE",
    ),
]
OneZone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="Z",
        envvar="TIDEWATT_ZONE",
        show_envvar=False,
        help="Grid zone to run in, as `tidewatt grid` lists them.",
        show_default="$TIDEWATT_ZONE",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|MIN:MAX",
        help="Worker processes, a count or a range: 2 or 1:4.",
        show_default="the function's",
    ),
]
ClockSpeed = Annotated[
    str | None,
    typer.Option(
        "--clock-speed",
        metavar="N",
        help="Grid seconds for each real second: 3600 makes an hour a second. Workers are real at any speed.",
        show_default="1, or 3600 with --start",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Replay the grid from this date or time, UTC unless it says otherwise: 2022-06-01T14:00.",
        show_default="now",
    ),
]
Carbon = Annotated[
    Path | None,
    typer.Option(
        "--carbon",
        metavar="FILE|NAME",
        help="Carbon intensity, gCO2e/kWh: a Parquet or CSV file with columns zone, datetime_utc, gco2_kwh, "
        "or a source by name: electricity-maps, entsoe, uk, watttime.",
        show_default="the offline grid model",
    ),
]

"""Measure how close plans come to the best that is possible, and print one table.

Run it: ``python -m benchmarks.planner --data FOLDER [--json FILE] [--quick] [--only papers,scaler]``
"""

import sys
from pathlib import Path

from benchmarks.planner import dacf, gaia, papers, safety, scale, scaler, simulator, waiting
from benchmarks.table import Figure, drawn, parser, write
from tidewatt.errors import UsageError

_PARTS = {
    "papers": papers.measure,
    "gaia": gaia.measure,
    "waiting": waiting.measure,
    "dacf": dacf.measure,
    "safety": safety.measure,
    "scaler": scaler.measure,
    "scale": scale.measure,
    "simulator": simulator.measure,
}


def main() -> None:
    """Measure the parts asked for and print one table."""
    arguments = parser("How close plans come to the best that is possible, beside peers.")
    arguments.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="where the real data lies"
    )
    arguments.add_argument("--only", default=",".join(_PARTS), metavar="PARTS", help="which parts, by name")
    asked = arguments.parse_args()
    try:
        figures = _measured(asked.data, asked.only.split(","), quick=asked.quick)
    except UsageError as error:
        sys.stderr.write(f"benchmarks.planner: {error}\n")
        sys.exit(2)
    sys.stdout.write(drawn(figures))
    if asked.json is not None:
        write(asked.json, figures)


def _measured(data: Path, parts: list[str], *, quick: bool) -> list[Figure]:
    for name in parts:
        if name not in _PARTS:
            raise UsageError(
                f"part {name!r}", f"some of {', '.join(_PARTS)}", "name them with commas between"
            )
    return [figure for name in parts for figure in _PARTS[name](data, quick=quick)]


if __name__ == "__main__":
    main()

"""The table that every benchmark prints, and the JSON it writes beside it."""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

_COLUMNS = ("name", "value", "unit", "peer", "source", "n", "spread")
_NUMBERS = ("value", "peer", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    ``peer`` is what the peer or the floor needed in the same run, in the same unit, or None where there
    is none; ``source`` says how the figure was measured and who the peer is. ``n`` counts measurements.
    ``spread`` is for readers of the table alone, such as ``"1.2 to 1.9"``.
    """

    name: str
    value: float
    unit: str
    source: str
    n: int
    peer: float | None = None
    spread: str = ""


def median(values: Sequence[float], digits: int = 3) -> tuple[float, str]:
    """The median of measurements, and their middle half as text.

    Raises:
        statistics.StatisticsError: there are none.
    """
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    else:
        low = high = statistics.median(values)
    return statistics.median(values), f"{low:.{digits}f} to {high:.{digits}f}"


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments that benchmarks share: ``--json FILE`` and ``--quick``."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    made.add_argument(
        "--quick", action="store_true", help="few repetitions: shows that it runs, measures little"
    )
    return made


def drawn(figures: Sequence[Figure]) -> str:
    """The table as Markdown, its columns aligned."""
    rows = [_COLUMNS, *(_cells(figure) for figure in figures)]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(_COLUMNS))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for cell, width, name in zip(row, widths, _COLUMNS, strict=True)
        )
        return f"| {' | '.join(cells)} |"

    rule = (
        f"{'-' * (w - 1)}:" if name in _NUMBERS else "-" * w for w, name in zip(widths, _COLUMNS, strict=True)
    )
    return "\n".join([line(rows[0]), f"| {' | '.join(rule)} |", *map(line, rows[1:])]) + "\n"


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write the figures as a JSON list of name, value, unit, peer, source and n.

    Raises:
        OSError: it could not be written.
    """
    rows = [{name: getattr(figure, name) for name in _COLUMNS[:-1]} for figure in figures]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")


def _cells(figure: Figure) -> tuple[str, ...]:
    peer = "" if figure.peer is None else _number(figure.peer)
    return (
        figure.name,
        _number(figure.value),
        figure.unit,
        peer,
        figure.source,
        str(figure.n),
        figure.spread,
    )


def _number(value: float) -> str:
    """Three significant digits, and all digits before the point."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"

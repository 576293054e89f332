"""Draws the tide of a grid in a terminal: hours as columns of block characters, clean ones green."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

_STEPS = "▁▂▃▄▅▆▇█"
GUTTER = 6
"""Columns at the left of a chart that hold its scale."""
_CLEAN, _MIDDLE, _DIRTY = (46, 160, 96), (202, 144, 36), (206, 76, 62)
"""Of a lightness in the middle, so that they are read on dark and on light backgrounds."""
_WORK = "#3d7fc4"


@dataclass(frozen=True, slots=True)
class Cell:
    """One column: the intensity of its time, None if it is not known, and who works in it.

    ``ahead`` says that the column lies in the future: its value is a forecast, its workers are a plan.
    """

    value: float | None
    ahead: bool
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """The cleanest and the dirtiest hour in sight, gCO2e/kWh."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale | None":
        """The scale of some values, None of none."""
        return cls(min(values), max(values)) if values else None

    def share(self, value: float) -> float:
        """Where a value lies between the cleanest hour, 0, and the dirtiest, 1."""
        if self.high <= self.low:
            return 0.5
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def colour(self, value: float) -> str:
        """From green for the cleanest hour to red for the dirtiest."""
        share = self.share(value)
        begin, end = (_CLEAN, _MIDDLE) if share < 0.5 else (_MIDDLE, _DIRTY)
        part = 2 * share if share < 0.5 else 2 * share - 1
        red, green, blue = (round(a + part * (b - a)) for a, b in zip(begin, end, strict=True))
        return f"#{red:02x}{green:02x}{blue:02x}"


def bar(value: float, scale: Scale, width: int) -> Text:
    """An intensity as a bar from zero to the dirtiest hour, in the colour of where it lies."""
    eighths = round(min(1.0, value / scale.high if scale.high else 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    text = Text.assemble((drawn, scale.colour(value)))
    text.append("─" * (width - len(drawn)), style="dim")
    return text


def chart(cells: Sequence[Cell], rows: int) -> list[Text]:
    """The tide in so many rows, the highest first, with its scale at the left."""
    scale = Scale.of([cell.value for cell in cells if cell.value is not None])
    drawn: list[Text] = []
    for row in range(rows - 1, -1, -1):
        label = ""
        if scale is not None and row in (0, rows - 1):
            label = f"{scale.low if row == 0 else scale.high:.0f}"
        line = Text.assemble((f"{label:>{GUTTER - 1}} ", "dim"))
        for cell in cells:
            line.append_text(_block(cell, row, rows, scale))
        drawn.append(line)
    return drawn


def workers_row(cells: Sequence[Cell], most: int) -> Text:
    """Who works when: past workers solid, planned ones pale."""
    line = Text.assemble((f"{'work':>{GUTTER - 1}} ", "dim"))
    for cell in cells:
        if cell.workers:
            level = _STEPS[max(1, round(cell.workers / max(1, most) * 6) - 1)]
            line.append(level, style=f"{_WORK} dim" if cell.ahead else f"bold {_WORK}")
        else:
            line.append("·" if cell.ahead else " ", style="dim")
    return line


def axis(width: int, now_column: int | None, left: str, right: str) -> Text:
    """What the ends of a chart stand for, and where now is; an end that now lies on is left out."""
    line = [" "] * width
    mark, begin, end = "", width, 0
    if now_column is not None:
        begin = min(now_column, width - 1)
        mark = "▲ now" if begin + 5 <= width else "▲"
        end = begin + len(mark)
        line[begin:end] = mark
    if len(left) + 2 <= begin:
        line[: len(left)] = left
    if end + 2 <= width - len(right) and (now_column is not None or len(left) + len(right) + 2 <= width):
        line[width - len(right) :] = right
    drawn = Text(" " * GUTTER)
    for char in "".join(line).rstrip():
        drawn.append(char, style="bold" if char == "▲" else "dim")
    return drawn


def _block(cell: Cell, row: int, rows: int, scale: Scale | None) -> Text:
    if cell.value is None or scale is None:
        return Text("?" if row == 0 else " ", style="dim")
    eighths = 1 + round(scale.share(cell.value) * (rows * 8 - 1)) - row * 8
    if eighths <= 0:
        return Text(" ")
    colour = scale.colour(cell.value)
    return Text(_STEPS[min(8, eighths) - 1], style=f"dim {colour}" if cell.ahead else colour)


def room(width: int) -> int:
    """Columns left for hours in a terminal of a width."""
    return max(12, width - GUTTER - 2)

"""The live display of a job in a terminal."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from tidewatt.cli import tide, words
from tidewatt.cli.outlook import View
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import State, Wish
from tidewatt.domain.units import HOUR_S, format_duration, format_quantity
from tidewatt.ports import Clock, Update

_ROWS = 3
_MARGIN = "  "
_BAR = 24
_WIDEST, _NARROWEST = 100, 60
_STATES = {
    State.RUNNING: "bold #2ea060",
    State.STARTING: "bold #ca9024",
    State.SUSPENDING: "bold #ca9024",
    State.SUCCEEDED: "bold #2ea060",
    State.FAILED: "bold #ce4c3e",
    State.CANCELLED: "bold #ce4c3e",
}
_SPIN = "◜◝◞◟"
_MOST_AHEAD_S = 1.1 * HOUR_S
"""The shown clock waits there for news, so that it does not run on when nobody is at work."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The newest that was heard of a job: an update, what was known of its hours, and when it came in."""

    update: Update
    view: View
    wall: float


class Panel:
    """Renders a job as it stands at the time of rendering: the clock goes on between updates."""

    def __init__(self, job: Job, clock: Clock) -> None:
        self._job = job
        self._clock = clock
        self._speed = job.submission.world.speed
        self.moment: Moment | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The display in the width that there is."""
        width = min(options.max_width, _WIDEST)
        yield Group(*(_cut(line, width) for line in self._lines(width)))

    def now(self, moment: Moment) -> float:
        """The instant of the world, carried on from the newest update."""
        if moment.update.state in {State.SUCCEEDED, State.FAILED, State.CANCELLED}:
            return moment.update.at
        since = max(0.0, self._clock.wall() - moment.wall) * self._speed
        return moment.update.at + min(since, _MOST_AHEAD_S)

    def _lines(self, width: int) -> list[Text]:
        head = Text.assemble(_MARGIN, (self._job.id, "bold"))
        arguments = ", ".join(f"{k}={v}" for k, v in self._job.submission.arguments.items())
        head.append(f"   {self._job.function.name}({words.printable(arguments)})", style="dim")
        moment = self.moment
        if moment is None:
            return [head, Text(f"{_MARGIN}{self._spinner()} waiting for the first news", style="dim")]
        now = self.now(moment)
        cells = moment.view.cells(now, tide.room(width))
        edge = max(_NARROWEST, tide.GUTTER + len(cells))
        return [
            Text(),
            head,
            self._when(now, edge),
            self._intensity(moment),
            Text(),
            *self._tide(cells, moment.view),
            Text(),
            self._state(moment.update),
            self._progress(moment.update, edge),
            self._spent(moment.update),
            *self._doubts(moment),
        ]

    def _when(self, now: float, edge: int) -> Text:
        deadline_at = self._job.submission.deadline_at
        left = Text.assemble(_MARGIN, (words.instant(now), "bold"))
        if deadline_at is None:
            right = ("no deadline", "dim")
        elif now <= deadline_at:
            right = (f"deadline in {format_duration(60 * round((deadline_at - now) / 60))}", "")
        else:
            right = (f"deadline passed {format_duration(now - deadline_at)} ago", "#ce4c3e")
        return Text.assemble(left, " " * max(3, edge - left.cell_len - len(right[0])), right)

    def _intensity(self, moment: Moment) -> Text:
        value, scale = moment.update.intensity, moment.view.scale
        line = Text(_MARGIN)
        if value is None or scale is None:
            line.append(f"intensity of {moment.update.zone} {words.NOT_KNOWN}", style="#ca9024")
        else:
            line.append_text(tide.bar(value, scale, _BAR))
            line.append(f"  {value:.0f} {words.UNIT}", style=f"bold {scale.colour(value)}")
        line.append(f"   {moment.update.zone}, {moment.view.source}", style="dim")
        return line

    def _tide(self, cells: list[tide.Cell], view: View) -> list[Text]:
        current = max((i for i, cell in enumerate(cells) if not cell.ahead), default=0)
        deadline_at = self._job.submission.deadline_at
        right = words.hour(view.end_at) if deadline_at is None else f"deadline {words.hour(deadline_at)}"
        return [
            *tide.chart(cells, _ROWS),
            tide.workers_row(cells, self._job.function.workers.most),
            tide.axis(len(cells), current, words.hour(view.start_at), right),
        ]

    def _state(self, update: Update) -> Text:
        sign, said = words.standing(update.state, Wish.RUN, update.workers, update.note)
        if update.state in {State.STARTING, State.SUSPENDING}:
            sign = self._spinner()
        line = Text.assemble(_MARGIN, (f"{sign} {said}", _STATES.get(update.state, "bold")))
        if update.note:
            line.append(f"   {update.note}", style="dim")
        return line

    def _progress(self, update: Update, edge: int) -> Text:
        line = Text(_MARGIN)
        if update.total:
            told = words.steps(update.step, update.total)
            if update.loss is not None:
                told += f"   loss {update.loss:.4g}"
            room = max(10, edge - len(told) - 4)
            full = round(room * min(1.0, update.step / update.total))
            line.append("━" * full, style="#3d7fc4")
            line.append("━" * (room - full), style="dim")
            line.append(f"  {told}")
        else:
            line.append(words.steps(update.step, None) or "no step reported yet", style="dim")
        return line

    def _spent(self, update: Update) -> Text:
        line = Text(_MARGIN)
        line.append(f"{format_quantity(update.energy_j, 'J')}   {words.grams(update.carbon_g)}", style="bold")
        line.append(" so far", style="dim")
        if self._job.submission.world.replayed:
            line.append(f"   {pace(self._speed)}", style="dim")
        return line

    def _doubts(self, moment: Moment) -> list[Text]:
        """What takes a line of its own: a forecast that lacks something, and what budgets have to say."""
        coming, said = moment.view.coming, list[str]()
        if coming is None:
            said.append(f"no forecast for {moment.view.zone}: nothing to make one from")
        elif coming.degraded:
            said.append(f"forecast is less certain: {coming.degraded}")
        if moment.update.budget:
            said.append(moment.update.budget)
        return [Text(f"{_MARGIN}! {text}", style="#ca9024") for text in said]

    def _spinner(self) -> str:
        return _SPIN[int(self._clock.wall() * 4) % len(_SPIN)]


def pace(speed: float) -> str:
    """What a second of a replay stands for: ``"a replay, 1 s = 1 grid hour"``."""
    if speed == HOUR_S:
        return "a replay, 1 s is 1 grid hour"
    return f"a replay, 1 s is {format_duration(speed)} of grid"


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line

"""Draws the hours of a job as SVG: the tide of the grid, the workers below it, and the run not taken."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby

from tidewatt.accounting.counterfactual import Counterfactual
from tidewatt.domain.units import HOUR_S
from tidewatt.report import curve, words
from tidewatt.report.contents import Hour, Receipt
from tidewatt.report.figures import instant

_LEFT, _RIGHT, _TOP = 46.0, 14.0, 30.0
_LETTER = 8.0
"""Room for one letter of the chart's text."""
_TIDE, _EMPTY, _LANE, _THEN, _GAP, _AXIS = 210.0, 40.0, 62.0, 22.0, 36.0, 40.0
_STEPS_H = (1, 2, 3, 4, 6, 12, 24, 48, 96, 168, 336, 720)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where things lie: instants to x, intensities to y, and the tops of the lanes."""

    key: str
    width: float
    start_at: float
    end_at: float
    top_value: float

    tide: float

    @property
    def lane_top(self) -> float:
        return _TOP + self.tide + _GAP

    @property
    def then_top(self) -> float:
        return self.lane_top + _LANE + _GAP

    @property
    def bottom(self) -> float:
        return self.then_top + _THEN + 8

    def x(self, at: float) -> float:
        inside = self.width - _LEFT - _RIGHT
        share = (at - self.start_at) / (self.end_at - self.start_at)
        return round(_LEFT + inside * min(1.0, max(0.0, share)), 2)

    def y(self, value: float) -> float:
        return round(_TOP + self.tide * (1 - value / self.top_value), 2)


def render(receipt: Receipt, width: int, key: str) -> str:
    """The chart as one SVG element that scales with its place.

    Args:
        receipt: What to draw.
        width: Units across, at about one for each pixel; text keeps its size, so a narrow screen needs a
            narrow chart.
        key: The element's class beside ``chart``; it keeps ids apart where a page holds two charts.
    """
    frame = _frame(receipt, width, key)
    height = frame.bottom + _AXIS
    labels = f'role="img" aria-labelledby="{key}-title {key}-desc"'
    parts = [
        f'<svg class="chart {key}" viewBox="0 0 {width} {height:g}" {labels} xmlns="http://www.w3.org/2000/svg">',
        f'<title id="{key}-title">Carbon intensity of the grid, and when the job ran</title>',
        f'<desc id="{key}-desc">{escape(describe(receipt))}</desc>',
        *_tide(receipt, frame),
        *_lane(receipt, frame),
        *_then(receipt, frame),
        *_marks(receipt, frame),
        *_axis(frame),
        "</svg>",
    ]
    return "\n".join(parts)


def describe(receipt: Receipt) -> str:
    """The chart in words, for those who do not see it."""
    home = _home(receipt)
    if home:
        low, high = min(home, key=lambda h: h.value), max(home, key=lambda h: h.value)
        grid = (
            f"Intensity in {receipt.place.home_zone} ({words.intensity_label(receipt)}) between "
            f"{low.value:.0f} gCO₂e/kWh at {instant(low.start_at)} and {high.value:.0f} at "
            f"{instant(high.start_at)}."
        )
    else:
        grid = "No carbon intensity is known."
    ran = "; ".join(
        f"{s.workers} worker{'' if s.workers == 1 else 's'} in {s.zone} from {instant(s.start_at)} to "
        f"{instant(s.end_at)}"
        for s in receipt.running.segments
    )
    other = receipt.counterfactual
    then = f" Compared with {words.comparison(other)}." if isinstance(other, Counterfactual) else ""
    return f"{grid} The job ran with {ran}.{then}" if ran else f"{grid} The job has not run.{then}"


def _home(receipt: Receipt) -> list[Hour]:
    return [hour for hour in receipt.hours if hour.zone == receipt.place.home_zone]


def _frame(receipt: Receipt, width: float, key: str) -> _Frame:
    start_at, until_at = receipt.identity.submitted_at, receipt.until_at
    values = [h.high for h in receipt.hours] or [1.0]
    return _Frame(
        key=key,
        width=width,
        start_at=start_at,
        end_at=until_at + 0.015 * (until_at - start_at),
        top_value=max(*values, 1.0) * 1.04,
        tide=_TIDE if _home(receipt) else _EMPTY,
    )


def _tide(receipt: Receipt, frame: _Frame) -> Iterator[str]:
    home = _home(receipt)
    if not home:
        middle = (_LEFT + frame.width - _RIGHT) / 2
        yield _text(middle, _TOP + frame.tide / 2, "no carbon intensity is known for these hours", "middle")
        return
    yield from _scale(receipt, frame)
    mean = sum(h.value for h in home) / len(home)
    runs = _unbroken(home)
    shape = " ".join(curve.area(_points(run, "value", frame), frame.y(0)) for run in runs)
    yield f'<clipPath id="{frame.key}-tide"><path d="{shape}"/></clipPath>'
    yield f'<g clip-path="url(#{frame.key}-tide)" shape-rendering="crispEdges">'
    for hour in home:
        tint = "clean" if hour.value <= mean else "dirty"
        until = hour.start_at + HOUR_S
        yield _rect(frame, hour.start_at, until, _TOP, frame.tide, tint)
        for segment in receipt.running.segments:
            begin, end = max(hour.start_at, segment.start_at), min(until, segment.end_at)
            if begin < end:
                yield _rect(frame, begin, end, _TOP, frame.tide, f"{tint} at-work")
    yield "</g>"
    for run in runs:
        both = curve.band(_points(run, "high", frame), _points(run, "low", frame))
        yield f'<path class="band" d="{both}"/>'
        yield f'<path class="tide" d="{curve.line(_points(run, "value", frame))}"/>'
    for zone, hours in groupby(receipt.hours, key=lambda h: h.zone):
        if zone != receipt.place.home_zone:
            yield from _other_zone(zone, list(hours), frame)


def _other_zone(zone: str, hours: list[Hour], frame: _Frame) -> Iterator[str]:
    for run in _unbroken(hours):
        yield f'<path class="tide other" d="{curve.line(_points(run, "value", frame))}"/>'
    if hours:
        last = hours[-1]
        yield _text(frame.x(last.start_at + HOUR_S), frame.y(last.value) - 5, zone, "end")


def _scale(receipt: Receipt, frame: _Frame) -> Iterator[str]:
    step = next(
        s for s in (1, 2, 5, 10, 25, 50, 100, 200, 250, 500, 1000, 10**9) if s * 4.5 > frame.top_value
    )
    for value in range(0, int(frame.top_value) + 1, step):
        y = frame.y(value)
        yield f'<path class="rule" d="M{_LEFT:g},{y} H{frame.width - _RIGHT:g}"/>'
        yield _text(_LEFT - 8, y + 4, str(value), "end")
    yield _text(0, 14, _title(receipt), "strong")


def _title(receipt: Receipt) -> str:
    unit = "gCO₂e/kWh, model" if receipt.place.modelled else "gCO₂e/kWh"
    return f"{receipt.place.home_zone}, {unit}"


def _unbroken(hours: Sequence[Hour]) -> list[list[Hour]]:
    runs: list[list[Hour]] = []
    for hour in hours:
        if runs and hour.start_at - runs[-1][-1].start_at <= HOUR_S:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


def _points(run: Sequence[Hour], bound: str, frame: _Frame) -> list[curve.Point]:
    values: list[float] = [getattr(hour, bound) for hour in run]
    inner = [
        (frame.x(h.start_at + HOUR_S / 2), frame.y(v))
        for h, v in zip(run, values, strict=True)
        if frame.start_at < h.start_at + HOUR_S / 2 < frame.end_at
    ]
    first = (frame.x(run[0].start_at), frame.y(values[0]))
    last = (frame.x(run[-1].start_at + HOUR_S), frame.y(values[-1]))
    return [first, *inner, last]


def _lane(receipt: Receipt, frame: _Frame) -> Iterator[str]:
    top, floor = frame.lane_top, frame.lane_top + _LANE
    yield _text(0, top - 9, "this job, workers", "strong")
    yield f'<path class="rule" d="M{_LEFT:g},{floor:g} H{frame.width - _RIGHT:g}"/>'
    most = max((s.workers for s in receipt.running.segments), default=1)
    zones = {s.zone for s in receipt.running.segments}
    for segment in receipt.running.segments:
        height = _LANE * segment.workers / most
        away = " away" if segment.zone != receipt.place.home_zone else ""
        yield _rect(
            frame, segment.start_at, segment.end_at, floor - height, height, f"workers{away}", least=1.5
        )
        x0, x1 = frame.x(segment.start_at), frame.x(segment.end_at)
        label = (
            f"{segment.workers}"
            if zones <= {receipt.place.home_zone}
            else f"{segment.workers} {segment.zone}"
        )
        if x1 - x0 > 9 * len(label) and height >= 16:
            yield _text((x0 + x1) / 2, floor - height + 13, label, "middle on-bar")
        elif x1 - x0 > 5 * len(label):
            yield _text((x0 + x1) / 2, floor - height - 4, label, "middle")


def _then(receipt: Receipt, frame: _Frame) -> Iterator[str]:
    other = receipt.counterfactual
    if not isinstance(other, Counterfactual):
        return
    count = f"{other.workers} worker{'' if other.workers == 1 else 's'}"
    yield _text(0, frame.then_top - 9, f"compared with: started at once, {count} in {other.zone}", "strong")
    yield (
        f'<pattern id="{frame.key}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M0,0 V6"/></pattern>'
    )
    x0, x1 = frame.x(other.start_at), frame.x(other.end_at)
    yield (
        f'<rect class="then" x="{x0}" y="{frame.then_top:g}" width="{max(1.5, x1 - x0):.2f}" '
        f'height="{_THEN:g}" rx="3" fill="url(#{frame.key}-hatch)"/>'
    )


def _marks(receipt: Receipt, frame: _Frame) -> Iterator[str]:
    deadline = receipt.deadline
    if deadline is not None and deadline.at <= frame.end_at:
        x = frame.x(deadline.at)
        yield f'<path class="deadline" d="M{x},{_TOP - 6:g} V{frame.bottom:g}"/>'
        if x > _LETTER * (len(_title(receipt)) + len("deadline")):
            yield _text(x + 4, _TOP - 12, "deadline", "end")
        else:  # the title is there
            yield _text(x + 5, _TOP + 10, "deadline", "start")
    ended_at = receipt.identity.ended_at
    if ended_at is not None:
        x, floor = frame.x(ended_at), frame.lane_top + _LANE
        yield f'<path class="ended" d="M{x},{_TOP:g} V{floor:g}"/>'
        if frame.width - x > 70:
            yield _text(x + 5, floor - 5, "ended", "start")


def _axis(frame: _Frame) -> Iterator[str]:
    room = (frame.width - _LEFT - _RIGHT) / 58
    hours = (frame.end_at - frame.start_at) / HOUR_S
    step_s = next((s for s in _STEPS_H if hours / s <= room), _STEPS_H[-1]) * HOUR_S
    at = -(-frame.start_at // step_s) * step_s
    day = ""
    while at < frame.end_at:
        moment = datetime.fromtimestamp(at, UTC)
        x = frame.x(at)
        yield f'<path class="rule" d="M{x},{frame.bottom:g} v5"/>'
        yield _text(x, frame.bottom + 18, moment.strftime("%H:%M"), "middle")
        if moment.strftime("%d %b") != day:
            day = moment.strftime("%d %b")
            yield _text(x, frame.bottom + 33, day.lstrip("0"), "middle strong")
        at += step_s


def _rect(
    frame: _Frame, begin: float, end: float, top: float, height: float, css: str, *, least: float = 0.0
) -> str:
    x0, x1 = frame.x(begin), frame.x(end)
    size = f'width="{max(least, x1 - x0):.2f}" height="{height:.1f}"'
    return f'<rect class="{css}" x="{x0}" y="{top:.1f}" {size}/>'


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'

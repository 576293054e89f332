"""Writes a comparison of policies as one HTML page that opens offline."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files

from tidewatt.domain.units import format_duration, format_quantity
from tidewatt.report.figures import amount, percent
from tidewatt.report.html import WAVE
from tidewatt.simulation.compare import BASE, Comparison
from tidewatt.simulation.outcome import Outcome

_LEFT, _RIGHT, _TOP = 46, 14, 26
_TIDE, _GAP, _LANE = 130, 34, 54
COLUMNS = (
    "CO₂e",
    "Embodied",
    "Saved",
    "Above optimum",
    "Energy",
    "Cost",
    "Mean wait",
    "Starts",
    "Missed",
    "Refused",
)
"""What is told of each policy, in the order of ``cells``."""
_TICKS_H = (0, 6, 12, 18, 24)


def render(found: Comparison, setting: Mapping[str, str], intensity: Sequence[float]) -> str:
    """The page; whatever came from a user is escaped.

    Args:
        found: what came of each policy.
        setting: what was simulated, in words.
        intensity: mean of the grid in each hour of the day, gCO2e/kWh.
    """
    css = files("tidewatt.report").joinpath("receipt.css").read_text(encoding="utf-8")
    parts = (_head(found, setting), _bars(found), _day(found, intensity), _table(found), _setting(setting))
    body = "\n".join("\n".join(part) for part in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Simulation: {escape(setting.get('Jobs', ''))}</title>\n<style>\n{css}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n<footer>Simulated by Tidewatt with the loop and the policies that run jobs "
        "live, in virtual time. The same command with the same files gives the same figures.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _head(found: Comparison, setting: Mapping[str, str]) -> Iterator[str]:
    best = min(found.outcomes, key=lambda outcome: outcome.carbon_g)
    saved, above = found.saved(best), found.above(best)
    yield f'<header><div class="top">{WAVE}tidewatt<span class="kind">Simulation</span></div>'
    yield f'<div class="who"><h1>{escape(setting.get("Jobs", ""))}</h1>'
    yield f'<p class="state">{escape(setting.get("Grid", ""))}</p></div>'
    if saved is None or best.policy == BASE:
        verdict, tone = f"{escape(best.policy)} needs least", "level"
    else:
        verdict, tone = f"{percent(saved)} less CO₂e than running now", "less"
    yield f'<p class="verdict {tone}">{verdict}</p>'
    beside = f"By {best.policy}: {amount(best.carbon_g, 'gCO2e')}"
    if above is not None:
        beside += f", {percent(above)} above what anybody could reach who knew every hour beforehand"
    yield f'<p class="beside">{escape(beside)}.</p></header>'


def _bars(found: Comparison) -> Iterator[str]:
    most = max(outcome.carbon_g for outcome in found.outcomes) or 1.0
    yield "<section><h2>Carbon</h2>"
    yield '<p class="lead">Operational and embodied, of all jobs; the dashed line is what none can beat.</p>'
    width, row = 976, 40
    scale = (width - 330) / most
    height = row * len(found.outcomes) + 16
    yield (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="Carbon by policy" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    for place, outcome in enumerate(found.outcomes):
        y, long = place * row + 8, outcome.carbon_g * scale
        saved = found.saved(outcome)
        note = "" if saved is None or outcome.policy == BASE else f", {percent(saved)} less"
        kind = "dirty" if outcome.policy == BASE else "clean"
        yield f'<text class="strong end" x="150" y="{y + 18}">{escape(outcome.policy)}</text>'
        yield f'<rect class="{kind} at-work" x="162" y="{y}" width="{long + 1:.1f}" height="26" rx="4"/>'
        label = f"{amount(outcome.carbon_g, 'gCO2e')}{note}"
        yield f'<text x="{170 + long:.1f}" y="{y + 18}">{escape(label)}</text>'
    if found.least_g > 0:
        x = 162 + found.least_g * scale
        yield f'<path class="deadline" d="M{x:.1f},0 V{height}"/>'
    yield "</svg></section>"


def _day(found: Comparison, intensity: Sequence[float]) -> Iterator[str]:
    """When each policy ran, beside the grid, by hour of day."""
    width = 976
    hour_w = (width - _LEFT - _RIGHT - 110) / 24
    left = _LEFT + 110
    top = max(intensity) * 1.08 or 1.0
    height = _TOP + _TIDE + len(found.outcomes) * (_GAP + _LANE) + 40
    most = max(max(outcome.by_hour_of_day) for outcome in found.outcomes) or 1.0
    yield "<section><h2>By hour of day</h2>"
    yield '<p class="lead">Mean intensity of the grid, and energy drawn in each hour, UTC.</p>'
    yield (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Energy by hour of day beside the intensity of the grid" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    mean = sum(intensity) / len(intensity)
    for hour, value in enumerate(intensity):
        tall = _TIDE * value / top
        kind = "clean" if value <= mean else "dirty"
        x = left + hour * hour_w
        yield (
            f'<rect class="{kind} at-work" x="{x + 1:.1f}" y="{_TOP + _TIDE - tall:.1f}" '
            f'width="{hour_w - 2:.1f}" height="{tall:.1f}"/>'
        )
    yield f'<text class="strong end" x="{left - 14}" y="{_TOP + 12}">gCO₂e/kWh</text>'
    yield f'<text class="end" x="{left - 14}" y="{_TOP + _TIDE - _TIDE * max(intensity) / top + 30:.1f}">'
    yield f"{min(intensity):.0f} to {max(intensity):.0f}</text>"
    for place, outcome in enumerate(found.outcomes):
        base = _TOP + _TIDE + (place + 1) * (_GAP + _LANE)
        yield f'<text class="strong end" x="{left - 14}" y="{base - 8}">{escape(outcome.policy)}</text>'
        yield f'<path class="rule" d="M{left},{base} H{width - _RIGHT}"/>'
        for hour, energy in enumerate(outcome.by_hour_of_day):
            tall = _LANE * energy / most
            x = left + hour * hour_w
            yield (
                f'<rect class="workers" x="{x + 1:.1f}" y="{base - tall:.1f}" width="{hour_w - 2:.1f}" '
                f'height="{tall:.1f}"/>'
            )
    for hour in _TICKS_H:
        yield f'<text class="middle" x="{left + hour * hour_w:.1f}" y="{height - 14}">{hour:02}:00</text>'
    yield "</svg></section>"


def _table(found: Comparison) -> Iterator[str]:
    yield '<section><h2>What came of each policy</h2><div class="scroll"><table><thead><tr>'
    yield "<th>Policy</th>" + "".join(f'<th class="number">{name}</th>' for name in COLUMNS)
    yield "</tr></thead><tbody>"
    for outcome in found.outcomes:
        row = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells(found, outcome))
        yield f"<tr><th>{escape(outcome.policy)}</th>{row}</tr>"
    yield "</tbody></table></div></section>"


def cells(found: Comparison, outcome: Outcome) -> tuple[str, ...]:
    """What came of one policy, a text for each of ``COLUMNS``."""
    saved, above = found.saved(outcome), found.above(outcome)
    return (
        format_quantity(outcome.carbon_g, "g"),
        format_quantity(outcome.embodied_g, "g"),
        "" if saved is None else f"{100 * saved:.1f} %",
        "not known" if above is None else f"{100 * above:.1f} %",
        f"{outcome.energy_kwh:.4g} kWh",
        f"{outcome.cost:.4g} USD",
        format_duration(round(max(0.0, outcome.wait_s))),
        f"{outcome.starts:,}",
        f"{outcome.missed:,}",
        f"{outcome.refused:,}",
    )


def _setting(setting: Mapping[str, str]) -> Iterator[str]:
    yield '<section><h2>What was simulated</h2><table class="course"><tbody>'
    for name, said in setting.items():
        yield f"<tr><th>{escape(name)}</th><td>{escape(said)}</td></tr>"
    yield "</tbody></table></section>"

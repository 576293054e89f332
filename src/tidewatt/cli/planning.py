"""Shows what would become of a submission, without making it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table
from rich.text import Text

from tidewatt import wiring
from tidewatt.accounting.counterfactual import Unknown
from tidewatt.accounting.saving import Saving
from tidewatt.cli import tide, words
from tidewatt.cli.outlook import Stint, View, degradations
from tidewatt.cli.panel import pace
from tidewatt.cli.request import Wanted, parse
from tidewatt.cli.session import open_client
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.units import HOUR_S, format_duration
from tidewatt.policy.limits import Limit, Limitation, limitations
from tidewatt.report.figures import amount, percent, span
from tidewatt.sdk.client import Client
from tidewatt.sdk.expect import Course, Expectation, Stretch, expect
from tidewatt.sdk.proposal import Proposal

_ROWS = 4
_SHOWN_H = 48


def show_plan(wanted: Wanted, *, json: bool) -> None:
    """Print what would happen; refused as a run would be.

    Raises:
        Refused: it could not be done in time, or not where it is allowed to be, or a budget is used up.
    """
    request = parse(wanted)
    with _client(wanted.home) as client:
        proposal = client.propose(request.handle, request.arguments, request.options)
        client.check(proposal)
    expected = expect(proposal)
    if json:
        words.print_json(_values(proposal, expected))
    else:
        _print(proposal, expected)


@contextmanager
def _client(home: Path | None) -> Generator[Client]:
    """A client that leaves nothing behind: a state folder that is not there is not made."""
    place = wiring.Home(home.absolute()) if home is not None else wiring.Home.default()
    if place.path.exists():
        yield open_client(home)
        return
    with TemporaryDirectory(prefix="tidewatt-") as folder, Client(Path(folder)) as client:
        yield client


def _print(proposal: Proposal, expected: Expectation) -> None:
    screen, spec = words.screen(), proposal.job.function
    screen.print(Text(f"{spec.name}, if it were submitted now. Nothing runs, nothing is written.", "bold"))
    screen.print(_setting(proposal), style="dim")
    screen.print()
    for line in _tide(proposal, expected, screen.width if screen.is_terminal else 80):
        screen.print(line)
    screen.print()
    screen.print(_table(expected.planned.stretches))
    for sentence in _sentences(proposal, expected):
        screen.print(sentence)


def _setting(proposal: Proposal) -> str:
    world = proposal.world
    grid = proposal.grid.name if world.carbon_file else f"{proposal.grid.name} (MODEL, not measured)"
    clock = f" Clock: {pace(world.speed)}." if world.replayed else ""
    return f"Grid: {grid}, zone {', '.join(world.zones)}.{clock}"


def _tide(proposal: Proposal, expected: Expectation, width: int) -> list[Text]:
    home = proposal.job.submission.home_zone
    coming = proposal.snapshot.forecast(home)
    if coming is None:
        return [Text(f"No forecast for {home}: nothing to make one from.", style="#ca9024")]
    now, deadline_at = proposal.snapshot.now, proposal.job.submission.deadline_at
    start_at = coming.windows[0].start_at
    end_at = max(deadline_at or now + _SHOWN_H * HOUR_S, expected.planned.end_at)
    view = View(
        zone=home,
        start_at=start_at,
        end_at=end_at,
        past=proposal.grid.signal(home, start_at, now),
        coming=coming,
        stints=tuple(Stint(s.start_at, s.end_at, s.workers, ahead=True) for s in expected.planned.stretches),
        source=proposal.grid.name,
    )
    ahead = view.cells(now - HOUR_S, tide.room(min(width, 100)))
    cells = [replace(cell, ahead=False) for cell in ahead]  # nothing lies behind that they were paler than
    right = words.hour(end_at) if deadline_at is None else f"deadline {words.hour(end_at)}"
    return [
        *tide.chart(cells, _ROWS),
        tide.workers_row(cells, proposal.job.function.workers.most),
        tide.axis(len(cells), 0, words.hour(start_at), right),
    ]


def _table(stretches: tuple[Stretch, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("From")
    table.add_column("Until")
    table.add_column("For", justify="right")
    table.add_column("Zone")
    table.add_column("Workers", justify="right")
    table.add_column(f"{words.UNIT}", justify="right")
    table.add_column("Range (80 %)")
    for s in stretches:
        table.add_row(
            words.hour(s.start_at),
            words.hour(s.end_at),
            format_duration(60 * max(1, round((s.end_at - s.start_at) / 60))),
            s.zone,
            str(s.workers),
            words.NOT_KNOWN if s.intensity is None else f"{s.intensity.value:.0f}",
            "" if s.intensity is None else f"{s.intensity.low:.0f} to {s.intensity.high:.0f}",
        )
    return table


def _sentences(proposal: Proposal, expected: Expectation) -> list[str]:
    note = proposal.plan.note(proposal.job.id)
    lines = ["", f"Why: {note}."] if note else [""]
    if expected.now is None:
        lines.append(
            f"Not known: how long {proposal.job.function.name} takes. It would run for the rest of this hour "
            "to learn that, and be planned from then on; say --length, such as --length 2h, to plan it now."
        )
    else:
        lines.append(f"Expected: done {words.hour(expected.planned.end_at)}, {_carbon(expected.planned)}.")
        lines.append(f"Starting now: {_alternative(expected.now)}.")
        lines.append(_saved(expected.saved))
        lines.append(_limited(_limitations(proposal)))
        lines.append(
            "Note: grams are by a MODEL of busy processors and watts; the saving does not depend on it."
        )
    if proposal.job.submission.deadline_at is None:
        lines.append("There is no deadline, so nothing is waited for; --deadline 24h would let it wait.")
    lines.extend(f"Note: {said}." for said in degradations(proposal.snapshot.forecasts))
    return lines


def _carbon(course: Course) -> str:
    impact = course.priced.carbon
    if impact is None:
        return f"carbon {words.NOT_KNOWN}"
    value = impact.amount
    return f"about {amount(value.value, 'gCO2e')} (range {span(value, 'gCO2e')})"


def _alternative(course: Course) -> str:
    first = course.stretches[0]
    mean = first.intensity
    grid = f"at an intensity that is {words.NOT_KNOWN}"
    if mean is not None:
        grid = f"at {mean.value:.0f} {words.UNIT} on average ({mean.low:.0f} to {mean.high:.0f})"
    who = words.count(first.workers, "worker")
    return f"{who} in {first.zone}, done {words.hour(course.end_at)}, {grid}, {_carbon(course)}"


def _saved(saved: Saving | Unknown | None) -> str:
    if saved is None or isinstance(saved, Unknown) or saved.share is None:
        reason = f": {saved.reason}" if isinstance(saved, Unknown) else ""
        return f"Expected saving: {words.NOT_KNOWN}{reason}."
    share = saved.share
    return (
        f"Expected saving over starting now: {percent(share.value)} of operational carbon "
        f"(range {percent(share.low)} to {percent(share.high)})"
        f"{'' if share.value >= 0 else ': it would take more'}."
    )


def _limitations(proposal: Proposal) -> tuple[Limitation, ...]:
    return limitations(proposal.snapshot, proposal.job.id, proposal.plan)


_LIFTED = {
    Limit.DEADLINE: "a deadline a day later would save {} more",
    Limit.RESIDENCY: "running in any zone with a site would save {} more",
    Limit.CAPACITY: "more free processors would save {} more",
    Limit.FLAT_GRID: "the grid is flat: its hours differ by {} before the deadline",
}


def _limited(found: tuple[Limitation, ...]) -> str:
    if not found:
        return "Limited by: nothing that would change it by a hundredth."
    said = (_LIFTED[each.limit].format(percent(each.share)) for each in found)
    return f"Limited by: {'; '.join(said)}."


def _values(proposal: Proposal, expected: Expectation) -> dict[str, object]:
    job, saved = proposal.job, expected.saved
    share = saved.share if isinstance(saved, Saving) else None
    deadline_at = job.submission.deadline_at
    return {
        "function": job.function.name,
        "at": words.iso(proposal.snapshot.now),
        "deadline_at": None if deadline_at is None else words.iso(deadline_at),
        "policy": proposal.plan.policy,
        "note": proposal.plan.note(job.id),
        "grid": {"source": proposal.grid.name, "model": not proposal.world.carbon_file},
        "clock_speed": proposal.world.speed,
        "length_known": expected.now is not None,
        "planned": _course_values(expected.planned),
        "starting_now": None if expected.now is None else _course_values(expected.now),
        "expected_saving_percent": None if share is None else _estimate(share, 100.0),
        "limited_by": [
            {"limit": each.limit.value, "percent": 100.0 * each.share} for each in _limitations(proposal)
        ],
        "degraded": degradations(proposal.snapshot.forecasts),
    }


def _course_values(course: Course) -> dict[str, object]:
    impact = course.priced.carbon
    return {
        "end_at": words.iso(course.end_at),
        "operational_gco2e": None if impact is None else _estimate(impact.amount),
        "windows": [
            {
                "start_at": words.iso(s.start_at),
                "end_at": words.iso(s.end_at),
                "zone": s.zone,
                "workers": s.workers,
                "intensity_gco2e_per_kwh": None if s.intensity is None else _estimate(s.intensity),
            }
            for s in course.stretches
        ],
    }


def _estimate(value: Estimate, scale: float = 1.0) -> dict[str, float]:
    return value.bounds(scale)

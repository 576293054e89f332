"""Shows what another method of accounting would have said of jobs."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tidewatt.accounting.conditions import LATEST_METHOD
from tidewatt.accounting.factors import Impact
from tidewatt.cli import words
from tidewatt.cli.record import gather
from tidewatt.errors import UsageError
from tidewatt.report.figures import amount, percent
from tidewatt.report.restatement import Restated, restate
from tidewatt.sdk.client import Client

_NAMES = {
    "operational_gco2e": "Carbon",
    "embodied_gco2e": "Embodied carbon",
    "water_l": "Water",
    "cost_usd": "Electricity",
}


def show_restatement(client: Client, names: Sequence[str], method: int, *, json: bool) -> None:
    """Work out jobs, or all that have ended, by another method, and print what differs.

    Raises:
        UsageError: there is no such method, or no job to work out.
    """
    jobs = [client.job(name) for name in names] or [j for j in client.store.jobs() if j.ended_at is not None]
    if not jobs:
        raise UsageError("no job that has ended", "a job to restate", "run one, or name one that is open")
    found = [figure for job in jobs for figure in restate(gather(client, job), method)]
    if json:
        words.print_json({"method": method, "present": LATEST_METHOD, "figures": [_values(f) for f in found]})
        return
    changed = [figure for figure in found if figure.change != 0]
    screen = words.screen()
    if changed:
        screen.print(_table(changed, method))
        screen.print()
    same = len(found) - len(changed)
    screen.print(
        f"{words.count(len(jobs), 'job')} by method {method} in place of {LATEST_METHOD}: "
        f"{words.count(len(changed), 'figure')} changed, {same} the same."
    )


def _table(changed: Sequence[Restated], method: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Job", "Figure"):
        table.add_column(name)
    for name in (f"Method {LATEST_METHOD}", f"Method {method}", "Change"):
        table.add_column(name, justify="right")
    table.add_column("Because of")
    for figure in changed:
        share = _share(figure)
        table.add_row(
            Text(figure.job_id),
            _NAMES[figure.name],
            _told(figure.now),
            _told(figure.then),
            words.NOT_KNOWN if share is None else f"{'+' if share > 0 else ''}{percent(share)}",
            Text(_because(figure), "dim"),
        )
    return table


def _share(figure: Restated) -> float | None:
    if figure.change is None or figure.now is None or figure.now.amount.value == 0:
        return None
    return figure.change / figure.now.amount.value


def _told(impact: Impact | None) -> str:
    return words.NOT_KNOWN if impact is None else amount(impact.amount.value, impact.unit)


def _because(figure: Restated) -> str:
    """What only one of the two was worked out with."""
    now = set(figure.now.factors) if figure.now else set[str]()
    then = set(figure.then.factors) if figure.then else set[str]()
    return ", ".join(sorted(now - then)) or ", ".join(sorted(then - now))


def _values(figure: Restated) -> dict[str, object]:
    return {
        "job": figure.job_id,
        "figure": figure.name,
        "now": _impact(figure.now),
        "then": _impact(figure.then),
        "change": figure.change,
    }


def _impact(impact: Impact | None) -> dict[str, object] | None:
    if impact is None:
        return None
    return {**impact.amount.bounds(), "factors": list(impact.factors), "method": impact.method}

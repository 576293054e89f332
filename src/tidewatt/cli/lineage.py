"""Tells what all the runs behind a model took: failed, cancelled and repeated ones included."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tidewatt.cli import words
from tidewatt.cli.month import conditions_by_job
from tidewatt.domain.job import Job, done_before
from tidewatt.domain.units import MICROJOULES, format_quantity
from tidewatt.report.period import Charge, charges
from tidewatt.sdk.client import Client

_SHORT = 7


def show_lineage(client: Client, name: str, *, json: bool) -> None:
    """Print every job of the same function and file as one, and how much more all took than it did."""
    job = client.job(name)
    jobs = [each for each in client.store.jobs() if each.lineage == job.lineage]
    taken = _taken(client, jobs)
    if json:
        words.print_json(_values(job, jobs, taken))
        return
    screen = words.screen()
    screen.print(_table(job, jobs, taken))
    screen.print()
    whole, own = sum(c.energy_uj for c in taken.values()), _energy_uj(taken, job)
    text = f"All {words.count(len(jobs), 'job')} took {format_quantity(whole / MICROJOULES, 'J')}"
    screen.print(f"{text}, {whole / own:.2f} times what {job.id} took alone." if own else f"{text}.")
    if None in (carbon := [c.operational for c in taken.values()]) or not carbon:
        screen.print(f"Carbon: {words.NOT_KNOWN} for some of them.")
    else:
        grams = sum(impact.amount.value for impact in carbon if impact is not None)
        screen.print(f"Carbon: {format_quantity(grams, 'g')} CO₂e in all.")


def _taken(client: Client, jobs: Sequence[Job]) -> dict[str, Charge]:
    """What each job received; those that never ran are left out."""
    named = {job.id: job for job in jobs}
    balances = [balance for job in jobs for balance in client.store.balances(job.id)]
    found = charges(balances, named, conditions_by_job(client, named, balances))
    return {charge.resource: charge for charge in found if not charge.shared}


def _energy_uj(taken: dict[str, Charge], job: Job) -> int:
    return taken[job.id].energy_uj if job.id in taken else 0


def _table(asked: Job, jobs: Sequence[Job], taken: dict[str, Charge]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Job", "State", "Code", "Arguments"):
        table.add_column(name)
    table.add_column("Energy", justify="right")
    table.add_column("Again")
    for job in jobs:
        submission = job.submission
        arguments = " ".join(f"{k}={v}" for k, v in submission.arguments.items())
        energy = format_quantity(_energy_uj(taken, job) / MICROJOULES, "J") if job.id in taken else ""
        repeats = done_before(job, jobs)
        cells = (str(job.state), submission.payload.sha256[:_SHORT], arguments, energy)
        again = "" if repeats is None else f"the same as {repeats.id}"
        table.add_row(Text(job.id, "bold" if job == asked else ""), *map(Text, cells), Text(again, "dim"))
    return table


def _values(asked: Job, jobs: Sequence[Job], taken: dict[str, Charge]) -> dict[str, object]:
    whole, own = sum(c.energy_uj for c in taken.values()), _energy_uj(taken, asked)
    return {
        "job": asked.id,
        "energy_uj": whole,
        "development_multiplier": whole / own if own else None,
        "jobs": [
            {
                "job": job.id,
                "state": str(job.state),
                "code_sha256": job.submission.payload.sha256,
                "arguments": job.submission.arguments,
                "energy_uj": _energy_uj(taken, job),
                "repeats": None if (first := done_before(job, jobs)) is None else first.id,
            }
            for job in jobs
        ],
    }

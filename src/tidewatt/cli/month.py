"""Gathers what every account received in a month, and shows what of it was wasted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.table import Table

from tidewatt.accounting.conditions import Conditions
from tidewatt.cli import words
from tidewatt.cli.conditions import conditions_of
from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Balance
from tidewatt.domain.month import month_of
from tidewatt.domain.units import HOUR_S, MICROJOULES, format_quantity
from tidewatt.errors import UsageError
from tidewatt.report.figures import money, percent
from tidewatt.report.period import Charge, charges
from tidewatt.report.waste import Loss, losses, unsaid_uj
from tidewatt.sdk.client import Client


def gather(client: Client, month: str | None) -> list[Charge]:
    """The charges of a month; readings belong to the month in which they began.

    Raises:
        UsageError: it is no month, or nothing was metered in it.
    """
    start_at, end_at = span(month, client.now())
    balances = client.store.balances(since_at=start_at, until_at=end_at)
    if not balances:
        raise UsageError(
            f"no reading in the month that begins on {datetime.fromtimestamp(start_at, UTC):%d %b %Y}",
            "a month in which a job ran",
            "choose another --month",
        )
    jobs = {job.id: job for job in client.store.jobs()}
    conditions = conditions_by_job(client, jobs, balances)
    known = [jobs[job_id] for job_id in conditions]
    if known:
        last = max(known, key=lambda job: job.seq)
        home = last.submission.home_zone
        conditions[""] = conditions_of(client, last, [home], start_at - HOUR_S, end_at)
    return charges(balances, jobs, conditions)


def conditions_by_job(
    client: Client, jobs: Mapping[str, Job], balances: Sequence[Balance]
) -> dict[str, Conditions]:
    """What the balances of each job are priced with."""
    held: dict[str, list[Balance]] = {}
    for balance in balances:
        held.setdefault(balance.account.job_id, []).append(balance)
    return {
        job_id: conditions_of(
            client,
            jobs[job_id],
            [balance.zone for balance in of],
            min(balance.start_at for balance in of) - HOUR_S,
            max(balance.end_at for balance in of),
        )
        for job_id, of in held.items()
        if job_id in jobs
    }


def span(month: str | None, now: float) -> tuple[float, float]:
    """The first instant of a month and of the one after it, UTC seconds.

    Raises:
        UsageError: it is no month.
    """
    try:
        return month_of(
            now if month is None else datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        raise UsageError(f"month {month!r}", "a month such as 2026-11") from None


def show_waste(found: Sequence[Charge], *, json: bool) -> None:
    """Print the losses, the largest first."""
    lost = losses(found)
    whole = sum(charge.energy_uj for charge in found)
    if json:
        known = {"energy_uj": whole, "over_reserved_unknown_uj": unsaid_uj(found)}
        words.print_json({**known, "losses": [_values(loss) for loss in lost]})
        return
    screen = words.screen()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Lost to")
    for name in ("Energy", "Share", "Cost"):
        table.add_column(name, justify="right")
    table.add_column("Most of it")
    table.add_column("What to change")
    for loss in lost:
        table.add_row(
            loss.label,
            format_quantity(loss.energy_uj / MICROJOULES, "J"),
            percent(loss.share),
            words.NOT_KNOWN if loss.cost_usd is None else money(loss.cost_usd),
            loss.worst,
            loss.advice,
        )
    screen.print(table)
    screen.print()
    worked = whole - sum(loss.energy_uj for loss in lost)
    screen.print(
        f"{percent(worked / whole)} of {format_quantity(whole / MICROJOULES, 'J')} did the work of jobs."
        if whole
        else "Nothing was drawn."
    )
    if unsaid := unsaid_uj(found):
        energy = format_quantity(unsaid / MICROJOULES, "J")
        screen.print(
            f"How much of {energy} was held and not used is not known: an older version did not keep it."
        )


def _values(loss: Loss) -> dict[str, object]:
    return {
        "kind": loss.key,
        "energy_uj": loss.energy_uj,
        "share": loss.share,
        "cost_usd": loss.cost_usd,
        "worst_job": loss.worst or None,
        "advice": loss.advice,
    }

"""Gathers everything about one job that its receipt is made from."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import cast

from tidewatt.domain.job import Job
from tidewatt.domain.ledger import Holder, LedgerEntry
from tidewatt.domain.units import HOUR_S
from tidewatt.report.receipt import Record
from tidewatt.sdk.client import Client

_AFTER_S = 48 * HOUR_S
"""The run that a saving is claimed against may reach so far beyond the job."""


def gather(client: Client, job: Job) -> Record:
    """The record of a job, up to its end or up to now."""
    store, submission = client.store, job.submission
    now = client.now() if job.ended_at is None else job.ended_at
    attempts = store.attempts(job.id)
    zones = dict.fromkeys([submission.home_zone, *(a.zone for a in attempts)])
    until = max(now, submission.deadline_at or now) + _AFTER_S
    plan = store.last_plan()
    shown = client.shown_result(job)
    origin = client.triggers.origin_of(job.id)
    return Record(
        job=job,
        attempts=attempts,
        events=store.events(job.id),
        entries=store.ledger(job.id),
        node_uj=node_uj(store.ledger(), job.id, submission.submitted_at, now),
        signals={
            zone: store.signal(submission.grid, zone, submission.submitted_at - HOUR_S, until)
            for zone in zones
        },
        progress=store.progress(job.id),
        world=submission.world,
        grid_name=submission.grid,
        plan_note=plan.note(job.id) if plan else "",
        issued_at=now,
        result=as_result(shown),
        trigger="" if origin is None else f"{origin.trigger}, {origin.said}",
    )


def as_result(shown: object) -> dict[str, object] | None:
    """What a function returned, by name: a receipt and its readers want names."""
    if shown is None:
        return None
    if isinstance(shown, dict):
        return {str(key): value for key, value in cast("dict[object, object]", shown).items()}
    return {"result": shown}


def node_uj(ledger: Sequence[LedgerEntry], job_id: str, start_at: float, end_at: float) -> dict[Holder, int]:
    """What each kind of account received from the readings of a job's time, microjoules.

    The ledger is in the order recorded. Instants alone do not tell a job's time, since two replays may
    pass through the same hours; so it is the readings around the job's own, as far as they overlap.
    """
    readings = [list(entries) for _, entries in groupby(ledger, key=lambda e: e.reading)]
    mine = [
        i for i, entries in enumerate(readings) if any(e.allocation.account.job_id == job_id for e in entries)
    ]
    if not mine:
        return {}
    first, last = mine[0], mine[-1]
    while (
        first > 0 and start_at < readings[first - 1][0].reading.end_at <= readings[first][0].reading.start_at
    ):
        first -= 1
    while (
        last + 1 < len(readings)
        and readings[last][0].reading.end_at <= readings[last + 1][0].reading.start_at < end_at
    ):
        last += 1
    totals: Counter[Holder] = Counter()
    for entry in (e for entries in readings[first : last + 1] for e in entries):
        totals[entry.allocation.account.holder] += entry.allocation.energy_uj
    return dict(totals)

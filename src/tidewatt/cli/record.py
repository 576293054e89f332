"""Gathers everything about one job that its receipt is made from."""

from typing import cast

from tidewatt.cli.conditions import conditions_of
from tidewatt.domain.job import Job
from tidewatt.domain.units import HOUR_S
from tidewatt.report.record import Record
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
        balances=store.balances(job.id),
        node_uj=store.beside(job.id, submission.submitted_at, now),
        conditions=conditions_of(client, job, zones, submission.submitted_at - HOUR_S, until),
        progress=store.progress(job.id),
        world=submission.world,
        grid_name=submission.grid,
        plan_note=plan.note(job.id) if plan else "",
        issued_at=now,
        result=as_result(shown),
        checkpoints=tuple(store.checkpoints(job.id)),
        trigger="" if origin is None else f"{origin.trigger}, {origin.said}",
    )


def as_result(shown: object) -> dict[str, object] | None:
    """What a function returned, by name: a receipt and its readers want names."""
    if shown is None:
        return None
    if isinstance(shown, dict):
        return {str(key): value for key, value in cast("dict[object, object]", shown).items()}
    return {"result": shown}

"""Recovering: jobs that an earlier supervisor left in the middle of something."""

from dataclasses import replace
from pathlib import Path

from tidewatt.control.record import Recorder
from tidewatt.domain.function import Kind
from tidewatt.domain.job import STRANDED
from tidewatt.domain.lifecycle import ACTIVE, State
from tidewatt.ports import Engine, Store


def recover(store: Store, engine: Engine, recorder: Recorder, folder: Path) -> None:
    """Bring every job that seems to run back to where it can be decided on.

    Whatever is left of its workers is ended first, so that there are never two attempts at work. A result
    or a checkpoint that an attempt saved after nobody was left to hear of it counts. What a command kept in
    memory while it stood still is lost with its supervisor.
    """
    for job in store.jobs_at_hand(0):
        if job.state in ACTIVE:
            for event in engine.reap(store.attempts(job.id)[-1], str(folder / job.id)):
                recorder.record(event)
        elif job.state is State.SUSPENDED and job.function.kind is Kind.COMMAND:
            stood_still = store.attempts(job.id)[-1]
            engine.reap(stood_still, str(folder / job.id))
            store.update_attempt(replace(stood_still, outcome=STRANDED))

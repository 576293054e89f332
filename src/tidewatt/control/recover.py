"""Recovering: jobs that an earlier supervisor left in the middle of something."""

from pathlib import Path

from tidewatt.control.record import Recorder
from tidewatt.domain.lifecycle import ACTIVE
from tidewatt.ports import Engine, Store


def recover(store: Store, engine: Engine, recorder: Recorder, folder: Path) -> None:
    """Bring every job that seems to run back to where it can be decided on.

    Whatever is left of its workers is ended first, so that there are never two attempts at work. A result
    or a checkpoint that an attempt saved after nobody was left to hear of it counts.
    """
    for job in store.jobs(open_only=True):
        if job.state in ACTIVE:
            for event in engine.reap(store.attempts(job.id)[-1], str(folder / job.id)):
                recorder.record(event)

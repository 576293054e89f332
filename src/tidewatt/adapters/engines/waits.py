"""Who waits for whom among callers and warm workers, so that nobody is left to wait for himself."""

from collections.abc import Collection, Sequence

from tidewatt.adapters.engines.crew import Crew, Line, Warm
from tidewatt.policy.crews import Need


def need_of(line: Line, crew: Crew, crews: Collection[Crew], processors: int) -> Need:
    """What is known of a caller for whom no worker of its crew is free."""
    workers = [worker for each in crews for worker in each.workers]
    return Need(
        processors=processors,
        cpus=crew.function.cpus,
        own=len(crew.workers),
        at_work=sum(worker.crew.function.cpus for worker in workers if worker.at_work),
        concurrency=crew.function.concurrency,
        nested=line.asker is not None,
        in_vain=in_vain(line, crews),
        total=len(workers),
    )


def in_vain(line: Line, crews: Collection[Crew]) -> bool:
    """Whether a worker that waits as a caller would wait for ever.

    It would if each worker that could serve it waits, itself or through those that it waits for, for it.
    """
    if line.asker is None:
        return False
    waits: dict[int, list[Sequence[Warm]]] = {w.number: [] for crew in crews for w in crew.workers}
    for crew in crews:
        for waiting in crew.waiting:
            _note(waits, waiting, crew.workers)
        for worker in crew.workers:
            for served in (worker.line, worker.coming):
                if served is not None and worker.at_work:
                    _note(waits, served, [worker])
    free: set[int] = set()
    while more := {number for number in waits.keys() - free if _comes_free(waits[number], free)}:
        free |= more
    return line.asker.number in waits and line.asker.number not in free


def _note(waits: dict[int, list[Sequence[Warm]]], caller: Line, for_one_of: Sequence[Warm]) -> None:
    if caller.asker is not None and caller.asker.number in waits:
        waits[caller.asker.number].append(for_one_of)


def _comes_free(waits: Sequence[Sequence[Warm]], free: set[int]) -> bool:
    """Whether one comes free of all that a worker waits for, one after another."""
    return all(any(worker.number in free for worker in some) for some in waits)

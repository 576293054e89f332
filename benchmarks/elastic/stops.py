"""What stopping costs: a suspend, a resume, a change of the worker count, a checkpoint on the way."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.elastic.attempts import Job
from benchmarks.table import Figure, median
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.ports import Progressed


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Something that rank 0 did, and when, on the clock of ``time.perf_counter``."""

    at: float
    what: str


def stops(engine: LocalEngine, folder: Path, n: int) -> Iterator[Figure]:
    """Suspend and resume one worker ``n`` times; the files of the checkpoint are counted apart."""
    job = Job(engine, folder, "stopped")
    path = folder / "stamps"
    started, stepped, asked, gone = _stop_often(job, path, n + 1)
    stamps = _read(path)
    writes = [_during(stamps, a, b, "write") for a, b in zip(asked[1:], gone[1:], strict=True)]
    reads = [_during(stamps, a, b, "read") for a, b in zip(started[1:], stepped[1:], strict=True)]
    suspends = [b - a - w for a, b, w in zip(asked[1:], gone[1:], writes, strict=True)]
    resumes = [b - a - r for a, b, r in zip(started[1:], stepped[1:], reads, strict=True)]
    yield _figure("suspend_s", "suspend() to Exited, less writing the checkpoint's file", suspends)
    yield _figure("suspend_write_s", "that writing: hash, write, fsync, rename", writes)
    yield _figure("resume_s", "start() to Progressed, warm zygote, less reading the file", resumes)
    yield _figure("resume_read_s", "that reading: read, hash", reads)


def _stop_often(job: Job, path: Path, n: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """When attempts were started, had done a step, were asked to leave, and were gone.

    The first of them had no zygote to fork from and nothing to restore, so it is not like the others.
    """
    started: list[float] = []
    stepped: list[float] = []
    asked: list[float] = []
    gone: list[float] = []
    for _ in range(n):
        started.append(job.start(path=str(path)))
        job.until(Progressed)
        stepped.append(time.perf_counter())
        job.until(Progressed)
        asked.append(job.suspend())
        job.end("suspended")
        gone.append(time.perf_counter())
    return started, stepped, asked, gone


def resizes(engine: LocalEngine, folder: Path, n: int, grown: Sequence[float]) -> Iterator[Figure]:
    """Grow to two workers and shrink to one ``n`` times each, beside a peer's seconds for growing."""
    job = Job(engine, folder, "stopped")
    path = folder / "stamps"
    for index in range(2 * n + 1):
        job.start(1 + index % 2, path=str(path))
        job.until(Progressed)
        job.until(Progressed)
        job.suspend()
        job.end("suspended")
    lost = _gaps(_read(path))
    peer = median(grown)[0] if grown else None
    source = "last step before to first step after, 1 to 2 to 1 workers"
    if grown:
        source += "; peer: torchrun, see below"
    yield _figure("resize_lost_s", source, lost, peer)
    yield _figure("resize_lost_grow_s", "the growths alone", lost[::2], peer)
    yield _figure("resize_lost_shrink_s", "the shrinkings alone", lost[1::2])


def _gaps(stamps: Sequence[_Stamp]) -> list[float]:
    """Seconds without a step around each new beginning of the function."""
    steps = [stamp for stamp in stamps if stamp.what in ("step", "function begins")]
    begun = [i for i, stamp in enumerate(steps) if stamp.what == "function begins"][1:]
    return [steps[i + 1].at - steps[i - 1].at for i in begun]


def stalls(engine: LocalEngine, folder: Path, n: int, megabytes: int) -> Iterator[Figure]:
    """How long the loop stands still for each of ``n`` checkpoints, and ``torch.save`` of the same state."""
    job = Job(engine, folder, "heavy")
    path = folder / "stamps"
    job.start(path=str(path), megabytes=megabytes, checkpoints=n)
    job.end()
    stamps = _read(path)
    turns = [s for s in stamps if s.what in ("step", "turn", "copy begins")]
    usual = median([b.at - a.at for a, b in pairwise(turns) if (a.what, b.what) == ("step", "turn")])[0]
    stops = [
        (a.at, b.at)
        for a, copy, b in zip(turns, turns[1:], turns[2:], strict=False)
        if (a.what, copy.what, b.what) == ("step", "copy begins", "turn")
    ]
    stood = [1000 * (b - a - usual) for a, b in stops]
    copied = [1000 * _during(stamps, a, b, "copy") for a, b in stops]
    writes = [s.at for s in stamps if s.what in ("write begins", "write ends")]
    written = [1000 * (b - a) for a, b in zip(writes[::2], writes[1::2], strict=True)]
    floors = [stamp.at for stamp in stamps if stamp.what.startswith("floor")]
    floor = median([1000 * (b - a) for a, b in zip(floors[::2], floors[1::2], strict=True)])[0]
    source = f"step to next turn, {megabytes} MB of state; peer: torch.save to a file, no fsync"
    yield _figure("checkpoint_stall_ms", source, stood, floor, "ms", 0)
    yield _figure("checkpoint_copy_ms", "of it: the copy of the state in memory", copied, None, "ms", 0)
    source = "beside the loop: serialise, hash, write, fsync, rename"
    yield _figure("checkpoint_write_ms", source, written, None, "ms", 0)


def _read(path: Path) -> list[_Stamp]:
    lines = (line.split(" ", 1) for line in path.read_text().splitlines())
    return [_Stamp(float(at), what) for at, what in lines]


def _during(stamps: Sequence[_Stamp], since: float, until: float, what: str) -> float:
    """Seconds from ``what begins`` to ``what ends`` inside an interval."""
    inside = {stamp.what: stamp.at for stamp in stamps if since <= stamp.at <= until}
    return inside[f"{what} ends"] - inside[f"{what} begins"]


def _figure(
    name: str,
    source: str,
    values: Sequence[float],
    peer: float | None = None,
    unit: str = "s",
    digits: int = 4,
) -> Figure:
    value, spread = median(values, digits)
    return Figure(name=name, value=value, unit=unit, peer=peer, source=source, n=len(values), spread=spread)

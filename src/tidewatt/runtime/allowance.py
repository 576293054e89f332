"""What a worker may take of the machine, and what is said of one that wanted more."""

import errno
import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.units import format_bytes

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries go by that start threads of their own."""
_PERIOD_US = 100_000
_MOST_WEIGHT = 10_000
"""Of cpu.weight; a group that says nothing has 100 (Linux kernel documentation, cgroup-v2)."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Memory and processors of one worker, None for as much as there is."""

    memory_bytes: int | None
    cpus: int | None

    @classmethod
    def of(cls, function: FunctionSpec) -> "Allowance":
        """What each worker of a function may take; a command cannot say how many processors it wants."""
        return cls(function.memory_bytes, None if function.kind is Kind.COMMAND else function.cpus)

    def files(self) -> dict[str, str]:
        """What is written into a control group of version 2 so that it holds a worker to this, in order."""
        written: dict[str, str] = {}
        if self.memory_bytes is not None:
            written["memory.max"] = str(self.memory_bytes)
            written["memory.swap.max"] = "0"
            written["memory.oom.group"] = "1"
        if self.cpus is not None:
            written["cpu.weight"] = str(min(_MOST_WEIGHT, 100 * self.cpus))
            written["cpu.max"] = f"{self.cpus * _PERIOD_US} {_PERIOD_US}"
        return written

    def hold(self, groups: Path | None) -> None:
        """Hold this process, and all that it will start, to this.

        By a group of its own below ``groups``, where that can be: it holds for all processes together.
        Otherwise the kernel refuses each process more memory of its own, and processors are held by the
        threads that libraries start alone. Pinning a worker to some processors would be worse than that:
        nobody knows which of them others are at, so that two workers would share one beside an idle one.
        """
        if (groups is None or not self._enter(groups)) and self.memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (self.memory_bytes, self.memory_bytes))
        if self.cpus is not None and self.cpus > 1:  # the zygote allows each library one thread
            os.environ.update(dict.fromkeys(THREAD_COUNTS, str(self.cpus)))
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(self.cpus)

    def _enter(self, groups: Path) -> bool:
        """Move this process into a new group that holds it to this; False if it is not held."""
        group = groups / str(os.getpid())
        try:
            group.mkdir(exist_ok=True)  # the supervisor makes it too, to count what is used in it
            for name, text in self.files().items():
                if (group / name).exists():  # there is no swap, or processors are not ours to share out
                    (group / name).write_text(text, encoding="ascii")
            if self.memory_bytes is not None and not (group / "memory.max").exists():
                return self._left(group)
            (group / "cgroup.procs").write_text("0", encoding="ascii")
        except OSError:
            return self._left(group)
        return True

    @staticmethod
    def _left(group: Path) -> bool:
        with suppress(OSError):
            group.rmdir()
        return False


def excess(group: Path) -> str:
    """What is said of a worker that the kernel ended for the memory of its group; empty if it did not.

    One that was ended because the machine, or a group above, had no memory left took no more than it might.
    """
    try:
        events = dict(line.split() for line in (group / "memory.events").read_text().splitlines())
        limit = (group / "memory.max").read_text().strip()
    except (OSError, ValueError):
        return ""
    if limit == "max" or events.get("oom", "0") == "0" or events.get("oom_kill", "0") == "0":
        return ""
    used_bytes = int(limit)
    with suppress(OSError, ValueError):  # not told before Linux 5.19
        used_bytes = int((group / "memory.peak").read_text())
    return _too_much(used_bytes, int(limit))


def clear(groups: Path) -> None:
    """Remove the groups of workers that have ended, and the one above them if it is empty then."""
    with suppress(OSError):
        for group in groups.iterdir():
            if group.is_dir():
                with suppress(OSError):  # something still lives in it
                    group.rmdir()
        groups.rmdir()


def note_excess(error: BaseException) -> None:
    """Say of an error which limit this process ran into, if it is for want of memory and there is one."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit != resource.RLIM_INFINITY and _wants_memory(error):
        error.add_note(f"found {_too_much(_data_bytes(), limit)}")


def _too_much(used_bytes: int, limit_bytes: int) -> str:
    return (
        f"{format_bytes(used_bytes)} of memory used, and more needed; "
        f"wanted at most memory={format_bytes(limit_bytes)!r}; ask for more, or use less"
    )


def _wants_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # PyTorch has no class of its own for it on processors.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _data_bytes() -> int:
    """What counts against the limit: the private writable memory of this process (proc(5), VmData)."""
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - light
            found = next(line for line in status if line.startswith("VmData:"))
        return int(found.split()[1]) * 1024
    return 0

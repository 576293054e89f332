"""Energy of NVIDIA GPUs from the NVIDIA Management Library, as its Python module ``pynvml`` shows it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from tidewatt.accounting import gpu
from tidewatt.accounting.calibration import Calibration
from tidewatt.accounting.gpu import Instance, Look, Span
from tidewatt.domain.estimate import ZERO, Estimate
from tidewatt.domain.ledger import DEVICES, EnergyReading
from tidewatt.ports import DeviceReading, DeviceUse

NAME = DEVICES
_SIGNS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of them is there where a driver is loaded (the second is that of Windows' Linux): looking costs less
than loading a library that is not there."""
_NO_SAMPLES = (0, 6)
"""NVML_SUCCESS, which the module raises for a list without entries, and NVML_ERROR_NOT_FOUND."""
_SILENCE = Look(count_mj=None, power_w=None)
_UNKNOWN_LIMIT_W = 1500.0
"""More than any board draws, for one that does not tell its limit."""
Library = Any
"""The module ``pynvml``, or what answers like it; it ships no types."""
Handle = Any
"""A device, as the library names it."""


@dataclass(slots=True)
class _Board:
    """One GPU, and what was seen of it so far."""

    handle: Handle
    name: str
    uuid: str
    most_w: float
    before: Look
    seen_us: int = 0
    """Time stamp of the newest sample of use by process."""
    last_w: float = 0.0
    spans: tuple[Span, ...] = ()
    uses: tuple[DeviceUse, ...] = ()
    parts: int = 1
    note: str = ""


def ancestry(pid: int) -> tuple[int, ...]:
    """A process, the one that started it, and so on up; itself alone if it is gone or not ours to see."""
    try:
        return (pid, *(parent.pid for parent in psutil.Process(pid).parents()))
    except psutil.Error:
        return (pid,)


class NvmlMeter:
    """All GPUs of the node that tell their energy or their power; ``idle_w`` are calibrated watts by UUID.

    Where a GPU was not calibrated none of its energy is called static, and all of it goes by use. Where it
    is divided into instances (MIG) it tells neither their power nor the use of their processes: energy is
    shared by the size of the instances in which something lives.
    """

    def __init__(
        self,
        library: Library,
        idle_w: Mapping[str, Estimate] | None = None,
        calibration: str = "",
        ancestry: Callable[[int], tuple[int, ...]] = ancestry,
    ) -> None:
        """Look for GPUs.

        Raises:
            Exception: ``library.NVMLError``, if the library does not begin.
        """
        self._library = library
        self._idle_w = dict(idle_w or {})
        self._calibration = calibration
        self._ancestry = ancestry
        library.nvmlInit()
        found = [self._board(index) for index in range(library.nvmlDeviceGetCount())]
        self._boards = [board for board in found if board.before != _SILENCE]
        self.silent = [board.name for board in found if board not in self._boards]
        """GPUs that tell neither energy nor power: what they draw is not known."""

    @property
    def boards(self) -> list[str]:
        """GPUs that are read, each with what it is read by, in words."""
        return [
            f"{board.name} ({'energy counter' if board.before.count_mj is not None else 'power, sampled'}"
            f"{', MIG: no power by instance, shared by size' if self._divided(board.handle) else ''})"
            for board in self._boards
        ]

    def close(self) -> None:
        """Let go of the library."""
        self._ask(self._library.nvmlShutdown)

    def watts_at_rest(self) -> dict[str, float]:
        """What those GPUs draw now on which nothing lives, by UUID."""
        resting = [board for board in self._boards if not self._residents(board.handle)]
        looks = {board.uuid: self._look(board.handle).power_w for board in resting}
        return {uuid: watts for uuid, watts in looks.items() if watts is not None}

    def read(self, over: EnergyReading | None) -> Sequence[DeviceReading]:
        """The energy of each GPU since the call before, over the interval of the processors' reading."""
        if over is not None:
            return [self._read(board, over) for board in self._boards]
        for board in self._boards:
            board.before = self._look(board.handle)
            board.last_w = board.before.power_w or board.last_w
            self._see_uses(board, 0.0)
        return ()

    def _read(self, board: _Board, over: EnergyReading) -> DeviceReading:
        before, after, wall_s = board.before, self._look(board.handle), over.wall_s
        counted = gpu.counted_j(before, after, wall_s, board.most_w)
        power = gpu.integrated_j(before, after, wall_s)
        if counted is not None and power is not None:
            board.spans = gpu.recent(board.spans, Span(wall_s, counted, power.value))
        drawn = gpu.drawn(before, after, wall_s, board.spans, board.most_w, board.last_w)
        if after != _SILENCE:
            board.last_w = after.power_w or drawn.energy_j.value / wall_s or board.last_w
            self._see_uses(board, wall_s)
        board.before = after
        idle_w = self._idle_w.get(board.uuid, ZERO)
        energy_uj, static_uj, low_uj, high_uj = gpu.microjoules(drawn.energy_j, idle_w, wall_s)
        reading = EnergyReading(
            meter=self._meter(board, drawn.how),
            tier=drawn.tier,
            start_at=over.start_at,
            end_at=over.end_at,
            wall_s=wall_s,
            energy_uj=energy_uj,
            static_uj=static_uj,
            low_uj=low_uj,
            high_uj=high_uj,
            busy_cpu_s=sum(use.busy_s for use in board.uses),
            cpus=board.parts,
        )
        return DeviceReading(reading=reading, uses=board.uses, note=drawn.note or board.note)

    def _meter(self, board: _Board, how: str) -> str:
        calibrated = self._calibration if board.uuid in self._idle_w else ""
        return ", ".join(part for part in (f"{NAME} {board.name}", calibrated, how) if part)

    def _board(self, index: int) -> _Board:
        library = self._library
        handle = library.nvmlDeviceGetHandleByIndex(index)
        limit_mw = self._ask(library.nvmlDeviceGetEnforcedPowerLimit, handle)
        before = self._look(handle)
        return _Board(
            handle=handle,
            name=f"GPU {index} {self._ask(library.nvmlDeviceGetName, handle) or 'of unknown name'}",
            uuid=self._ask(library.nvmlDeviceGetUUID, handle) or str(index),
            most_w=limit_mw / 1000 if limit_mw else _UNKNOWN_LIMIT_W,
            before=before,
            last_w=before.power_w or 0.0,
        )

    def _look(self, handle: Handle) -> Look:
        power_mw = self._ask(self._library.nvmlDeviceGetPowerUsage, handle)
        return Look(
            count_mj=self._ask(self._library.nvmlDeviceGetTotalEnergyConsumption, handle),
            power_w=None if power_mw is None else power_mw / 1000,
        )

    def _ask(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - as the library
        """What the library answers, None where it refuses: not supported, not permitted, or lost."""
        try:
            return function(*arguments)
        except self._library.NVMLError:
            return None

    def _divided(self, handle: Handle) -> bool:
        mode = self._ask(self._library.nvmlDeviceGetMigMode, handle)
        return mode is not None and mode[0] == 1

    def _see_uses(self, board: _Board, wall_s: float) -> None:
        """Find out which processes used and held how much of a GPU."""
        divided = self._divided(board.handle)
        instances = self._instances(board.handle) if divided else [self._whole(board.handle)]
        shares = None if divided else self._busy_shares(board)
        held = gpu.held_s(instances, wall_s)
        busy = held if shares is None else gpu.busy_s(shares, wall_s)
        board.parts = max(1, sum(instance.parts for instance in instances))
        board.note = "it does not tell its use by process, which is taken to be what each holds of it"
        board.note = board.note if shares is None and held else ""
        board.uses = tuple(
            DeviceUse(ancestry=self._ancestry(pid), busy_s=busy.get(pid, 0.0), held_s=held.get(pid, 0.0))
            for pid in sorted({*held, *busy})
        )

    def _busy_shares(self, board: _Board) -> dict[int, float] | None:
        """The share of its processors that each process used, by the newest sample; None if not told."""
        try:
            samples = self._library.nvmlDeviceGetProcessUtilization(board.handle, board.seen_us)
        except self._library.NVMLError as error:
            return {} if error.value in _NO_SAMPLES else None
        newest = sorted(samples, key=lambda sample: int(sample.timeStamp))
        board.seen_us = max([board.seen_us, *(int(sample.timeStamp) for sample in newest)])
        return {int(sample.pid): int(sample.smUtil) / 100 for sample in newest}

    def _whole(self, handle: Handle) -> Instance:
        return Instance(parts=1, processes=self._residents(handle))

    def _instances(self, handle: Handle) -> list[Instance]:
        most = self._ask(self._library.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
        found: list[Instance] = []
        for index in range(most):
            instance = self._ask(self._library.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            if instance is not None:
                size = self._ask(self._library.nvmlDeviceGetAttributes, instance)
                parts = 1 if size is None else max(1, int(size.gpuInstanceSliceCount))
                found.append(Instance(parts=parts, processes=self._residents(instance)))
        return found

    def _residents(self, handle: Handle) -> tuple[int, ...]:
        processes = self._ask(self._library.nvmlDeviceGetComputeRunningProcesses, handle) or ()
        return tuple(sorted({int(process.pid) for process in processes}))


def find(
    calibration: Calibration | None = None, signs: Sequence[Path] = _SIGNS
) -> tuple[NvmlMeter | None, str]:
    """The meter of this node's GPUs, if it has any that can be read, and why or why not in words."""
    if not any(sign.exists() for sign in signs):
        return None, "no driver of NVIDIA is loaded"
    if find_spec("pynvml") is None:
        return (
            None,
            "there is a driver of NVIDIA, and its Python module is missing: pip install 'tidewatt[gpu]'",
        )
    library: Library = importlib.import_module("pynvml")
    try:
        if calibration is None:
            meter = NvmlMeter(library)
        else:
            meter = NvmlMeter(library, calibration.gpus_idle_w, calibration.name)
    except library.NVMLError as error:
        return None, f"NVML does not begin ({error}): see whether nvidia-smi works; no root is needed"
    if not meter.boards:
        meter.close()
        none = f"{', '.join(meter.silent)} tell neither energy nor power" if meter.silent else "no GPU"
        return None, none
    return meter, "; ".join(meter.boards)

"""An object that answers as NVIDIA's Python module ``pynvml`` does, for machines without a GPU."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TypeVar

T = TypeVar("T")


class NVMLError(Exception):
    """What the module raises; ``value`` is the number of the error."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


NOT_SUPPORTED, NOT_FOUND, GPU_IS_LOST = 3, 6, 15


@dataclass
class Board:
    """A GPU: None where it does not support a question."""

    name: str = "NVIDIA H200"
    uuid: str = "GPU-1"
    limit_mw: int | None = 700_000
    count_mj: int | None = 1_000_000
    power_mw: int | None = 100_000
    residents: list[int] = field(default_factory=list[int])
    """Processes with a context on it."""
    use: dict[int, int] | None = field(default_factory=dict[int, int])
    """Percent of its processors by process, None where it does not tell."""
    instances: list[tuple[int, list[int]]] | None = None
    """Sizes and residents of the instances that it is divided into (MIG)."""
    lost: bool = False

    def run(self, wall_s: float, watts: float, counted_w: float | None = None) -> None:
        """Let time pass at a power that the counter may tell otherwise."""
        if self.count_mj is not None:
            self.count_mj += round(wall_s * (watts if counted_w is None else counted_w) * 1000)
        if self.power_mw is not None:
            self.power_mw = round(watts * 1000)


@dataclass
class Pynvml:
    """The module, with some boards in it; handles are the boards themselves, or instances of one."""

    boards: list[Board]
    begins: bool = True
    open: int = 0
    stamp: int = 0
    NVMLError = NVMLError

    def nvmlInit(self) -> None:  # noqa: N802 - the module's own name, as all below
        if not self.begins:
            raise NVMLError(9)
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Board:  # noqa: N802
        return self.boards[index]

    def nvmlDeviceGetName(self, handle: Board) -> str:  # noqa: N802
        return self._told(handle, handle.name)

    def nvmlDeviceGetUUID(self, handle: Board) -> str:  # noqa: N802
        return self._told(handle, handle.uuid)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Board) -> int:  # noqa: N802
        return self._told(handle, handle.limit_mw)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Board) -> int:  # noqa: N802
        return self._told(handle, handle.count_mj)

    def nvmlDeviceGetPowerUsage(self, handle: Board) -> int:  # noqa: N802
        return self._told(handle, handle.power_mw)

    def nvmlDeviceGetMigMode(self, handle: Board) -> list[int]:  # noqa: N802
        divided = self._told(handle, int(handle.instances is not None))
        return [divided, divided]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Board) -> int:  # noqa: N802
        return self._told(handle, 7)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Board, index: int) -> SimpleNamespace:  # noqa: N802
        instances = self._told(handle, handle.instances)
        if index >= len(instances):
            raise NVMLError(NOT_FOUND)
        parts, residents = instances[index]
        return SimpleNamespace(parts=parts, residents=residents, lost=handle.lost)

    def nvmlDeviceGetAttributes(self, handle: SimpleNamespace) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpuInstanceSliceCount=handle.parts)

    def nvmlDeviceGetComputeRunningProcesses(  # noqa: N802
        self, handle: Board | SimpleNamespace
    ) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in self._told(handle, handle.residents)]

    def nvmlDeviceGetProcessUtilization(self, handle: Board, timeStamp: int) -> list[SimpleNamespace]:  # noqa: N802, N803
        use = self._told(handle, None if handle.instances is not None else handle.use)
        self.stamp += 1
        if not use or timeStamp >= self.stamp:
            raise NVMLError(NOT_FOUND)
        return [SimpleNamespace(pid=p, smUtil=u, timeStamp=self.stamp) for p, u in use.items()]

    @staticmethod
    def _told(handle: Board | SimpleNamespace, answer: T | None) -> T:
        if handle.lost:
            raise NVMLError(GPU_IS_LOST)
        if answer is None:
            raise NVMLError(NOT_SUPPORTED)
        return answer

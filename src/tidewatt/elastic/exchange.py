"""Passing partial sums between the workers of an attempt."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore

from tidewatt.elastic.tree import Accumulator, Node, partials, shards_of
from tidewatt.runtime.worker import PeerLost


class Exchange:
    """Completes sums over all shards; every worker gets the same bits."""

    def __init__(self, rank: int, workers: int, shards: int, exact: bool) -> None:
        self._workers = workers
        self._exact = exact
        """Whether sums are made in the order of shards; else in whatever order is fastest."""
        self._mine = partials(shards_of(rank, workers, shards))
        self._theirs = [partials(shards_of(r, workers, shards)) for r in range(workers)]
        self._rows = max(len(nodes) for nodes in self._theirs)

    def total(self, nodes: list[Node[Tensor]], leave: bool) -> tuple[Tensor, bool]:
        """The sum of everybody's partial sums, and whether worker 0 wants all to leave after this step."""
        accumulator = Accumulator[Tensor](torch.Tensor.add_)
        if self._workers == 1:
            for node in nodes:
                accumulator.push(node)
            return accumulator.total(), leave
        length = nodes[0].value.numel()
        if not self._exact:
            (node,) = nodes
            whole = torch.cat([node.value, node.value.new_tensor([float(leave)])])
            _all_reduce(whole)
            return whole[:length], bool(whole[length] > 0)
        sent = nodes[0].value.new_zeros(self._rows, length + 1)
        for row, node in enumerate(nodes):
            sent[row, :length] = node.value
        sent[0, length] = float(leave)
        received = sent.new_empty(self._workers * self._rows, length + 1)
        _all_gather(received, sent)
        for worker, theirs in enumerate(self._theirs):
            for row, (level, index) in enumerate(theirs):
                accumulator.push(Node(level, index, received[worker * self._rows + row, :length]))
        return accumulator.total().contiguous(), bool(received[0, length] > 0)


@contextmanager
def _with_peers() -> Generator[None]:
    """Tell that another worker is gone from an error of the user's.

    Raises:
        PeerLost: the body could not be done with the others.
    """
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error


def _carried(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of it where the process group can carry it."""
    if tensor.device.type == "cpu" or "nccl" in str(dist.get_backend_config()):
        return tensor
    return tensor.cpu()


def _all_gather(received: Tensor, sent: Tensor) -> None:
    """Every worker's rows, one below the other."""
    carried = _carried(received)
    with _with_peers():
        dist.all_gather(list(carried.chunk(dist.get_world_size())), _carried(sent))
    if carried is not received:
        received.copy_(carried)


def _all_reduce(summed: Tensor) -> None:
    """The sum over workers, in place."""
    carried = _carried(summed)
    with _with_peers():
        dist.all_reduce(carried)
    if carried is not summed:
        summed.copy_(carried)


def join(rank: int, workers: int, meeting: Path) -> None:
    """Form the process group of an attempt through a file that only its workers know.

    Where each worker has an accelerator of its own NCCL carries what lies there; gloo carries all else.
    """
    if workers > 1:
        store = FileStore(str(meeting), workers)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.device_count() >= workers else "gloo"
        with _with_peers():
            dist.init_process_group(backend, store=store, rank=rank, world_size=workers)


def agree(value: float) -> float:
    """The value that worker 0 has."""
    if not dist.is_initialized():
        return value
    told = torch.tensor([value], dtype=torch.float64)
    with _with_peers():
        dist.broadcast(told, src=0)
    return float(told)


def leave() -> None:
    """Dissolve the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()

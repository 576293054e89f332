"""Passing partial sums between the workers of an attempt."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore

from tidewatt.elastic.tree import Accumulator, Node, partials, shards_of


class Exchange:
    """Completes sums over all shards; every worker gets the same bits."""

    def __init__(self, rank: int, workers: int, shards: int) -> None:
        self._workers = workers
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
        sent = nodes[0].value.new_zeros(self._rows, length + 1)
        for row, node in enumerate(nodes):
            sent[row, :length] = node.value
        sent[0, length] = float(leave)
        received = sent.new_empty(self._workers * self._rows, length + 1)
        dist.all_gather(list(received.chunk(self._workers)), sent)
        for worker, theirs in enumerate(self._theirs):
            for row, (level, index) in enumerate(theirs):
                accumulator.push(Node(level, index, received[worker * self._rows + row, :length]))
        return accumulator.total().contiguous(), bool(received[0, length] > 0)


def join(rank: int, workers: int, meeting: Path) -> None:
    """Form the process group of an attempt through a file that only its workers know."""
    if workers > 1:
        store = FileStore(str(meeting), workers)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=workers)


def leave() -> None:
    """Dissolve the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()

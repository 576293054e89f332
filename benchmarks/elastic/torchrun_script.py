"""The peer's training: the same network, data and step, distributed by PyTorch and restarted by torchrun.

A plain program that knows nothing of Tidewatt: ``torchrun ... torchrun_script.py STAMPS FOLDER``.
"""

import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

_CHECKPOINT_EVERY = 50


def network() -> nn.Module:
    """The network of trainings.py; importing that file would cost the peer time."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 16, 10),
    )


def main(stamps: str, folder: str) -> None:
    """Train until killed; rank 0 writes ``instant world_size`` to ``stamps`` after every step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    pipe = os.open(stamps, os.O_WRONLY)
    target = Path(folder) / "checkpoint.pt"
    inputs, targets = torch.randn(2048, 1, 8, 8), torch.randint(0, 10, (2048,))
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    step = 0
    if target.exists():
        saved = torch.load(target, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    parallel = DistributedDataParallel(model)
    criterion = nn.CrossEntropyLoss()
    while True:
        order = torch.randperm(2048, generator=torch.Generator().manual_seed(step))
        for batch in torch.split(order, 128):
            mine = batch.tensor_split(world)[rank]
            optimizer.zero_grad()
            criterion(parallel(inputs[mine]), targets[mine]).backward()
            optimizer.step()
            step += 1
            if rank == 0:
                os.write(pipe, f"{time.perf_counter():.6f} {world}\n".encode())
                if step % _CHECKPOINT_EVERY == 0:
                    draft = target.with_suffix(".part")
                    torch.save(
                        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step},
                        draft,
                    )
                    draft.replace(target)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What a bare fork takes from a process that has loaded torch: the floor under every cold call."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch._dynamo
import torch.distributed
import torch.utils.data


def total() -> float:
    """Use torch for a moment."""
    return float(torch.ones(3).sum())


def trained() -> float:
    """Make five steps of SGD."""
    model = torch.nn.Linear(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, loss = torch.ones(64, 32), torch.zeros(())
    for _ in range(5):
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def forked(work: Callable[[], float]) -> float:
    """Milliseconds from before the fork until the result has come through a pipe."""
    began = time.perf_counter()
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, str(work()).encode())
        os._exit(0)
    os.read(reader, 100)
    took = 1000 * (time.perf_counter() - began)
    os.wait()
    os.close(reader)
    os.close(writer)
    return took


def main() -> None:
    """Print both floors as one line of JSON."""
    repeats = int(sys.argv[1])
    floors = {
        "fork_floor_ms": statistics.median(forked(total) for _ in range(repeats)),
        "fork_train_floor_ms": statistics.median(forked(trained) for _ in range(repeats)),
    }
    sys.stdout.write(json.dumps(floors) + "\n")


if __name__ == "__main__":
    main()

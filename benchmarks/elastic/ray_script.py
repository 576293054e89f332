"""The peer's training: the same network, data and step under Ray Train, which grows when a node joins.

A plain program for an interpreter that has ray and torch, and knows nothing of Tidewatt:
``python ray_script.py STAMPS FOLDER``. It ends when it has grown.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import ray
import torch
from ray import train
from ray.cluster_utils import Cluster
from ray.train.torch import TorchTrainer, prepare_model
from torch import nn

_CHECKPOINT_EVERY = 50
_STEPS_BEFORE = 30


def network() -> nn.Module:
    """The network of trainings.py."""
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


def loop(config: dict[str, str]) -> None:
    """Train until two workers have made a few steps; rank 0 notes ``instant world_size`` after each."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    context = train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    stamps = Path(config["stamps"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open to the end
    inputs, targets = torch.randn(2048, 1, 8, 8), torch.randint(0, 10, (2048,))
    model = prepare_model(network())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    step, began = _restore(model, optimizer)
    criterion = nn.CrossEntropyLoss()
    while world == 1 or step < began + 5:
        order = torch.randperm(2048, generator=torch.Generator().manual_seed(step))
        for batch in torch.split(order, 128):
            mine = batch.tensor_split(world)[rank]
            optimizer.zero_grad()
            criterion(model(inputs[mine]), targets[mine]).backward()
            optimizer.step()
            step += 1
            if rank == 0:
                print(f"{time.perf_counter():.6f} {world}", file=stamps)
            if step % _CHECKPOINT_EVERY == 0:
                _report(model, optimizer, step, rank)


def _restore(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, int]:
    found = train.get_checkpoint()
    if found is None:
        return 0, 0
    with found.as_directory() as folder:
        saved = torch.load(Path(folder) / "state.pt", weights_only=True)
    model.load_state_dict(saved["model"], strict=False)
    optimizer.load_state_dict(saved["optimizer"])
    return saved["step"], saved["step"]


def _report(model: nn.Module, optimizer: torch.optim.Optimizer, step: int, rank: int) -> None:
    if rank != 0:
        train.report({"step": step})
        return
    with tempfile.TemporaryDirectory() as folder:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save(state, Path(folder) / "state.pt")
        train.report({"step": step}, checkpoint=train.Checkpoint.from_directory(folder))


def main(stamps: str, folder: str) -> None:
    """A cluster of one node with one processor, on which the training runs; then a second node joins."""
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    trainer = TorchTrainer(
        loop,
        train_loop_config={"stamps": stamps},
        scaling_config=train.ScalingConfig(num_workers=(1, 2), elastic_resize_monitor_interval_s=0.5),
        run_config=train.RunConfig(
            name="grow", storage_path=folder, failure_config=train.FailureConfig(max_failures=2)
        ),
    )
    fitting = Thread(target=trainer.fit, daemon=True)
    fitting.start()
    path = Path(stamps)
    while fitting.is_alive() and (not path.exists() or len(path.read_text().splitlines()) < _STEPS_BEFORE):
        fitting.join(0.1)
    cluster.add_node(num_cpus=1)
    fitting.join()
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    main(*sys.argv[1:])

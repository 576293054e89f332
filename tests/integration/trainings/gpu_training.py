"""A small network with dropout and batch norm on whatever device the worker has."""

import hashlib

import torch
from torch import nn

import tidewatt as tw


@tw.training(workers=(1, 2), shards=2)
def small(run: tw.Run, epochs: int = 400) -> tuple[str, str]:
    """The kind of device, and a fingerprint of all parameters and buffers."""
    data = torch.randn(512, 32), torch.randint(0, 4, (512,))
    model = nn.Sequential(
        nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4)
    ).to(run.device)
    run.track(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    for inputs, targets in run.batches(data, size=64, epochs=epochs):
        with run.autocast():
            loss = nn.functional.cross_entropy(model(inputs.to(run.device)), targets.to(run.device))
        run.step(loss)
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    return run.device.type, digest.hexdigest()

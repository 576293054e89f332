"""The trainings that `benchmarks.elastic` runs; workers load this file as they load a user's."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from typing_extensions import override

import tidewatt as tw
from tidewatt.elastic.staging import Staging
from tidewatt.runtime import checkpoint

SMALL_STEPS = 60
"""Optimizer steps of each of the three models whose bits are compared."""
_BATCH, _EXAMPLES, _EPOCHS = 24, 228, 6
"""Ten steps in a pass, the last with half a batch."""


def hold(run: tw.Run, optimizer: Optimizer, gate: str, after: int) -> None:
    """After so many steps of this attempt, have rank 0 knock and stand still until it is let through."""
    left = after

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            Path(gate, "knock").write_bytes(b".")
            with Path(gate, "let").open("rb", buffering=0) as let:
                let.read(1)

    if gate and run.rank == 0:
        optimizer.register_step_post_hook(count)


@tw.training(workers=(1, 4), shards=4, checkpoint_every="0.05 s")
def mlp(run: tw.Run, gate: str = "", after: int = 0) -> float:
    """A perceptron, SGD with momentum."""
    data = torch.randn(_EXAMPLES, 20), torch.randint(0, 4, (_EXAMPLES,))
    model = nn.Sequential(nn.Linear(20, 48), nn.Tanh(), nn.Linear(48, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    hold(run, optimizer, gate, after)
    run.track(model, optimizer)
    return _train(run, model, data)


@tw.training(workers=(1, 4), shards=4, checkpoint_every="0.05 s")
def cnn(run: tw.Run, gate: str = "", after: int = 0) -> float:
    """A convolutional network with batch norm, AdamW, a schedule given as a function."""
    data = torch.randn(_EXAMPLES, 1, 8, 8), torch.randint(0, 4, (_EXAMPLES,))
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.BatchNorm2d(8, momentum=None),  # a cumulative average
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 64, 4),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    hold(run, optimizer, gate, after)
    run.track(model, optimizer, LambdaLR(optimizer, lambda step: 0.97**step))
    return _train(run, model, data)


class Encoder(nn.Module):
    """Tokens to classes through two transformer layers with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 24)
        layer = nn.TransformerEncoderLayer(24, 4, 48, dropout=0.2, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 4)

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, 4) of tokens (batch, length)."""
        encoded: Tensor = self.head(self.layers(self.embedding(tokens)).mean(1))
        return encoded


@tw.training(workers=(1, 4), shards=4, checkpoint_every="0.05 s")
def transformer(run: tw.Run, gate: str = "", after: int = 0) -> float:
    """A transformer encoder with dropout, AdamW under a one-cycle schedule, clipped gradients."""
    data = torch.randint(0, 50, (_EXAMPLES, 12)), torch.randint(0, 4, (_EXAMPLES,))
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    hold(run, optimizer, gate, after)
    run.track(model, optimizer, OneCycleLR(optimizer, 3e-3, total_steps=SMALL_STEPS))
    return _train(run, model, data, clip_norm=0.5)


def _padded(examples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Token sequences as one tensor (batch, longest), and their classes."""
    tokens = nn.utils.rnn.pad_sequence([tokens for tokens, _ in examples], batch_first=True)
    return tokens, torch.tensor([label for _, label in examples])


@tw.training(workers=(1, 4), shards=4, checkpoint_every="0.05 s")
def economy(run: tw.Run, gate: str = "", after: int = 0) -> float:
    """All that saves work: a loop that stops early; then buckets of like length, bfloat16, small turns."""
    lengths = torch.randint(2, 13, (_EXAMPLES,)).tolist()
    data = [(torch.randint(1, 50, (length,)), length % 4) for length in lengths]
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    hold(run, optimizer, gate, after)
    run.track(model, optimizer, OneCycleLR(optimizer, 3e-3, total_steps=SMALL_STEPS))

    def measure() -> Tensor:
        tokens, targets = _padded(data[:40])
        loss: Tensor = criterion(model(tokens), targets)
        return loss

    at_once = tw.EarlyStopping(measure=lambda: 1.0, patience=1)  # two passes, and the first one's weights
    for inputs, targets in run.batches(data, size=_BATCH, epochs=_EPOCHS, collate=_padded, stop=at_once):
        run.step(criterion(model(inputs), targets))
    late = tw.EarlyStopping(measure=measure, patience=_EPOCHS)
    for inputs, targets in run.batches(
        data, size=_BATCH, epochs=_EPOCHS - 2, collate=_padded, lengths=lengths, accumulate=3, stop=late
    ):
        with run.autocast():
            loss = criterion(model(inputs), targets)
        run.step(loss)
    model.eval()
    with torch.no_grad():
        return float(measure())


def _train(
    run: tw.Run, model: nn.Module, data: tuple[Tensor, Tensor], clip_norm: float | None = None
) -> float:
    """The loop of all three; the loss over all data comes out, dropout and batch norm at rest."""
    criterion = nn.CrossEntropyLoss()
    for inputs, targets in run.batches(data, size=_BATCH, epochs=_EPOCHS):
        run.step(criterion(model(inputs), targets), clip_norm=clip_norm)
    model.eval()
    with torch.no_grad():
        return float(criterion(model(data[0]), data[1]))


def images(examples: int = 2048) -> tuple[Tensor, Tensor]:
    """Noise in the shape of handwritten digits, with labels."""
    return torch.randn(examples, 1, 8, 8), torch.randint(0, 10, (examples,))


def network() -> nn.Module:
    """The network of examples/digits.py: a step over 128 images takes some 10 ms on one core."""
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


@tw.function()
def bare(epochs: int) -> dict[str, float]:
    """The plain PyTorch loop, in the order of examples that Tidewatt would choose."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, targets = images()
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    began, cpu_began = time.perf_counter(), time.process_time()
    for epoch in range(epochs):
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(epoch))
        for indices in torch.split(order, 128):
            optimizer.zero_grad()
            loss = criterion(model(inputs[indices]), targets[indices])
            loss.backward()
            optimizer.step()
    return {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}


@tw.training(workers=(1, 4))
def ours(run: tw.Run, epochs: int) -> dict[str, float]:
    """The same with Tidewatt."""
    data = images()
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    run.track(model, optimizer)
    began, cpu_began = time.perf_counter(), time.process_time()
    for inputs, targets in run.batches(data, size=128, epochs=epochs):
        run.step(criterion(model(inputs), targets))
    return {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_began}


Stamp = Callable[[str], None]


@contextmanager
def stamps(path: str, rank: int) -> Iterator[Stamp]:
    """Note when rank 0 does what, a line for each, on a clock that all processes of the machine share."""
    if rank != 0:
        yield lambda _what: None
        return
    with Path(path).open("a", buffering=1) as file:
        yield lambda what: print(f"{time.perf_counter():.6f} {what}", file=file)


def watch_files(stamp: Stamp) -> Counter[str]:
    """Note when states are copied and checkpoints written and read; how many of each is kept up to date.

    The trainer looks these functions up by their module each time, so that this worker alone is changed.
    """
    done: Counter[str] = Counter()

    def noted(name: str, call: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - passes everything on
        stamp(f"{name} begins")
        result = call(*arguments)
        stamp(f"{name} ends")
        done[name] += 1
        return result

    checkpoint.write = partial(noted, "write", checkpoint.write)
    checkpoint.open_newest = partial(noted, "read", checkpoint.open_newest)
    copy = Staging.copy

    def copied(self: Staging, state: Any) -> Any:  # noqa: ANN401 - the same
        return noted("copy", copy, self, state)

    Staging.copy = copied  # type: ignore[method-assign]  # as above, this worker's alone
    return done


@tw.training(workers=(1, 2), shards=4, checkpoint_every="1 h")
def stopped(run: tw.Run, path: str) -> None:
    """The digits network, long enough to be stopped as often as wanted."""
    with stamps(path, run.rank) as stamp:
        stamp("function begins")
        watch_files(stamp)
        data = images()
        model = network()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        optimizer.register_step_post_hook(lambda *_: stamp("step"))
        criterion = nn.CrossEntropyLoss()
        run.track(model, optimizer)
        stamp("tracked")
        for inputs, targets in run.batches(data, size=128, epochs=1000):
            run.step(criterion(model(inputs), targets))


class Heavy(nn.Module):
    """A small trained layer beside a frozen one that makes a checkpoint large."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.frozen = nn.Parameter(torch.randn(megabytes, 250_000), requires_grad=False)
        self.layer = nn.Linear(64, 64)

    @override
    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, 64) to (batch, 64)."""
        mapped: Tensor = self.layer(inputs)
        return mapped


@tw.training(checkpoint_every="1 s")
def heavy(run: tw.Run, path: str, megabytes: int, checkpoints: int) -> None:
    """Steps until so many checkpoints are written; then the state is saved as often with torch alone."""
    with stamps(path, run.rank) as stamp:
        done = watch_files(stamp)
        data = (torch.randn(128 * 100, 64),)
        model = Heavy(megabytes)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        optimizer.register_step_post_hook(lambda *_: stamp("step"))
        run.track(model, optimizer)
        for (inputs,) in run.batches(data, size=128, epochs=10_000):
            stamp("turn")
            if done["write"] == checkpoints:
                break
            run.step(model(inputs).square().mean())
        target = Path(path).with_suffix(".pt")
        for _ in range(checkpoints):
            stamp("floor begins")
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, target)
            stamp("floor ends")
            target.unlink()

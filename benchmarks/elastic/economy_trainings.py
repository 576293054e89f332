"""The trainings that show what a loop may save; the model and the data are those of examples/queries.py."""

import resource
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import tidewatt as tw
from tidewatt.runtime.payload import load_module

_QUERIES = Path(__file__).parents[2] / "examples" / "queries.py"
_WARM_STEPS = 10
example: Any = load_module(_QUERIES, _QUERIES)
Example = tuple[Tensor, int]


def model_and_optimizer(texts: Any, width: int, layers: int) -> tuple[Any, torch.optim.Optimizer]:  # noqa: ANN401 - the example's own types
    """The example's model over its vocabulary."""
    model = example.Reader(texts.words, len(texts.intents), width, layers)
    return model, torch.optim.AdamW(model.parameters(), lr=1e-3)


@tw.training(checkpoint_every="1 h")
def steps(
    run: tw.Run, data: str, count: int, bf16: bool, buckets: bool, width: int, layers: int
) -> dict[str, float]:
    """Time so many optimizer steps on intents, and count what is padded."""
    texts = example.texts(Path(data))
    model, optimizer = model_and_optimizer(texts, width, layers)
    run.track(model, optimizer)
    lengths = [len(tokens) for tokens, _ in texts.learnt] if buckets else None
    began, tokens_in, padded = 0.0, 0, 0
    batches = run.batches(texts.learnt, size=64, epochs=100, collate=example.padded, lengths=lengths)
    for done, (tokens, named) in enumerate(batches):
        if done == _WARM_STEPS:
            began = time.perf_counter()
        if done == _WARM_STEPS + count:
            break
        if bf16:
            with run.autocast():
                loss = nn.functional.cross_entropy(model(tokens), named)
        else:
            loss = nn.functional.cross_entropy(model(tokens), named)
        run.step(loss)
        tokens_in += tokens.numel()
        padded += int((tokens == example.PAD).sum())
    return {"step_s": (time.perf_counter() - began) / count, "padded": padded / tokens_in}


@tw.training(checkpoint_every="1 h")
def memory(run: tw.Run, data: str, size: int, accumulate: int) -> float:
    """Megabytes that a few steps over large batches need beyond the model and the optimizer."""
    texts = example.texts(Path(data))
    model, optimizer = model_and_optimizer(texts, 128, 2)
    run.track(model, optimizer)
    before = 0
    for done, (tokens, named) in enumerate(
        run.batches(texts.learnt, size=size, epochs=100, collate=example.padded, accumulate=accumulate)
    ):
        if done == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if done == 3 * accumulate:
            break
        run.step(nn.functional.cross_entropy(model(tokens), named))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@tw.training(checkpoint_every="1 h")
def until(run: tw.Run, data: str, seed: int, epochs: int, patience: int) -> dict[str, float]:
    """Learn intents until they get no better, or to the last epoch; how often the test is right then."""
    texts = example.texts(Path(data))
    torch.manual_seed(seed)
    model, optimizer = model_and_optimizer(texts, 128, 2)
    run.track(model, optimizer)
    lengths = [len(tokens) for tokens, _ in texts.learnt]
    stop = tw.EarlyStopping(
        measure=lambda: example.right(model, texts.held_out), patience=patience, mode="max"
    )
    steps = 0
    for tokens, named in run.batches(
        texts.learnt, size=64, epochs=epochs, collate=example.padded, lengths=lengths, stop=stop
    ):
        run.step(nn.functional.cross_entropy(model(tokens), named))
        steps += 1
    model.eval()
    return {"steps": steps, "right": example.right(model, texts.asked)}

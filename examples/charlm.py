"""A character language model of Python's own library, trained elastically: data that every machine has."""

import argparse
import ast
import dataclasses
import inspect
import math
import statistics
import textwrap
from types import ModuleType

import torch
from torch import nn

import tidewatt as tw

TEXT: tuple[ModuleType, ...] = (argparse, ast, dataclasses, inspect, statistics, textwrap)
CONTEXT, WIDTH, HEADS, LAYERS = 64, 96, 4, 2


def transformer(symbols: int) -> nn.ModuleDict:
    """A small one over characters."""
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.1, batch_first=True, norm_first=True)
    return nn.ModuleDict(
        {
            "symbol": nn.Embedding(symbols, WIDTH),
            "place": nn.Embedding(CONTEXT, WIDTH),
            "layers": nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False),
            "read": nn.Linear(WIDTH, symbols),
        }
    )


def guess(model: nn.ModuleDict, text: torch.Tensor) -> torch.Tensor:
    """Logits of the character after each one of a context, which sees those before it, (rows, symbols)."""
    here = model["symbol"](text) + model["place"](torch.arange(CONTEXT))
    before = nn.Transformer.generate_square_subsequent_mask(CONTEXT)
    logits: torch.Tensor = model["read"](model["layers"](here, mask=before, is_causal=True))
    return logits.flatten(0, 1)


@tw.training(workers=(1, 2), shards=2, deadline="24 h")
def charlm(run: tw.Run, epochs: int = 6, lr: float = 3e-3, sources: int = 3) -> dict[str, float]:
    """Learn to guess the next character of library source, and say how many bits each still takes."""
    text = "".join(inspect.getsource(module) for module in TEXT[:sources])
    symbols = sorted(set(text))
    codes = torch.tensor([symbols.index(character) for character in text])
    windows = codes[: (len(codes) - 1) // CONTEXT * CONTEXT + 1].unfold(0, CONTEXT + 1, CONTEXT)
    train, test = windows[: -len(windows) // 10], windows[-len(windows) // 10 :]

    torch.manual_seed(0)
    model = transformer(len(symbols))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    steps = epochs * math.ceil(len(train) / 64)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1)

    run.track(model, optimizer, scheduler)
    for inputs, targets in run.batches((train[:, :-1], train[:, 1:]), size=64, epochs=epochs):
        run.step(nn.functional.cross_entropy(guess(model, inputs), targets.flatten()))

    model.eval()
    with torch.no_grad():
        left = nn.functional.cross_entropy(guess(model, test[:, :-1]), test[:, 1:].flatten())
    share = torch.bincount(codes, minlength=len(symbols)) / len(codes)
    blind = -(share * share.log2()).sum().item()
    return {"bits": left.item() / math.log(2), "bits_blind": blind}

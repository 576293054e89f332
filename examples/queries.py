"""Customer queries and what they are about: a language model read first, then fine-tuned to tell intents.

The queries beside this file were made from phrases, for this example. `--arg data=/WHOLE/PATH` takes others
in the form of BANKING77: train.csv and test.csv, with the columns text and category.
"""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from typing_extensions import override

import tidewatt as tw

PAD, UNKNOWN, MASK = range(3)
WORD = re.compile(r"[a-z']+|\d+|[^\sa-z\d]")
HERE = Path(__file__).parent / "queries"
Example = tuple[Tensor, int]


class Reader(nn.Module):
    """A transformer over words, with one head that guesses hidden words and one that names the intent."""

    def __init__(self, words: int, intents: int, width: int = 128, layers: int = 2) -> None:
        super().__init__()
        self.word = nn.Embedding(words, width, padding_idx=PAD)
        self.place = nn.Embedding(128, width)
        for table in (self.word, self.place):
            nn.init.normal_(table.weight, std=0.3)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.intent = nn.Sequential(nn.Dropout(0.3), nn.Linear(width, intents))

    def read(self, tokens: Tensor) -> Tensor:
        """Each word in its place, (batch, words, width)."""
        places = self.place(torch.arange(tokens.shape[1]))
        seen: Tensor = self.layers(self.word(tokens) + places, src_key_padding_mask=tokens == PAD)
        return seen

    def hidden(self, tokens: Tensor) -> Tensor:
        """How likely each word is in each place, (batch, words, vocabulary)."""
        return self.read(tokens) @ self.word.weight.T

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        """How likely each intent is, (batch, intents)."""
        there = (tokens != PAD).unsqueeze(2)
        mean = (self.read(tokens) * there).sum(1) / there.sum(1)
        named: Tensor = self.intent(mean)
        return named


def rows(file: Path) -> list[tuple[list[str], str]]:
    """Words and category of each query."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [(WORD.findall(row["text"].lower())[:128], row["category"]) for row in csv.DictReader(lines)]


def padded(examples: list[Example]) -> tuple[Tensor, Tensor]:
    """A batch: words (batch, longest) and intents (batch)."""
    tokens = nn.utils.rnn.pad_sequence([tokens for tokens, _ in examples], batch_first=True)
    return tokens, torch.tensor([intent for _, intent in examples])


def hide(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The words with one in five hidden, and where."""
    where = (torch.rand(tokens.shape) < 0.2) & (tokens != PAD)
    where[:, 0] |= ~where.any(1)
    return tokens.masked_fill(where, MASK), where


def right(model: Reader, examples: list[Example]) -> float:
    """The share of queries whose intent is named right."""
    with torch.no_grad():
        found = [
            (model(tokens).argmax(1) == intents) for tokens, intents in map(padded, in_fifties(examples))
        ]
    return torch.cat(found).float().mean().item()


def in_fifties(examples: list[Example]) -> list[list[Example]]:
    """Batches of queries of like length."""
    ordered = sorted(examples, key=lambda example: len(example[0]))
    return [ordered[i : i + 50] for i in range(0, len(ordered), 50)]


@dataclass(frozen=True)
class Texts:
    """Queries as numbers: those to learn from, a tenth held out of them, and those of the test."""

    learnt: list[Example]
    held_out: list[Example]
    asked: list[Example]
    words: int
    """How many there are, the three with a meaning of their own included."""
    intents: list[str]


def texts(folder: Path) -> Texts:
    """The queries of a folder, their words numbered by how common they are."""
    train, test = rows(folder / "train.csv"), rows(folder / "test.csv")
    counts = Counter(word for words, _ in train for word in words)
    number = {word: MASK + 1 + i for i, (word, _) in enumerate(counts.most_common(8000))}
    intents = sorted({category for _, category in train})
    learnt, asked = (
        [
            (torch.tensor([number.get(word, UNKNOWN) for word in words]), intents.index(is_))
            for words, is_ in part
        ]
        for part in (train, test)
    )
    rest = [example for i, example in enumerate(learnt) if i % 10]
    return Texts(rest, learnt[::10], asked, MASK + 1 + len(number), intents)


@tw.training(workers=(1, 2), shards=2, deadline="24 h")
def queries(
    run: tw.Run, data: str = "", reading: int = 20, epochs: int = 40, lr: float = 1e-3
) -> dict[str, float]:
    """Read queries without their intents, then learn those until a held-out tenth gets no better."""
    given = texts(Path(data) if data else HERE)
    lengths = [len(tokens) for tokens, _ in given.learnt]
    torch.manual_seed(0)
    model = Reader(given.words, len(given.intents))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))
    run.track(model, optimizer, warm_up)

    for tokens, _ in run.batches(given.learnt, size=64, epochs=reading, collate=padded, lengths=lengths):
        guessed, where = hide(tokens)
        with run.autocast():
            loss = nn.functional.cross_entropy(model.hidden(guessed)[where], tokens[where])
        run.step(loss, clip_norm=1.0)

    stop = tw.EarlyStopping(measure=lambda: right(model, given.held_out), patience=5, mode="max")
    for tokens, intents in run.batches(
        given.learnt, size=64, epochs=epochs, collate=padded, lengths=lengths, stop=stop
    ):
        with run.autocast():
            loss = nn.functional.cross_entropy(model(tokens), intents)
        run.step(loss, clip_norm=1.0)

    model.eval()
    most_common = Counter(intent for _, intent in given.asked).most_common(1)[0][1]
    return {"right": right(model, given.asked), "right_blind": most_common / len(given.asked)}

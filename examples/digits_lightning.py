"""Handwritten digits under a Lightning Trainer; needs lightning and torchdata."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchdata.stateful_dataloader import StatefulDataLoader as DataLoader
from typing_extensions import override

import tidewatt as tw
from tidewatt.elastic.lightning import TidewattCallback


class Digits(LightningModule):
    """A small convolutional network."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.network = nn.Sequential(
            nn.Unflatten(1, (1, 8)),
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(32 * 4 * 4, 10),
        )

    @override
    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.network(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    @override
    def configure_optimizers(self) -> Any:  # as the framework types it
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


@tw.training(deadline="24 h")
def digits(run: tw.Run, epochs: int = 30, lr: float = 2e-3) -> dict[str, float]:
    """Train on scikit-learn's bundled digits and test."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype("float32") / 16
    train_x, test_x, train_y, test_y = map(
        torch.tensor, train_test_split(images, labels, test_size=0.25, random_state=0)
    )
    model = Digits(lr)
    train = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    keep = TidewattCallback(run)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[keep],
    )
    trainer.fit(model, train, ckpt_path=keep.checkpoint)

    model.eval()
    with torch.no_grad():
        right = model.network(test_x).argmax(1) == test_y
    return {"accuracy": right.float().mean().item()}

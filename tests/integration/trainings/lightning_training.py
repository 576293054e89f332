"""A small network under a Lightning Trainer: dropout, batch norm, a schedule, validation, accumulation."""

import hashlib
import logging
import warnings
from typing import Any

import torch
from holding import hold  # type: ignore[import-not-found]  # beside this file
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchdata.stateful_dataloader import StatefulDataLoader
from typing_extensions import override

import tidewatt as tw
from tidewatt.elastic.lightning import TidewattCallback

logging.getLogger("lightning").setLevel(logging.ERROR)


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Points of two classes, moved a little each time they are looked at."""

    def __init__(self, count: int) -> None:
        self._points = torch.randn(count, 6)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._points)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        point = self._points[index]
        return point + 0.1 * torch.randn(6), (point.sum() > 0).long()


class Net(LightningModule):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
        )

    def _loss(self, batch: list[Tensor]) -> Tensor:
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    @override
    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self._loss(batch)
        self.log("loss", loss)
        return loss

    @override
    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("validation", self._loss(batch) + torch.rand(()))

    @override
    def configure_optimizers(self) -> Any:  # as the framework types it
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


@tw.training(checkpoint_every="0.2 s")
def net(
    run: tw.Run,
    epochs: int = 5,
    accumulate: int = 2,
    validate: int = 25,
    plain: bool = False,
    gate: str = "",
    after: int = 0,
) -> str:
    """A fingerprint of the weights and the optimizer's moments."""
    warnings.simplefilter("ignore")
    loader = DataLoader if plain else StatefulDataLoader
    train, test = (loader(Noisy(count), 8, shuffle=count > 50) for count in (200, 40))
    keep = TidewattCallback(run)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[keep],
        accumulate_grad_batches=accumulate,
        val_check_interval=validate,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Net()
    hold(model.layers, gate, after)
    trainer.fit(model, train, test, ckpt_path=keep.checkpoint)
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    for moments in trainer.optimizers[0].state_dict()["state"].values():
        for value in moments.values():
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()

"""A small BERT under a Hugging Face Trainer: dropout, a warm-up, accumulated gradients, evaluation."""

import hashlib
from pathlib import Path

import torch
from holding import hold  # type: ignore[import-not-found]  # beside this file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from transformers.utils import logging

import tidewatt as tw
from tidewatt.elastic.huggingface import TidewattCallback

logging.set_verbosity(40)  # errors


def examples(count: int) -> list[dict[str, torch.Tensor | int]]:
    """Sequences whose class is their first token."""
    tokens = torch.randint(1, 40, (count, 12))
    return [{"input_ids": row, "labels": int(row[0]) % 3} for row in tokens]


@tw.training(checkpoint_every="0.2 s")
def bert(
    run: tw.Run, out: str, epochs: int = 4, save_only_model: bool = False, gate: str = "", after: int = 0
) -> str:
    """A fingerprint of the weights and the optimizer's moments."""
    config = BertConfig(
        vocab_size=40,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        id2label=dict(enumerate("abc")),
    )
    model = BertForSequenceClassification(config)
    hold(model, gate, after)
    arguments = TrainingArguments(
        out,
        num_train_epochs=epochs,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        warmup_steps=4,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=7,
        save_total_limit=1,
        save_only_model=save_only_model,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    keep = TidewattCallback(run)
    trainer = Trainer(
        model, arguments, train_dataset=examples(120), eval_dataset=examples(20), callbacks=[keep]
    )
    trainer.train(resume_from_checkpoint=keep.checkpoint)
    Path(out, "steps").write_text(str(trainer.state.global_step))
    return fingerprint(model, trainer.optimizer)


def fingerprint(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> str:
    """Of every bit of both."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    assert optimizer is not None
    for moments in optimizer.state_dict()["state"].values():
        for value in moments.values():
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()

"""What queries are about, learnt by a small BERT under a Hugging Face Trainer; needs transformers."""

from tempfile import TemporaryDirectory
from typing import Any

import torch
from queries import HERE, PAD, padded, texts  # type: ignore[import-not-found]  # beside this file
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import tidewatt as tw
from tidewatt.elastic.huggingface import TidewattCallback


def batch(examples: list[tuple[torch.Tensor, int]]) -> dict[str, Any]:
    """What the model takes: words, where there are any, and the intents."""
    tokens, intents = padded(examples)
    return {"input_ids": tokens, "attention_mask": (tokens != PAD).long(), "labels": intents}


@tw.training(deadline="24 h")
def intents(run: tw.Run, epochs: int = 12, lr: float = 1e-3) -> dict[str, float]:
    """Learn the intents of the queries beside this file."""
    given = texts(HERE)
    config = BertConfig(
        vocab_size=given.words,
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        id2label=dict(enumerate(given.intents)),
    )
    model = BertForSequenceClassification(config)

    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=32,
            learning_rate=lr,
            lr_scheduler_type="cosine",
            save_strategy="no",
            logging_steps=20,
            report_to="none",
            disable_tqdm=True,
        )
        keep = TidewattCallback(run)
        trainer = Trainer(
            model,
            arguments,
            train_dataset=given.learnt,
            data_collator=batch,
            callbacks=[keep],
        )
        trainer.train(resume_from_checkpoint=keep.checkpoint)

    model.train(mode=False)
    asked = batch(given.asked)
    with torch.no_grad():
        right = model(**asked).logits.argmax(1) == asked["labels"]
    return {"right": right.float().mean().item()}

"""Handwritten digits, trained elastically: an ordinary PyTorch loop with five changed lines."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import tidewatt as tw


@tw.training(workers=(1, 2), shards=4, deadline="36 h")
def digits(run: tw.Run, epochs: int = 100, lr: float = 2e-3) -> dict[str, float]:
    """Train a small convolutional network on scikit-learn's bundled digits and test it."""
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=0)

    model = nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 4 * 4, 10),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    data = (tensor(train_x), torch.tensor(train_y))

    run.track(model, optimizer)
    for inputs, targets in run.batches(data, size=128, epochs=epochs):
        loss = criterion(model(inputs), targets)
        run.step(loss)

    model.eval()
    with torch.no_grad():
        right = model(tensor(test_x)).argmax(1) == torch.tensor(test_y)
    return {"accuracy": right.float().mean().item()}


def tensor(images: object) -> torch.Tensor:
    """Images of 8 rows of 8 pixels, scaled to the unit interval."""
    return torch.tensor(images, dtype=torch.float32).reshape(-1, 8, 8) / 16

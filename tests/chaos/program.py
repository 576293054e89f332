"""A client as users write one: started again after it was killed, it asks for the same by the same keys.

Each line that it prints is something that has happened; the last is what everything came to, as JSON.
"""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import tidewatt as tw

TRAININGS = range(2)
LOCKS = "locks"
"""Below the folder that this is called with: a file for each job and rank, locked while that is worked at."""
TWICE = "twice"
"""The same: a file for each job that was found being worked at by another."""


@contextmanager
def alone(folder: str, name: str) -> Generator[None]:
    """Note it if somebody else is at the same work; the kernel lets go of the lock of whoever dies."""
    import fcntl  # noqa: PLC0415 - functions that are sent by value bring their imports along
    import os  # noqa: PLC0415 - the same

    with (Path(folder) / "locks" / name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            (Path(folder) / "twice" / f"{name}.{os.getpid()}").touch()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@tw.training(workers=(1, 2), shards=2, checkpoint_every="100 ms")
def learn(run: tw.Run, seed: int, name: str, folder: str) -> str:
    """Train a small network with all that an exact resume has to bring back; a digest of what it learned."""
    import hashlib  # noqa: PLC0415 - the same

    import torch  # noqa: PLC0415 - a client needs none
    from torch import nn  # noqa: PLC0415 - the same

    with alone(folder, f"{name}.rank{run.rank}"):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(), nn.Linear(256, 4)
        )
        optimizer = torch.optim.AdamW(model.parameters())
        data = (torch.randn(2000, 64), torch.randint(0, 4, (2000,)))
        run.track(model, optimizer)
        for inputs, targets in run.batches(data, size=100, epochs=25):
            run.step(nn.functional.cross_entropy(model(inputs), targets))
        bits = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
        return hashlib.sha256(bits).hexdigest()


@tw.function()
def weigh(number: int, name: str, folder: str) -> int:
    """A durable call: some work, some waiting, and a result that depends on its argument."""
    from threading import Event  # noqa: PLC0415 - the same

    with alone(folder, name):
        Event().wait(0.05)
        return sum(i * number % 7 for i in range(100_000))


@tw.function(retries=12, backoff="10 ms")
def square(number: int) -> int:
    """A direct call; it may be made again, and says so."""
    from threading import Event  # noqa: PLC0415 - the same

    Event().wait(0.01)
    return number * number


def weighed(number: int) -> int:
    """What a durable call comes to, undisturbed and without anybody's help."""
    return sum(i * number % 7 for i in range(100_000))


def say(*what: object) -> None:
    """Tell that something has happened."""
    print(*what, flush=True)  # noqa: T201 - whoever started this program reads along


def main(folder: str, wave: str, jobs: int, items: int) -> None:
    """Ask for everything, in the order in which a user would, and say what it came to."""
    calls = {}
    for seed in TRAININGS:
        name = f"learn-{wave}-{seed}"
        calls[name] = learn.submit(seed=seed, name=name, folder=folder, idempotency_key=name)
        say("submitted", name)
    for number in range(jobs):
        name = f"weigh-{wave}-{number}"
        calls[name] = weigh.submit(number, name, folder, idempotency_key=name)
        say("submitted", name)
    squares: list[int] = []
    for found in square.map(range(items)):
        squares.append(found)
        say("mapped", found)
    one_by_one = [square.remote(number) for number in range(min(3, items))]
    results = {}
    for name, call in calls.items():
        results[name] = call.result()
        say("has", name)
    ids = {name: call.id for name, call in calls.items()}
    say(json.dumps({"results": results, "squares": squares, "one_by_one": one_by_one, "jobs": ids}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

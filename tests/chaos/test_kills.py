"""Laws 1, 2, 3, 5 and 9 under fire: processes are killed at random, by a seed that replays.

TIDEWATT_CHAOS_SEED chooses another seed and TIDEWATT_CHAOS_KILLS how many kills there are.
"""

import os
import random
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import psutil

from tidewatt.domain.lifecycle import State
from tidewatt.policy import cheapest
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

SEED = int(os.environ.get("TIDEWATT_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("TIDEWATT_CHAOS_KILLS", "12"))
ProcessesOf = Callable[[Client], list[psutil.Process]]

JOBS = """
import hashlib
import torch
from torch import nn
import tidewatt as tw


@tw.training(workers=(1, 2), shards=2, checkpoint_every="100 ms")
def learn(run, seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(), nn.Linear(256, 4))
    optimizer = torch.optim.AdamW(model.parameters())
    data = (torch.randn(2000, 64), torch.randint(0, 4, (2000,)))
    run.track(model, optimizer)
    for inputs, targets in run.batches(data, size=100, epochs=60):
        run.step(nn.functional.cross_entropy(model(inputs), targets))
    bits = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(bits).hexdigest()


@tw.function()
def add(a, b):
    return a + b
"""


def submit(client: Client, file: Path, function: str, arguments: dict[str, object]) -> str:
    path, handle = load(f"{file}:{function}")
    return client.submit(handle, arguments, Options(source=path))


def finish(client: Client, jobs: list[str]) -> dict[str, object]:
    """Results of jobs once all have ended."""
    return {job: client.result(job) for job in jobs}


def kill_at_random(client: Client, jobs: list[str], dice: random.Random, processes_of: ProcessesOf) -> int:
    """Kill processes while the jobs go on, each time after a random number of updates; how many died."""
    killed = 0
    while killed < KILLS:
        open_jobs = [job for job in jobs if client.job(job).ended_at is None]
        if not open_jobs:
            return killed
        wait_for = dice.randint(1, 8)
        for _ in client.follow(dice.choice(open_jobs)):
            wait_for -= 1
            if wait_for == 0:
                break
        victims = processes_of(client)
        if victims:
            victim = dice.choice(victims)
            if victim.is_running():
                victim.send_signal(signal.SIGKILL)
                killed += 1
    return killed


def test_every_job_ends_once_and_right_whoever_is_killed(
    client: Client, tmp_path: Path, processes_of: ProcessesOf
) -> None:
    file = tmp_path / "jobs.py"
    file.write_text(JOBS)
    expected = finish(client, [submit(client, file, "learn", {"seed": seed}) for seed in (1, 2)])
    right = dict(zip((1, 2), expected.values(), strict=True))

    jobs = {submit(client, file, "learn", {"seed": seed}): right[seed] for seed in (1, 2)}
    jobs |= {submit(client, file, "add", {"a": n, "b": 1}): n + 1 for n in range(3)}
    killed = kill_at_random(client, list(jobs), random.Random(SEED), processes_of)  # noqa: S311 - a game of chance that replays
    assert finish(client, list(jobs)) == jobs
    assert killed > 0

    for job in jobs:
        events = client.store.events(job)
        assert [e.after for e in events].count(State.SUCCEEDED) == 1
        moves = [e for e in events if e.before != e.after]
        assert all(one.after == two.before for one, two in pairwise(moves))
        tokens = [attempt.token for attempt in client.store.attempts(job)]
        assert tokens == list(range(1, len(tokens) + 1))
    shares: dict[float, int] = {}
    readings: dict[float, int] = {}
    for entry in client.store.ledger():
        shares[entry.reading.start_at] = shares.get(entry.reading.start_at, 0) + entry.allocation.energy_uj
        readings[entry.reading.start_at] = entry.reading.energy_uj
    assert shares == readings
    for snapshot, plan in client.store.plans():  # law 5, on snapshots of the live loop
        assert cheapest.decide(snapshot) == plan.about({job.id for job in snapshot.jobs})
    parts = [path.name for path in client.home.path.rglob("*") if path.suffix in (".part", ".tmp")]
    assert parts == []

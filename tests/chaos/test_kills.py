"""Laws 1 to 5 and 9 under fire: processes are killed and stopped at random, as a seed has it.

TIDEWATT_CHAOS_SEED chooses another seed and TIDEWATT_CHAOS_KILLS how many kills there are, in two halves that
can run beside each other. What is done to whom is replayed by the seed; the moment at which it falls depends
on the machine too.
"""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from tests.chaos import program, whole
from tests.chaos.folder import Folder, Wave
from tests.chaos.harm import Harm, Target, schedule

SEED = int(os.environ.get("TIDEWATT_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("TIDEWATT_CHAOS_KILLS", "12"))
LONG = 100
"""With so many kills it is the long form, in which all is tried."""
HALVES = 2
_AT_ONCE = 40
"""Kills for one run of the client program: with more it would never come to its end."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("half", range(HALVES))
def test_every_job_ends_once_and_right_whoever_is_killed(folder: Folder, half: int) -> None:
    harms = schedule(SEED * HALVES + half)
    try:
        jobs = attack(folder, harms, KILLS // HALVES)
        whole.check(folder, jobs)
    finally:
        replay = f"TIDEWATT_CHAOS_SEED={SEED} TIDEWATT_CHAOS_KILLS={KILLS} pytest tests/chaos -k '[{half}]'"
        print(f"{replay}\nkilled {said(folder.killed)}\nstopped {said(folder.stopped)}")  # noqa: T201 - told with a failure
        print("\n".join(map(str, folder.done)))  # noqa: T201 - the same


def attack(folder: Folder, harms: Iterator[Harm], kills: int) -> dict[str, str]:
    """Run the client program until so many were killed; whatever it comes to is right. Its jobs by key."""
    straight = folder.run(Wave("straight"), harms, 0)
    learnt = [straight["results"][f"learn-straight-{seed}"] for seed in program.TRAININGS]
    jobs = dict(straight["jobs"])
    for number in count():
        some = min(_AT_ONCE, kills - folder.killed.total())
        wave = Wave(str(number), jobs=some, items=3 * some)
        found = folder.run(wave, harms, some)
        jobs |= found["jobs"]
        assert found["results"] == {
            **{f"learn-{number}-{seed}": learnt[seed] for seed in program.TRAININGS},
            **{f"weigh-{number}-{n}": program.weighed(n) for n in range(wave.jobs)},
        }
        assert found["squares"] == [n * n for n in range(wave.items)]
        assert found["one_by_one"] == [0, 1, 4][: wave.items]
        if folder.killed.total() >= kills:
            break
    return jobs


def said(counts: Counter[Target]) -> str:
    """How often whom."""
    return ", ".join(f"{number} {target}" for target, number in counts.most_common())

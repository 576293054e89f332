"""Triggers as a user has them: real files and times, processes killed at any moment, and nothing left."""

import json
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from tests import records
from tests.integration.shells import SOON, Shell

import tidewatt as tw
from tidewatt import waiting
from tidewatt.adapters.waiting.folders import Look
from tidewatt.domain.ledger import UNALLOCATED, Allocation, Phase
from tidewatt.domain.lifecycle import State
from tidewatt.domain.trigger import at_time
from tidewatt.errors import UsageError
from tidewatt.policy.ripe import arrival
from tidewatt.sdk import deploying, firing
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load
from tidewatt.wiring import Home, clock_of

SEED = int(os.environ.get("TIDEWATT_CHAOS_SEED", "1"))
PIPELINE = """
from pathlib import Path

import tidewatt as tw


@tw.function(on=tw.files("inbox/**/*.txt", settle="100 ms"))
def count(path):
    return {"path": path, "size": Path(path).stat().st_size}


@tw.function(after=count)
def judge(counted, factor=2):
    return counted["size"] * factor


@tw.function(schedule=tw.cron("* * * * *", missed="all", most=3))
def tick(due):
    return due.isoformat()
"""


class Desk:
    """A folder with a pipeline and an inbox, and a shell on a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.file = folder / "pipeline.py"
        self.file.write_text(PIPELINE)
        self.user = folder / "user"
        self.shell = Shell(folder / "home", {"HOME": str(self.user), "XDG_CONFIG_HOME": str(self.user)})

    def watcher(self) -> psutil.Process:
        (only,) = [p for p in self.shell.alive() if "tidewatt.adapters.waiting.watcher" in p.cmdline()]
        return only

    def jobs(self, function: str) -> list[Any]:
        jobs = self.shell.json("jobs", "--all")
        return [job for job in jobs if job["function"] == function]

    def until(self, function: str, count: int, state: str = "succeeded") -> list[Any]:
        """The jobs of a function once so many are in a state; that they come is what is tested."""
        for _ in range(int(SOON / 0.2)):
            jobs = self.jobs(function)
            if sum(job["state"] == state for job in jobs) >= count:
                return jobs
            Event().wait(0.2)
        raise AssertionError((function, jobs, (self.shell.home / "watcher.log").read_text()))

    def add(self, function: str) -> None:
        self.shell.run("triggers", "add", f"{self.file}:{function}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk at which in the end no process is left once its triggers are removed."""
    desk = Desk(tmp_path)
    yield desk
    for trigger in desk.shell.json("triggers"):
        desk.shell.run("triggers", "remove", trigger["trigger"])
    _, alive = psutil.wait_procs(desk.shell.alive(), timeout=SOON)
    for process in alive:
        process.kill()
    assert alive == []
    assert not (desk.shell.home / "supervisor.sock").exists()
    assert not desk.user.exists(), "something was left in the user's home"


def test_a_file_that_came_before_and_one_that_comes_later_get_one_job_each(desk: Desk) -> None:
    (desk.inbox / "early.txt").write_text("12345")
    desk.add("count")
    desk.until("count", 1)
    odd = os.fsencode(desk.inbox) + b"/deep/a b\n\xff.txt"
    (desk.inbox / "deep").mkdir()
    Path(os.fsdecode(odd)).write_text("1")
    (desk.inbox / "other.csv").write_text("does not match")
    jobs = desk.until("count", 2)
    shown = {desk.shell.json("show", job["job"])["result"]["path"] for job in jobs}
    assert shown == {str(desk.inbox / "early.txt"), os.fsdecode(odd)}
    assert [t["jobs"] for t in desk.shell.json("triggers")] == [2]


def test_a_file_is_not_finished_while_it_is_written_nor_twice_when_its_times_are_set(desk: Desk) -> None:
    desk.add("count")
    with (desk.inbox / "slow.txt").open("w") as slow:
        slow.write("half")
        slow.flush()
        (desk.inbox / "quick.txt").write_text("whole")
        desk.until("count", 1)
        assert len(desk.jobs("count")) == 1
        slow.write(", whole")
    desk.until("count", 2)
    source = desk.file.parent / "old"
    source.write_text("copied")
    os.utime(source, (1, 1))
    shutil.copy2(source, desk.inbox / "copied.txt")  # closes the file, then sets its times
    jobs = desk.until("count", 3)
    assert len(jobs) == 3
    (desk.inbox / "quick.txt").write_text("changed")
    assert len(desk.until("count", 4)) == 4


def test_a_job_follows_each_success_with_its_result_and_tells_its_trigger(desk: Desk) -> None:
    desk.shell.run("triggers", "add", f"{desk.file}:judge", "--arg", "factor=3")
    desk.add("count")
    (desk.inbox / "five.txt").write_text("12345")
    (counted,) = desk.until("count", 1)
    (judged,) = desk.until("judge", 1)
    told = desk.shell.json("show", judged["job"])
    assert told["result"] == 15
    assert told["trigger"] == {"name": "judge", "said": f"after {counted['job']}"}
    assert f"trigger judge, after {counted['job']}" in desk.shell.run("receipt", judged["job"])[0].replace(
        "\n", " "
    )
    receipt = json.loads(desk.shell.run("receipt", counted["job"], "--format", "json")[0])
    assert receipt["trigger"].startswith("count, file ")


def test_the_watcher_sleeps_small_and_ends_with_the_last_trigger(desk: Desk) -> None:
    desk.add("count")
    (desk.inbox / "one.txt").write_text("1")
    desk.until("count", 1)
    watcher = desk.watcher()
    psutil.wait_procs([p for p in desk.shell.alive() if p != watcher], timeout=SOON)
    before = watcher.cpu_times()
    switches = watcher.num_ctx_switches()
    Event().wait(1.0)
    assert watcher.cpu_times()[:2] == before[:2]
    assert watcher.num_ctx_switches() == switches, "it woke for nothing"
    rollup = Path(f"/proc/{watcher.pid}/smaps_rollup").read_text()
    pss_kb = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss_kb < 30 * 1024
    libraries = Path(f"/proc/{watcher.pid}/maps").read_text()
    assert not any(name in libraries for name in ("torch", "numpy", "sqlite", "sqlalchemy"))
    out, _ = desk.shell.run("doctor")
    assert f"a watcher sleeps for them, process {watcher.pid}" in out
    desk.shell.run("triggers", "remove", "count")
    watcher.wait(SOON)


def test_a_watcher_that_was_killed_is_missed_and_replaced_and_no_file_is(desk: Desk) -> None:
    desk.add("count")
    while alive := desk.shell.alive():  # a look that is under way begins another watcher
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=SOON)
    (desk.inbox / "meanwhile.txt").write_text("x")
    out, _ = desk.shell.run("doctor")
    assert "nobody waits for them" in out
    _, told = desk.shell.run("triggers")
    assert "a watcher was started" in told
    assert len(desk.until("count", 1)) == 1


def test_wherever_a_kill_falls_each_file_gets_one_job_and_each_job_one_follower(desk: Desk) -> None:
    """Watchers, looks, supervisors, zygotes and workers are killed while files come in."""
    dice = random.Random(SEED)  # noqa: S311 - a seed that replays
    desk.add("count")
    desk.add("judge")
    for n in range(24):
        (desk.inbox / f"{n}.txt").write_text("x" * n)
        Event().wait(dice.uniform(0.02, 0.25))
        victims = [p for p in desk.shell.alive() if p.pid != os.getpid()]
        if victims and dice.random() < 0.7:
            with suppress(psutil.NoSuchProcess):
                dice.choice(victims).send_signal(signal.SIGKILL)
    counted = desk.until("count", 24)
    judged = desk.until("judge", 24)
    assert len(counted) == len(judged) == 24
    paths = Counter(desk.shell.json("show", job["job"])["result"]["path"] for job in counted[:6])
    assert set(paths.values()) == {1}
    assert [t["jobs"] for t in desk.shell.json("triggers")] == [24, 24]
    folders = {folder.name for folder in (desk.shell.home / "jobs").iterdir()}
    assert folders == {job["job"] for job in [*counted, *judged]}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client in this process, whose looks are made here; it ends with no trigger and no process."""
    for name, value in (
        ("TIDEWATT_HOME", str(tmp_path / "home")),
        ("TIDEWATT_WAITER", "watcher"),
        ("TIDEWATT_ZONE", "DE"),
        ("TIDEWATT_LINGER_S", "0"),
    ):
        monkeypatch.setenv(name, value)
    shell = Shell(tmp_path / "home")
    with Client() as client:
        yield client
        for trigger in client.triggers.all():
            deploying.remove(client, trigger.name)
        firing.fire(client)
    shell.run("jobs")
    psutil.wait_procs([p for p in shell.alive() if p.pid != os.getpid()], timeout=SOON)
    assert [p for p in shell.alive() if p.pid != os.getpid()] == []


def deployed(client: Client, folder: Path, function: str) -> None:
    file = folder / "pipeline.py"
    file.write_text(PIPELINE)
    path, handle = load(f"{file}:{function}")
    deploying.deploy(client, handle, {}, source=path)


def test_missed_times_are_made_up_for_once_and_up_to_their_bound(own: Client, tmp_path: Path) -> None:
    deployed(own, tmp_path, "tick")
    now = clock_of(None).wall()
    own.triggers.reach("tick", now - 3600)
    assert len(firing.fire(own).jobs) == 3
    own.triggers.reach("tick", now - 3600)  # as if it had been killed before it took note
    assert len(firing.fire(own).jobs) <= 1, "a minute may have begun since"
    own.triggers.reach("tick", now + 10 * 365 * 86400)  # as if the clock had been set back by years
    assert len(firing.fire(own).jobs) <= 1
    assert own.triggers.all()[0].reached_wall < now + 3600
    job = next(job for job in own.store.jobs() if own.triggers.origin_of(job.id))
    origin = own.triggers.origin_of(job.id)
    assert origin is not None
    result = own.result(job.id)
    assert origin.key == result.replace("+00:00", "Z")
    assert origin == at_time("tick", datetime.fromisoformat(result).timestamp())


def test_a_function_is_deployed_from_python_with_the_code_that_it_had(own: Client) -> None:
    def greet(due: datetime, name: str) -> str:
        return f"{name} at {due:%M:%S}"

    handle = tw.function(schedule="0 0 1 1 *")(greet)
    with pytest.raises(UsageError, match="to be filled"):
        handle.deploy("yearly")
    with pytest.raises(UsageError, match="plain Python value"):
        handle.deploy("yearly", name=object())
    deploying.deploy(own, handle, {"name": "Ada"}, name="yearly")
    own.triggers.reach("yearly", clock_of(None).wall() - 400 * 86400)
    (job_id,) = firing.fire(own).jobs
    assert own.result(job_id) == "Ada at 00:00"
    (trigger,) = own.triggers.all()
    code = firing.folder_of(own.home, trigger) / trigger.payload.path
    code.write_bytes(code.read_bytes() + b"x")
    fired, now = firing.Fired(), datetime.fromtimestamp(clock_of(None).wall(), UTC)
    first, second = (firing.Case(at_time("yearly", wall), now, "") for wall in (0.0, 60.0))
    firing.submit_each(own, trigger, [first], fired)
    assert fired.jobs == []
    assert "was changed" in str(fired.problems)
    handle.deploy("yearly", name="Eve")
    firing.submit_each(own, own.triggers.all()[0], [first, second], fired)
    (job_id,) = fired.jobs
    own.wake()
    assert own.result(job_id) == f"Eve at {now:%M:%S}"
    assert own.triggers.counts("yearly") == (2, 1)


def test_a_success_whose_supervisor_died_at_once_is_followed_by_the_next_one(
    own: Client, tmp_path: Path
) -> None:
    """The occasion is noted with the success: who starts next finds it, with no job to be done."""
    deployed(own, tmp_path, "judge")
    path, handle = load(f"{tmp_path / 'pipeline.py'}:count")
    (tmp_path / "five.txt").write_text("12345")
    shell = Shell(tmp_path / "home")
    counted = own.submit(handle, {"path": str(tmp_path / "five.txt")}, Options(source=path))
    own.result(counted)
    killed = [process for process in shell.alive() if process.pid != os.getpid()]
    for process in killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(killed, SOON)  # until it has ended, a supervisor holds the folder
    own.wake()
    for _ in range(int(SOON / 0.1)):
        if len(own.store.jobs()) == 2:
            break
        Event().wait(0.1)
    _, judged = own.store.jobs()
    assert own.result(judged.id) == 10
    own.wake()
    assert len(own.store.jobs()) == 2


def test_a_thousand_files_at_once_are_each_submitted_once(own: Client, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    deployed(own, tmp_path, "count")
    for n in range(1000):
        (inbox / f"{n}.txt").write_text("x")
    (trigger,) = own.triggers.all()
    files = Look(str(inbox / "*.txt")).files
    cases = [firing.Case(arrival("count", seen), seen.path, repr(seen.path)) for seen in files]
    fired = firing.Fired()
    for _ in range(2):
        firing.submit_each(own, trigger, cases, fired)
    assert len(fired.jobs) == 1000
    assert own.triggers.counts("count") == (1000, 0)
    assert len({job.submission.arguments["path"] for job in own.store.jobs()}) == 1000
    for job in own.store.jobs():  # nobody is to run them
        own.store.move(job.id, State.QUEUED, State.CANCELLED, at=1.0, wall=1.0)


def test_a_replay_holds_triggers_back_and_refuses_new_ones(own: Client, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    deployed(own, tmp_path, "count")
    (inbox / "a.txt").write_text("x")
    path, handle = load(f"{tmp_path / 'pipeline.py'}:judge")
    shell = Shell(tmp_path / "home")
    replayed = own.submit(
        handle,
        {"counted": {"size": 1}},
        Options(source=path, start_at=1654088400.0, deadline_s=86400.0),
    )
    own.hold(replayed)
    fired = firing.fire(own, stay=True)
    assert fired.jobs == []
    assert "replay" in str(fired.problems)
    assert shell.run("triggers", "add", f"{path}:judge", code=3)[1].startswith(
        "tidewatt: found a state folder"
    )
    own.cancel(replayed)
    for _ in own.follow(replayed):
        pass
    assert len(firing.fire(own, stay=True).jobs) + own.triggers.counts("count")[0] >= 1


def test_a_budget_that_is_used_up_refuses_what_a_trigger_submits(own: Client, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    deployed(own, tmp_path, "count")
    now = clock_of(None).now()
    drawn = records.reading(10_000_000, start_at=now - 1.0)
    nobodys = Allocation(account=UNALLOCATED, phase=Phase.NONE, energy_uj=10_000_000)
    own.store.record_energy(drawn, [nobodys])
    (own.home.path / "budget.toml").write_text('[month]\nenergy = "1 J"\nwhen_reached = "refuse"\n')
    (inbox / "a.txt").write_text("x")
    fired = firing.fire(own, stay=True)
    assert fired.jobs == []
    assert "the machine's energy budget of 1.00 J" in str(fired.problems)
    assert own.store.jobs() == []


def test_what_does_not_fit_is_refused_in_words(desk: Desk) -> None:
    desk.file.write_text(
        "import tidewatt as tw\n"
        "@tw.function()\ndef plain(): ...\n"
        "@tw.function(on=tw.files('*.x'))\ndef blind(): ...\n"
        "@tw.function(schedule='0 3 * * *')\ndef two(a, b): ...\n"
        "@tw.function(schedule='0 3 * * *')\ndef fine(a): ...\n"
    )
    for words, wanted in (
        ("plain", "waits for nothing"),
        ("blind", "one for the path"),
        ("two", "one parameter without a default"),
        ("absent", "no decorated function"),
    ):
        _, err = desk.shell.run("triggers", "add", f"{desk.file}:{words}", code=2)
        assert wanted in err
        assert "Traceback" not in err
    _, err = desk.shell.run("triggers", "add", f"{desk.file}:fine", "--name", "../up", code=2)
    assert "a name of letters" in err
    _, err = desk.shell.run("triggers", "remove", "nothing", code=2)
    assert "no trigger" in err
    assert desk.shell.json("triggers") == []
    assert waiting.waiter(Home(desk.shell.home)).kind == "nobody"

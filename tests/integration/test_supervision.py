"""What the supervisor promises beside training: limits, retries, privacy, and to be gone when idle."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.orders import order_of

import tidewatt as tw
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.engines.processes import end_all
from tidewatt.domain.function import WorkerRange
from tidewatt.domain.lifecycle import State
from tidewatt.errors import JobFailed, UsageError
from tidewatt.policy.hopeless import MOST_LOST
from tidewatt.ports import Exited
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

ProcessesOf = Callable[[Client], list[psutil.Process]]
PATIENCE_S = 30.0
BARE = Options()

LEARN = """
import torch
@tw.training(checkpoint_every="1 h")
def learn(run):
    model = torch.nn.Linear(4, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for (x,) in run.batches((torch.randn(64, 4),), size=1, epochs=60):
        run.step(model(x).square().mean())
    return "learned"
"""
"""A training of 3,840 short steps that saves nothing unless it is asked to leave."""


@tw.function()
def half(number: int) -> int:
    return number // 2


def submit(
    client: Client,
    source: str,
    workers: WorkerRange | None = None,
    options: Options = BARE,
    **arguments: object,
) -> str:
    """Write a file with one function and submit it."""
    file = client.home.path / "job.py"
    file.write_text(f"import tidewatt as tw\n{source}")
    path, handle = load(str(file))
    return client.submit(handle, arguments, replace(options, source=path, workers=workers))


def test_an_idle_supervisor_leaves_nothing_behind(client: Client, processes_of: ProcessesOf) -> None:
    job = submit(client, "@tw.function()\ndef double(n):\n    return 2 * n\n", n=21)
    assert client.result(job) == 42
    psutil.wait_procs(processes_of(client), timeout=PATIENCE_S)
    assert processes_of(client) == []
    assert sorted(path.name for path in client.home.path.iterdir() if path.is_socket()) == []


def test_state_is_for_its_owner_alone(client: Client) -> None:
    submit(client, "import time\n@tw.function()\ndef wait():\n    time.sleep(0.5)\n")
    assert stat.S_IMODE(client.home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(client.home.jobs.stat().st_mode) == 0o700
    assert stat.S_IMODE(client.home.socket.stat().st_mode) == 0o600


def test_a_function_that_overstays_its_time_out_is_ended(client: Client) -> None:
    job = submit(client, "import time\n@tw.function(timeout='300 ms')\ndef forever():\n    time.sleep(600)\n")
    with pytest.raises(JobFailed, match=r"TimeoutError: still running after 0\.3 s"):
        client.result(job)


def test_a_function_that_needs_more_memory_than_it_may_have_fails_in_words(client: Client) -> None:
    job = submit(
        client, "@tw.function(memory='2 GiB')\ndef hungry():\n    return len(bytearray(8 * 2**30))\n"
    )
    with pytest.raises(MemoryError):
        client.result(job)


def test_a_function_is_tried_again_as_often_as_it_says(client: Client, tmp_path: Path) -> None:
    source = """
from pathlib import Path
@tw.function(retries=2)
def third_time(marker):
    tries = Path(marker)
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) < 3:
        raise ValueError("not yet")
    return "now"
"""
    job = submit(client, source, marker=str(tmp_path / "tries"))
    assert client.result(job) == "now"
    assert [a.outcome for a in client.store.attempts(job)] == ["failed", "failed", "succeeded"]


def test_an_import_that_starts_threads_spoils_no_fork(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    (tmp_path / "noisy_import.py").write_text(noisy)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    job = submit(client, "import noisy_import\n@tw.function()\ndef fine():\n    return 'fine'\n")
    assert client.result(job) == "fine"
    assert [a.outcome for a in client.store.attempts(job)] == ["stranded", "succeeded"]


def zygote_of(processes: list[psutil.Process]) -> psutil.Process:
    return next(p for p in processes if "tidewatt.runtime.zygote" in p.cmdline())


def test_a_zygote_that_is_stopped_is_ended_and_its_job_begun_with_another(
    client: Client, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_LINGER_S", "60")
    monkeypatch.setenv("TIDEWATT_ANSWER_S", "3")
    assert client.result(submit(client, "@tw.function()\ndef one():\n    return 1\n")) == 1
    supervisor, *_ = found = processes_of(client)
    zygote = zygote_of(found)
    zygote.suspend()
    job = submit(client, "@tw.function()\ndef two():\n    return 2\n")
    assert client.result(job) == 2
    assert [a.outcome for a in client.store.attempts(job)] == ["stranded", "succeeded"]
    details = [event.detail for event in client.store.events(job)]
    assert "stranded: its zygote had no answer for 3 s and was ended" in details
    assert not zygote.is_running()
    supervisor.kill()
    supervisor.wait(PATIENCE_S)


def test_a_direct_call_gets_a_worker_though_the_zygote_is_stopped(
    client: Client, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    monkeypatch.setenv("TIDEWATT_LINGER_S", "60")
    monkeypatch.setenv("TIDEWATT_ANSWER_S", "3")
    assert client.result(submit(client, "@tw.function()\ndef one():\n    return 1\n")) == 1
    supervisor, *_ = found = processes_of(client)
    zygote = zygote_of(found)
    zygote.suspend()
    assert half.remote(8) == 4
    assert not zygote.is_running()
    supervisor.kill()
    supervisor.wait(PATIENCE_S)
    monkeypatch.setenv("TIDEWATT_LINGER_S", "0.2")
    client.wake()


def test_the_machine_may_go_down_more_often_than_a_job_may_lose_its_worker(
    client: Client, tmp_path: Path, processes_of: ProcessesOf
) -> None:
    source = """
import time
from pathlib import Path
@tw.function()
def wait(enough):
    while not Path(enough).exists():
        time.sleep(0.01)
    return "done"
"""
    enough = tmp_path / "enough"
    job = submit(client, source, enough=str(enough))
    for count in range(1, MOST_LOST + 2):
        for _ in client.follow(job):  # which starts a supervisor in place of one that is gone
            if len(client.store.attempts(job)) == count:
                break
        supervisor, *_ = processes_of(client)
        supervisor.kill()
    enough.touch()
    assert client.result(job) == "done"
    outcomes = [attempt.outcome for attempt in client.store.attempts(job)]
    assert outcomes == ["stranded"] * (MOST_LOST + 1) + ["succeeded"]
    details = [event.detail for event in client.store.events(job)]
    assert details.count("stranded: its supervisor ended") == MOST_LOST + 1


def test_a_job_that_ends_its_own_worker_each_time_is_given_up(client: Client) -> None:
    job = submit(client, "import os\n@tw.function()\ndef leave():\n    os._exit(3)\n")
    with pytest.raises(JobFailed, match="its worker died 10 times in a row without a step further"):
        client.result(job)
    assert [attempt.outcome for attempt in client.store.attempts(job)] == ["lost"] * MOST_LOST


def test_a_held_job_rests_until_it_is_resumed(client: Client) -> None:
    job = submit(client, LEARN)
    for update in client.follow(job):
        if update.state is State.RUNNING:
            break
    client.hold(job)
    for _ in client.follow(job):
        pass
    held = client.job(job)
    assert held.state is State.SUSPENDED
    assert held.checkpoint is not None
    assert 0 < held.steps_done < 3840
    client.resume(job)
    assert client.result(job) == "learned"


def test_a_loop_left_by_the_loss_of_the_step_is_left_at_the_same_step_by_all_workers(client: Client) -> None:
    source = """
import torch
@tw.training(workers=(1, 2), shards=2)
def learn(run):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.05))
    for (x,) in run.batches((torch.randn(64, 4),), size=8, epochs=50):
        if run.loss is not None and run.loss < 0.01:
            break
        run.step(model(x).square().mean())
    return [run.loss, *model.weight.flatten().tolist()]
"""
    alone, together = (client.result(submit(client, source, workers=WorkerRange(n, n))) for n in (1, 2))
    assert alone[0] < 0.01
    assert together == alone


def test_what_a_worker_saved_when_its_supervisor_was_killed_is_not_done_again(
    client: Client, processes_of: ProcessesOf
) -> None:
    job = submit(client, LEARN)
    for update in client.follow(job):
        if update.step > 0:
            break
    supervisor, *below = processes_of(client)
    supervisor.kill()
    psutil.wait_procs(below, timeout=PATIENCE_S)
    assert client.result(job) == "learned"
    first, second = client.store.attempts(job)
    assert first.outcome == "stranded"
    assert first.last_step is not None
    assert second.first_step is not None
    assert second.first_step > first.last_step


def test_a_state_folder_that_cannot_be_closed_to_others_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="state folder /proc/sys, which"):  # nobody may change its mode
        Client(Path("/proc/sys"))


def test_a_state_folder_may_have_a_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes_of: ProcessesOf
) -> None:
    monkeypatch.setenv("TIDEWATT_LINGER_S", "0")
    monkeypatch.setenv("TIDEWATT_ZONE", "DE")
    client = Client(tmp_path / ("long" * 30))
    job = submit(client, "@tw.function()\ndef one():\n    return 1\n")
    assert client.result(job) == 1
    psutil.wait_procs(processes_of(client), timeout=PATIENCE_S)
    client.close()


def test_the_zygote_is_let_go_when_nothing_is_due(tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    file.write_text("import tidewatt as tw\n@tw.function()\ndef one():\n    return 1\n")
    first = order_of(file, tmp_path)
    engine = LocalEngine("tidewatt.elastic.trainer:make", warm_s=0.01)
    for order in (first, replace(first, token=2)):
        engine.start(order)
        while not any(isinstance(event, Exited) for event in engine.wait(0.0)):
            assert psutil.Process().children()
        engine.wait(0.05)
        assert psutil.Process().children() == []
    engine.close()


def test_who_waited_once_waits_again_whatever_became_of_the_supervisor(
    client: Client, processes_of: ProcessesOf
) -> None:
    double = "@tw.function()\ndef double(n):\n    return 2 * n\n"
    assert client.result(submit(client, double, n=1)) == 2
    _, alive = psutil.wait_procs(processes_of(client), timeout=PATIENCE_S)  # there is nothing to do
    assert alive == []
    assert client.result(submit(client, double, n=2)) == 4
    job = submit(client, double, n=3)
    end_all((process.pid, process.create_time()) for process in processes_of(client))
    assert client.result(job) == 6


def test_a_training_whose_worker_stands_still_is_ended_and_goes_on_from_its_checkpoint(
    client: Client, processes_of: ProcessesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEWATT_STUCK_S", "2")
    job = submit(client, LEARN.replace("1 h", "0.05 s"))
    for update in client.follow(job):
        if update.step > 100:
            break
    pid = client.store.attempts(job)[-1].processes[0][0]
    assert pid in {process.pid for process in processes_of(client)}
    psutil.Process(pid).suspend()
    assert client.result(job) == "learned"
    assert "stuck: no step and no work" in " ".join(event.detail for event in client.store.events(job))
    first, second = client.store.attempts(job)
    assert (first.outcome, second.outcome) == ("lost", "succeeded")
    assert second.first_step is not None
    assert second.first_step > 0
    assert not psutil.pid_exists(pid)


STILL = """
import os, signal
from pathlib import Path

def stop_once():
    mark = Path({mark!r})
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP)

@tw.{decorator}
def job({run}):
    stop_once()
    return 7
"""


@pytest.mark.parametrize(
    ("decorator", "run", "outcome"),
    [("function(retries=1)", "", "failed"), ("training()", "run", "lost")],
)
def test_what_stands_still_before_any_step_is_ended_and_tried_again(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    decorator: str,
    run: str,
    outcome: str,
) -> None:
    monkeypatch.setenv("TIDEWATT_STUCK_S", "1")  # a busy machine may let a worker wait for seconds
    code = STILL.format(mark=str(tmp_path / "stopped"), decorator=decorator, run=run)
    job = submit(client, code)
    assert client.result(job) == 7
    first, second = client.store.attempts(job)
    assert (first.outcome, second.outcome) == (outcome, "succeeded")
    assert "stuck: no step and no work" in " ".join(event.detail for event in client.store.events(job))


def test_a_replay_hears_of_a_job_that_ends_however_fast_its_hours_go_by(client: Client) -> None:
    lingering = LEARN.replace('    return "learned"', '    import time; time.sleep(1)\n    return "learned"')
    start_at = 1_654_081_200.0  # 2022-06-01T11:00Z
    in_a_replay = Options(deadline_s=43_200, length_s=3600, start_at=start_at, speed=3600, zones=("DE",))
    job = submit(client, lingering.replace("epochs=60", "epochs=2"), options=in_a_replay)
    assert client.result(job) == "learned"


def test_looking_does_not_wait_for_a_supervisor_that_stands_still(
    client: Client, processes_of: ProcessesOf
) -> None:
    job = submit(client, "import time\n@tw.function()\ndef wait():\n    time.sleep(0.5)\n    return 7\n")
    supervisors = [p for p in processes_of(client) if "tidewatt.cli.supervisor" in p.cmdline()]
    assert supervisors
    for supervisor in supervisors:
        supervisor.suspend()
    try:
        assert client.wake() is False
    finally:
        for supervisor in supervisors:
            supervisor.resume()
    assert client.result(job) == 7

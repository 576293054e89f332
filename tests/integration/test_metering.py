"""How energy is read and charged while real workers run: logs that end, GPUs, calibrations."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest
from tests.integration.shells import SOON, Shell
from tests.orders import order_of
from tests.records import submission
from tests.unit.pynvml_like import Board, Pynvml
from typing_extensions import override

from tidewatt.accounting.factors import DEFAULTS
from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.nvml import NvmlMeter
from tidewatt.adapters.meters.powercap import PowercapMeter
from tidewatt.adapters.stores.memory import MemoryStore
from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.control.books import Books, Places
from tidewatt.control.metering import Metering
from tidewatt.domain.estimate import Tier
from tidewatt.domain.ledger import EnergyReading, Holder, Phase
from tidewatt.ports import Exited, Started
from tidewatt.runtime.child import children
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

WAITS = """
import time
from pathlib import Path
import tidewatt as tw
@tw.function()
def waits(gate):
    while not Path(gate).exists():
        time.sleep(0.01)
    return "done"
"""
HAS_CHILD = """
import subprocess, sys, time
from pathlib import Path
import tidewatt as tw
@tw.function()
def has_child(folder):
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        Path(folder, "part").write_text(str(child.pid))
        Path(folder, "part").rename(Path(folder, "child"))
        while not Path(folder, "gate").exists():
            time.sleep(0.01)
"""
ADD = "import tidewatt as tw\n@tw.function()\ndef add(a=1, b=2):\n    return a + b\n"
HEADER = "start_s,end_s,power_w,low_w,high_w,static_w,tier\n"


@pytest.fixture
def add(tmp_path: Path) -> str:
    file = tmp_path / "add.py"
    file.write_text(ADD)
    return str(file)


def until(true: Callable[[], bool]) -> None:
    clock = RealClock()
    deadline = clock.wall() + SOON
    while not true():
        assert clock.wall() < deadline
        Event().wait(0.02)


def readings(client: Client) -> list[EnergyReading]:
    return sorted({entry.reading for entry in client.store.ledger()}, key=lambda reading: reading.start_at)


def test_a_meter_that_dies_ends_no_job_and_leaves_no_gap(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"{HEADER}0,0.5,50,49,51,20,1\n0.5,1.5,60,59,61,20,1\n")
    monkeypatch.setenv("TIDEWATT_METER_LOG", str(log))
    source, gate = tmp_path / "job.py", tmp_path / "gate"
    source.write_text(WAITS)
    path, handle = load(str(source))
    job = client.submit(handle, {"gate": str(gate)}, Options(source=path))

    def told() -> bool:
        return any("in place of replay" in event.detail for event in client.store.events(job))

    until(told)
    gate.touch()
    assert client.result(job) == "done"

    found = readings(client)
    assert found[-1].meter.endswith("in place of replay")
    assert all(reading.energy_uj > 0 for reading in found)
    assert all(one.end_at == two.start_at for one, two in pairwise(found))
    assert {reading.tier for reading in found if reading.meter == "replay"} <= {Tier.COUNTER}
    notes = [event.detail for event in client.store.events(job) if "in place of replay" in event.detail]
    assert len(notes) == 1
    assert "energy is now read by" in notes[0]
    spent = sum(e.allocation.energy_uj for e in client.store.ledger(job))
    assert spent > 0


def test_energy_is_that_of_the_log_while_it_lasts(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"{HEADER}0,1000000,50,49,51,20,1\n")
    monkeypatch.setenv("TIDEWATT_METER_LOG", str(log))
    source, gate = tmp_path / "job.py", tmp_path / "gate"
    gate.touch()
    source.write_text(WAITS)
    path, handle = load(str(source))
    job = client.submit(handle, {"gate": str(gate)}, Options(source=path))
    assert client.result(job) == "done"

    found = readings(client)
    drawn_j = sum(reading.energy_uj for reading in found) / 1e6
    assert drawn_j == pytest.approx(50 * sum(reading.wall_s for reading in found), rel=1e-6)
    assert {(reading.meter, reading.tier) for reading in found} == {("replay", Tier.COUNTER)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start_s,end_s,power_w\n0,1,2\n", "no column low_w, high_w"),
        (f"{HEADER}0,1,-5,-6,1,0,1\n", "negative"),
    ],
)
def test_a_log_that_cannot_be_is_refused_before_anything_runs(
    shell: Shell, add: str, tmp_path: Path, text: str, words: str
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(text)
    shell.extra["TIDEWATT_METER_LOG"] = str(log)

    _, err = shell.run("run", add, code=2)

    assert words in err
    assert "Traceback" not in err
    assert any(words in finding["found"] for finding in shell.json("doctor"))
    shell.extra["TIDEWATT_METER_LOG"] = "log.csv"
    assert "a whole path" in shell.run("doctor", code=2)[1]


def test_energy_of_a_gpu_goes_to_the_job_whose_child_computes_on_it(
    engine: LocalEngine, tmp_path: Path
) -> None:
    source = tmp_path / "job.py"
    source.write_text(HAS_CHILD)
    order = order_of(source, tmp_path, {"folder": str(tmp_path)})
    board, clock, store = Board(power_mw=None), RealClock(), SqlStore.open("sqlite://")
    devices = NvmlMeter(Pynvml([board]))
    books = Books(store, clock, Places(lambda: (), DEFAULTS), "")
    metering = Metering(store, engine, ModelMeter(PowerModel()), clock, books, devices=devices)
    engine.start(order)
    metering.begin([])
    until(lambda: engine.wait(0.01) is not None and (tmp_path / "child").exists())
    child = int((tmp_path / "child").read_text())
    board.residents, board.use = [child, os.getppid()], {child: 60, os.getppid(): 20}
    board.run(1.0, 300.0)
    metering.sample({})
    (tmp_path / "gate").touch()
    until(lambda: any(isinstance(event, Exited) for event in engine.wait(0.1)))

    of_gpu = [entry for entry in store.ledger() if entry.reading.meter.startswith("NVML")]
    assert {entry.reading.energy_uj for entry in of_gpu} == {300_000_000}
    assert [(e.allocation.account.holder, e.allocation.energy_uj) for e in of_gpu] == [
        (Holder.JOB, 225_000_000),
        (Holder.UNALLOCATED, 75_000_000),
    ]
    assert of_gpu[0].allocation.reserved_cpu_s == 0
    # A worker that has a GPU compute is not stalled, however little its processor has to do.
    assert Phase.STALLED not in {entry.allocation.phase for entry in store.ledger(order.job_id)}
    assert books.run(order.job_id).energy_j > 225
    store.close()


class MovedClock(RealClock):
    """The real clock, which somebody sets."""

    moved_s = 0.0

    @override
    def now(self) -> float:
        return super().now() + self.moved_s


def test_what_is_odd_about_a_reading_is_noted_once_and_its_figures_hold(
    engine: LocalEngine, tmp_path: Path
) -> None:
    source = tmp_path / "job.py"
    source.write_text(WAITS)
    order = order_of(source, tmp_path, {"gate": str(tmp_path / "gate")})
    board, clock, store = Board(power_mw=None), MovedClock(), MemoryStore()
    store.submit(submission(order.job_id, order.function, order.payload, clock.now()))
    devices = NvmlMeter(Pynvml([board]))
    books = Books(store, clock, Places(lambda: (), DEFAULTS), "")
    metering = Metering(store, engine, ModelMeter(PowerModel()), clock, books, devices=devices)
    engine.start(order)
    metering.begin([])
    until(lambda: any(isinstance(event, Started) for event in engine.wait(0.1)))
    clock.moved_s = 7200.0
    board.lost = True
    for _ in range(3):
        Event().wait(0.02)
        metering.sample({})
    (tmp_path / "gate").touch()
    until(lambda: any(isinstance(event, Exited) for event in engine.wait(0.1)))

    notes = [event.detail for event in store.events(order.job_id) if event.before == event.after]
    assert [note for note in notes if "the clock was set forward by 2 h" in note]
    assert len([note for note in notes if "cannot be read any more" in note]) == 1
    of_node = {e.reading for e in store.ledger() if e.reading.meter == "cpu-time model"}
    assert sum(reading.wall_s for reading in of_node) < SOON  # two hours did not pass, and cost nothing
    assert sum(reading.end_at - reading.start_at for reading in of_node) > 7200


def test_without_a_counter_calibrating_says_what_to_do_and_takes_figures(shell: Shell, add: str) -> None:
    if PowercapMeter().available():
        pytest.skip("this machine has counters to calibrate against")
    _, err = shell.run("doctor", "--calibrate", code=2)
    assert "nothing to calibrate against: no RAPL package" in err
    assert "--idle-watts 40 --busy-watts 95" in err
    assert "--calibrate alone, or all three" in shell.run("doctor", "--idle-watts", "40", code=2)[1]
    assert "none: `tidewatt doctor --calibrate`" in shell.run("doctor")[0].replace("\n", " ")

    shell.run("doctor", "--calibrate", "--idle-watts", "40", "--busy-watts", "95")

    findings = shell.json("doctor")
    calibration = next(finding for finding in findings if finding["what"] == "calibration")
    assert calibration["state"] == "ok"
    assert "40.0 W at rest (34.0 to 46.0)" in calibration["found"]
    model = next(f["found"] for f in findings if f["found"].startswith("cpu-time model"))
    assert model.startswith("cpu-time model, calibration 1 (tier 2, hybrid, in use)")
    job = shell.json("run", add)["job"]
    receipt = json.loads(shell.run("receipt", job, "--format", "json")[0])
    assert receipt["meters"] == ["cpu-time model, calibration 1"]
    assert receipt["energy_tier"] == 2


def test_a_calibration_of_another_machine_is_not_used_and_said_so(shell: Shell) -> None:
    if PowercapMeter().available():
        pytest.skip("this machine has counters to calibrate against")
    shell.run("doctor", "--calibrate", "--idle-watts", "40", "--busy-watts", "95")
    file = shell.home / "calibrations" / "1.json"
    file.write_text(file.read_text().replace(" processors, ", "0 processors, "))

    findings = shell.json("doctor")

    calibration = next(finding for finding in findings if finding["what"] == "calibration")
    assert calibration["state"] == "missing"
    assert "calibration 1 is not used: it is of" in calibration["found"]
    assert any(f["found"].startswith("cpu-time model (tier 3") for f in findings)


def command_of(pid: int) -> bytes:
    """Empty of a process that has ended, be it waited for or not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_the_load_of_a_calibration_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import sys; from tidewatt.adapters.meters.calibrate import _busy\n"
        "with _busy(): print('busy', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as measuring:
        assert measuring.stdout is not None
        assert measuring.stdout.readline() == b"busy\n"
        loads = children(measuring.pid)
        assert len(loads) == len(os.sched_getaffinity(0))
        measuring.kill()
    until(lambda: not any(command_of(pid) for pid in loads))

"""The meter of GPUs, on an object that answers as NVIDIA's library does, and on a real one where there is."""

import inspect
import os
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import pytest
from tests import records
from tests.unit.pynvml_like import Board, Pynvml

from tidewatt.adapters.clocks.real import RealClock
from tidewatt.adapters.meters import nvml
from tidewatt.adapters.meters.model import ModelMeter, PowerModel
from tidewatt.adapters.meters.nvml import NvmlMeter
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.domain.ledger import EnergyReading
from tidewatt.ports import DeviceReading

JOULE = 1_000_000


def over(wall_s: float) -> EnergyReading:
    """A reading of the processors over the interval that GPUs are read over as well."""
    return records.reading(1, start_at=100.0, wall_s=wall_s, cpus=2)


def meter(*boards: Board, idle_w: dict[str, Estimate] | None = None) -> NvmlMeter:
    made = NvmlMeter(Pynvml(list(boards)), idle_w, "calibration 3", ancestry=lambda pid: (pid,))
    assert made.read(None) == ()
    return made


def one(
    meter: NvmlMeter, board: Board, wall_s: float, watts: float, counted_w: float | None = None
) -> DeviceReading:
    board.run(wall_s, watts, counted_w)
    (device,) = meter.read(over(wall_s))
    return device


def test_the_counter_is_read_over_the_interval_of_the_processors() -> None:
    board = Board(residents=[11, 12], use={11: 60, 12: 20})
    device = one(meter(board), board, 2.0, 300.0)

    assert device.reading.meter == "NVML GPU 0 NVIDIA H200"
    assert (device.reading.tier, device.reading.energy_uj, device.reading.static_uj) == (
        Tier.COUNTER,
        600 * JOULE,
        0,
    )
    assert (device.reading.start_at, device.reading.end_at) == (100.0, 102.0)
    assert device.reading.low_uj == 570 * JOULE
    assert [(use.ancestry, use.busy_s, use.held_s) for use in device.uses] == [
        ((11,), 1.2, 1.0),
        ((12,), 0.4, 1.0),
    ]
    assert device.reading.busy_cpu_s == pytest.approx(1.6)
    assert device.note == ""


def test_calibrated_watts_are_static_and_named() -> None:
    board = Board()
    device = one(meter(board, idle_w={"GPU-1": Estimate(70.0, 65.0, 75.0)}), board, 2.0, 300.0)

    assert device.reading.meter == "NVML GPU 0 NVIDIA H200, calibration 3"
    assert device.reading.static_uj == 140 * JOULE


def test_a_counter_that_disagrees_with_power_is_flagged_and_is_trusted_again_later() -> None:
    board = Board()
    gpus = meter(board)
    for _ in range(10):
        flagged = one(gpus, board, 1.0, 300.0, counted_w=150.0)

    assert flagged.reading.tier is Tier.HYBRID
    assert flagged.reading.meter.endswith("counter and power disagree")
    assert flagged.note.startswith("its counter says 150 W and its power")
    assert flagged.reading.low_uj < 150 * JOULE
    assert flagged.reading.high_uj > 280 * JOULE
    for _ in range(40):
        again = one(gpus, board, 1.0, 300.0)
    assert (again.reading.tier, again.note) == (Tier.COUNTER, "")


def test_without_a_counter_power_is_sampled() -> None:
    board = Board(count_mj=None, power_mw=100_000)
    gpus = meter(board)
    device = one(gpus, board, 2.0, 200.0)

    assert gpus.boards == ["GPU 0 NVIDIA H200 (power, sampled)"]
    assert (device.reading.tier, device.reading.energy_uj) == (Tier.HYBRID, 300 * JOULE)
    assert (device.reading.low_uj, device.reading.high_uj) == (190 * JOULE, 420 * JOULE + 1)


def test_a_counter_that_was_reset_leaves_power_and_says_so() -> None:
    board = Board(count_mj=9_000_000, power_mw=200_000)
    gpus = meter(board)
    board.count_mj = 5
    (device,) = gpus.read(over(1.0))

    assert device.reading.energy_uj == 200 * JOULE
    assert "reset" in device.note
    assert one(gpus, board, 1.0, 200.0).reading.tier is Tier.COUNTER


def test_a_gpu_that_is_lost_draws_what_it_drew_and_keeps_its_owners() -> None:
    board = Board(residents=[11], use={11: 90})
    gpus = meter(board)
    before = one(gpus, board, 1.0, 400.0)
    board.lost = True
    lost = one(gpus, board, 1.0, 400.0)
    board.lost = False
    back = one(gpus, board, 1.0, 400.0)
    counted = one(gpus, board, 1.0, 400.0)

    assert (lost.reading.tier, lost.reading.energy_uj) == (Tier.MODEL, 400 * JOULE)
    assert (lost.reading.low_uj, lost.reading.high_uj) == (0, 700 * JOULE + 1)
    assert lost.uses == before.uses
    assert "cannot be read any more" in lost.note
    assert back.reading.energy_uj == 400 * JOULE  # by power: what was modelled is not counted again
    assert counted.reading.tier is Tier.COUNTER


def test_a_divided_gpu_is_shared_by_the_size_of_its_instances() -> None:
    board = Board(instances=[(4, [11]), (2, [12, 13]), (1, [])])
    gpus = meter(board)
    device = one(gpus, board, 1.0, 350.0)

    assert "MIG: no power by instance" in gpus.boards[0]
    assert device.reading.cpus == 7
    assert [(use.ancestry, use.held_s, use.busy_s) for use in device.uses] == [
        ((11,), 4.0, 4.0),
        ((12,), 1.0, 1.0),
        ((13,), 1.0, 1.0),
    ]
    assert "use by process" in device.note


def test_a_gpu_that_does_not_tell_its_use_is_shared_by_what_is_held() -> None:
    board = Board(residents=[11, 12], use=None)
    device = one(meter(board), board, 1.0, 350.0)

    assert [use.busy_s for use in device.uses] == [0.5, 0.5]
    assert "use by process" in device.note


def test_an_idle_gpu_is_nobodys_and_needs_no_note() -> None:
    board = Board()
    device = one(meter(board), board, 1.0, 40.0)

    assert (device.uses, device.note, device.reading.energy_uj) == ((), "", 40 * JOULE)


def test_gpus_that_tell_nothing_are_named_and_not_taken_for_nothing() -> None:
    gpus = meter(Board(), Board(name="Tesla K80", count_mj=None, power_mw=None))

    assert len(gpus.boards) == 1
    assert gpus.silent == ["GPU 1 Tesla K80"]
    library = Pynvml([])
    NvmlMeter(library).close()
    assert library.open == 0


def test_a_process_is_known_by_those_that_started_it() -> None:
    assert nvml.ancestry(os.getpid())[:2] == (os.getpid(), os.getppid())
    assert nvml.ancestry(2**22 + 1) == (2**22 + 1,)


def test_without_a_driver_nothing_is_loaded(tmp_path: Path) -> None:
    assert nvml.find(signs=[tmp_path / "nvidiactl"]) == (None, "no driver of NVIDIA is loaded")


def test_a_driver_without_its_library_is_told_with_what_to_do(tmp_path: Path) -> None:
    sign = tmp_path / "nvidiactl"
    sign.touch()
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a real driver")
    found, why = nvml.find(signs=[sign])

    assert found is None
    assert ("pip install 'tidewatt[gpu]'" if find_spec("pynvml") is None else "nvidia-smi") in why


def test_a_real_gpu_counts() -> None:
    found, why = nvml.find()
    if found is None:
        pytest.skip(f"no GPU to read: {why}")
    clock, node = RealClock(), ModelMeter(PowerModel())
    node.read(clock)
    found.read(None)
    deadline = clock.wall() + 1.0
    while clock.wall() < deadline:
        sum(range(10_000))
    span = node.read(clock)
    assert span is not None
    devices = found.read(span)
    found.close()

    assert devices
    assert all(0 < d.reading.energy_uj < d.reading.wall_s * 2000 * JOULE for d in devices)


def test_the_real_library_has_every_name_that_is_asked_of_it() -> None:
    real = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    asked = [name for name in vars(Pynvml) if name.startswith("nvml")]

    assert len(asked) > 10
    assert [name for name in asked if not callable(getattr(real, name, None))] == []
    for name in asked:
        wanted = list(signature(getattr(Pynvml, name)).parameters)[1:]
        told = list(signature(inspect.unwrap(getattr(real, name))).parameters.values())
        needed = [one for one in told if one.default is one.empty]
        assert len(needed) <= len(wanted) <= len(told), name
    assert issubclass(real.NVMLError, Exception)
    assert real.NVML_ERROR_NOT_FOUND in nvml._NO_SAMPLES  # noqa: SLF001 - a number of the library's

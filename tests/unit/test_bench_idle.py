"""The benchmark of idle policies: the traces it reads, the calls it makes, and what it says of them."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.idle.__main__ import main
from benchmarks.idle.azure import traces
from benchmarks.idle.front import Front, played, standing
from benchmarks.idle.made import made

from tidewatt.errors import UsageError
from tidewatt.policy.idle.priced import Price

PRICE = Price(start_j=4.0, wait_j=0.0, idle_w_per_gb=0.3725)
PEERS = ("fixed_10", "fixed_20", "hybrid_5_99")


def packed(path: Path, *lines: str) -> None:
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


def test_a_trace_is_read_with_the_memory_of_its_applications(tmp_path: Path) -> None:
    folder = tmp_path / "functions"
    folder.mkdir()
    packed(
        folder / "day_inv.csv.gz",
        "HashFunction,HashApp,HashOwner,minute_1,minute_2,minute_3",
        "f,a,o,0,7,0",
        "g,b,o,1,0,",
        "h,unknown,o,0,0,1",
    )
    packed(folder / "day_mem.csv.gz", "HashApp,HashOwner,AverageAllocatedMb", "a,o,100", "b,o,300", "c,o,900")
    for data in (tmp_path, folder):
        (name,) = found = traces(data)
        assert name == "day"
        assert found[name].busy.astype(int).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
        assert found[name].memory_gb == pytest.approx(np.array([100, 300, 300]) * 2**20 / 1e9)


def test_a_folder_without_traces_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"_inv\.csv\.gz"):
        traces(tmp_path)


def test_made_calls_are_the_same_for_a_seed() -> None:
    first, again, other = made(7, 4), made(7, 4), made(8, 4)
    assert all((first[kind].busy == again[kind].busy).all() for kind in first)
    assert first["poisson"].busy.tolist() != other["poisson"].busy.tolist()
    assert all(calls.busy.any(axis=1).all() for calls in first.values())


def test_standing_is_that_of_the_nearest_point_that_is_no_worse() -> None:
    front = played(made(9, 15)["mixed"], PRICE)
    for peer in PEERS:
        over, of_peer = standing(front, peer, draws=5), front.peer(peer)
        ours = [each.tally for each in front.ours]
        at = min((t for t in ours if t.cold_pct <= of_peer.cold_pct), key=lambda tally: tally.idle_gb_h)
        colds = [t.cold.sum() for t in ours if t.idle_gb_h <= of_peer.idle_gb_h]
        assert over.idle[0] == pytest.approx(at.idle_gb_h / of_peer.idle_gb_h)
        assert over.energy[0] == pytest.approx(at.joules(PRICE) / of_peer.joules(PRICE))
        assert over.cold[0] == pytest.approx(min(colds) / of_peer.cold.sum())
        assert len(over.idle) == 6
        assert over.idle[1:].std() > 0


def dominated(front: Front, peer: str) -> bool:
    over = standing(front, peer, draws=1)
    return bool(over.idle[0] < 1 and over.cold[0] < 1)


def test_ours_has_fewer_cold_calls_for_less_memory_than_what_keeps_a_fixed_time() -> None:
    front = played(made(11, 25)["mixed"], PRICE)
    assert dominated(front, "fixed_10")
    assert dominated(front, "fixed_20")


def test_ours_dominates_on_a_day_of_real_functions() -> None:
    folder = Path(os.environ.get("TIDEWATT_DATA", "")) / "functions"
    if not folder.is_dir():
        pytest.skip("TIDEWATT_DATA names no folder with functions")
    for calls in traces(folder).values():
        front = played(calls.of(np.arange(1, len(calls.busy), 2)), PRICE)
        assert all(dominated(front, peer) for peer in PEERS)


def test_it_prints_the_fronts_and_writes_every_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "idle.json"
    main(["--quick", "--json", str(file)])
    told = capsys.readouterr().out
    assert "No real trace was played" in told
    figures = {each["name"]: each for each in json.loads(file.read_text())}
    for kind in ("poisson", "timetable", "bursty", "diurnal", "mixed"):
        assert f"{kind}: " in told
        cold = [figures[f"{kind}.{name}.cold_pct"]["value"] for name in ("fixed_5", "fixed_60", "floor_20")]
        assert cold == sorted(cold, reverse=True)
        assert figures[f"{kind}.idle_over_fixed_10"]["n"] <= 40
    assert "mixed.idle_over_hybrid_5_99" in told


def test_it_says_what_is_wrong_with_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--data", str(tmp_path)])
    assert left.value.code == 2
    assert "found no" in capsys.readouterr().err

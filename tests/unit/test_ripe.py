"""Which files are finished, which are new, and what the walk through folders finds."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.adapters.waiting.folders import Look, looked_into
from tidewatt.policy.ripe import Seen, arrival, identity, judge

NOW = 1_000_000.0
SEEN = Seen(path="/in/a.mp4", inode=7, size=3, modified_ns=5, changed_wall=NOW - 10)


def test_a_file_left_alone_is_finished() -> None:
    assert judge([SEEN], NOW, 1.0).finished == (SEEN,)


def test_a_file_that_somebody_writes_to_is_not_however_long_it_rests() -> None:
    assert judge([replace(SEEN, written=True)], NOW, 1.0) == judge([], NOW, 1.0)


def test_a_file_changed_just_now_is_looked_at_when_it_may_be_finished() -> None:
    young = replace(SEEN, changed_wall=NOW - 0.25)
    verdict = judge([young, SEEN], NOW, 1.0)
    assert verdict.finished == (SEEN,)
    assert verdict.again_wall == NOW + 0.75


def test_a_file_from_the_future_is_finished_if_a_second_look_finds_it_the_same() -> None:
    """As after the clock was set back, or on a server whose clock is ahead."""
    adrift = replace(SEEN, changed_wall=NOW + 3600)
    assert judge([adrift], NOW, 1.0).adrift
    assert judge([adrift], NOW + 1, 1.0, {adrift.path: adrift}).finished == (adrift,)
    grown = replace(adrift, size=4, changed_wall=NOW + 3601)
    assert judge([grown], NOW + 1, 1.0, {adrift.path: adrift}).finished == ()


@pytest.mark.parametrize("change", [{"path": "/in/b.mp4"}, {"inode": 8}, {"size": 4}, {"modified_ns": 6}])
def test_any_change_makes_a_file_another_one(change: dict[str, object]) -> None:
    assert identity(replace(SEEN, **change)) != identity(SEEN)  # type: ignore[arg-type]


def test_when_it_was_looked_at_does_not() -> None:
    assert identity(replace(SEEN, changed_wall=NOW, written=True)) == identity(SEEN)


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_any_name_has_an_identity_and_can_be_told(name: bytes) -> None:
    told = arrival("t", replace(SEEN, path=f"/in/{os.fsdecode(name)}"))
    assert told.key.isalnum()
    assert told.said.isprintable()
    told.said.encode()


def test_names_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    names = ["a b.mp4", "a\nb.mp4", "a\udcffb.mp4", "a\\udcffb.mp4", " .mp4", "ä.mp4", "a\u0308.mp4"]
    for name in names:
        (tmp_path / name).write_text("x")
    found = Look(f"{tmp_path}/*.mp4").files
    assert {Path(file.path).name for file in found} == set(names)
    assert len({identity(file) for file in found}) == len(names)


def names_of(pattern: str) -> list[str]:
    return sorted(Path(file.path).name for file in Look(pattern).files)


def test_a_walk_finds_files_at_any_depth_and_no_links_in_circles(tmp_path: Path) -> None:
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    for folder, name in ((tmp_path, "top.csv"), (deep, "deep.csv"), (deep, "deep.txt")):
        (folder / name).write_text("x")
    (deep / "round").symlink_to(tmp_path)
    (tmp_path / "one" / "link.csv").symlink_to(deep / "deep.txt")
    (tmp_path / "one" / "nowhere.csv").symlink_to(deep / "gone")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / ".hidden.csv").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "inside.csv").write_text("x")
    assert names_of(f"{tmp_path}/**/*.csv") == ["deep.csv", "link.csv", "top.csv"]
    assert names_of(f"{tmp_path}/*.csv") == ["top.csv"]
    assert names_of(f"{tmp_path}/o*/*/deep.*") == ["deep.csv", "deep.txt"]
    assert names_of(f"{tmp_path}/top.csv") == ["top.csv"]
    assert names_of(f"{tmp_path}/.hidden.*") == [".hidden.csv"]
    assert "deep.txt" in names_of(f"{tmp_path}/**")
    assert set(Look(f"{tmp_path}/**/*.csv").folders) == {
        str(p) for p in (tmp_path, tmp_path / "one", deep, tmp_path / "folder.csv")
    }


def test_a_folder_that_is_not_there_yet_is_waited_for_in_the_one_above(tmp_path: Path) -> None:
    look = Look(f"{tmp_path}/later/inbox/*.csv")
    assert look.folders == [str(tmp_path)]
    assert look.files == []


def test_a_file_open_for_writing_is_seen_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w"):
        (open_one,) = looked_into(Look(str(path)).files)
    (closed,) = looked_into(Look(str(path)).files)
    with path.open():
        (read,) = looked_into(Look(str(path)).files)
    if not open_one.written:
        pytest.skip("this file system grants no leases")
    assert not closed.written
    assert not read.written

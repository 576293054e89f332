"""The units that systemd is given: their text, when they are replaced, and what systemd says of them."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tidewatt.adapters.waiting.units import Watch, expressible, stale, stem, texts

NOW = 1_795_000_000.0
WATCH = Watch(
    home='/home/ada/50% "state"\\x',
    command=(
        sys.executable,
        "-m",
        "tidewatt.cli.main",
        "triggers",
        "fire",
        "--home",
        '/home/ada/50% "state"\\x',
    ),
    environment=(("TIDEWATT_ZONE", "DE"), ("TIDEWATT_OBJECTIVE", 'a "b" $c %d')),
    instants=tuple(NOW + 3600 * n for n in range(32)),
    folders=("/in box/100%", "/in box/ä"),
)
NAME = stem(WATCH.home)


def test_only_what_is_needed_is_written() -> None:
    assert set(texts(WATCH)) == {f"{NAME}.service", f"{NAME}.timer", f"{NAME}.path"}
    assert set(texts(replace(WATCH, folders=()))) == {f"{NAME}.service", f"{NAME}.timer"}
    assert set(texts(replace(WATCH, instants=()))) == {f"{NAME}.service", f"{NAME}.path"}
    assert texts(replace(WATCH, instants=(), folders=())) == {}


def test_an_instant_is_told_in_utc_and_never_before_it_comes() -> None:
    text = texts(replace(WATCH, instants=(NOW + 0.25,)))[f"{NAME}.timer"]
    assert "OnCalendar=2026-11-18 11:06:41 UTC\n" in text


def test_a_state_folder_has_units_of_its_own() -> None:
    assert stem("/home/ada") != stem("/home/bob")


def test_a_timer_goes_on_while_it_holds_the_next_instants() -> None:
    old = texts(WATCH)
    later = texts(replace(WATCH, instants=tuple(NOW + 3600 * n for n in range(10, 42))))
    assert stale(old, later) == set()
    much_later = texts(replace(WATCH, instants=tuple(NOW + 3600 * n for n in range(30, 62))))
    assert stale(old, much_later) == {f"{NAME}.timer"}
    sooner = texts(replace(WATCH, instants=(NOW - 60, *WATCH.instants[:31])))
    assert stale(old, sooner) == {f"{NAME}.timer"}


def test_folders_and_their_end_are_noticed() -> None:
    old = texts(WATCH)
    assert stale(old, texts(replace(WATCH, folders=("/in box/100%",)))) == {f"{NAME}.path"}
    assert stale(old, {}) == set(old)
    assert stale({}, old) == set(old)


@pytest.mark.parametrize("folder", ["/a\nb", "/a ", "/a\udcff", "/a\\"])
def test_a_folder_that_no_unit_can_name_is_left_to_the_watcher(folder: str) -> None:
    assert not expressible(["/fine", folder])
    assert expressible(["/fine", "/with blanks %h"])


@pytest.mark.parametrize("watch", [WATCH, replace(WATCH, folders=()), replace(WATCH, instants=())])
def test_systemd_finds_nothing_wrong_with_them(watch: Watch, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name, text in texts(watch).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "--user", "--man=no", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"systemd-analyze cannot run here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert NAME not in done.stderr, done.stderr

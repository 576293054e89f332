"""Triggers handed to a real systemd: a user manager of the test's own, in a mount namespace of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from tests.integration.shells import SOON, Shell
from typing_extensions import override

_SYSTEMD = Path("/lib/systemd/systemd")
_MANAGER = f"mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/user/0 && exec {_SYSTEMD} --user"
PIPELINE = """
import tidewatt as tw


@tw.function(on=tw.files("inbox/*.txt", settle="100 ms"))
def count(path):
    return len(open(path).read())


@tw.function(schedule="30 2 1 1 *")
def yearly(): ...
"""


@dataclass
class Managed(Shell):
    """A shell whose commands see the user manager."""

    enter: tuple[str, ...] = field(default=())

    @override
    def command(self, *arguments: str) -> list[str]:
        return [*self.enter, *super().command(*arguments)]

    def looks(self) -> list[psutil.Process]:
        return [p for p in self.alive() if "fire" in p.cmdline()]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Managed]:
    """A shell beside a user manager that ends with the test."""
    if os.geteuid() != 0 or not _SYSTEMD.exists() or not shutil.which("nsenter"):
        pytest.skip("a user manager of our own wants root, systemd and nsenter")
    config = tmp_path / "config"
    extra = {"XDG_RUNTIME_DIR": "/run/user/0", "XDG_CONFIG_HOME": str(config), "TIDEWATT_WAITER": "systemd"}
    manager = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MANAGER],
        env=os.environ | extra | {"HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    shell = Managed(tmp_path / "home", extra, enter=("nsenter", "-t", str(manager.pid), "-m"))
    try:
        for _ in range(50):
            asked = [*shell.enter, "systemctl", "--user", "show-environment"]
            if subprocess.run(asked, env=shell.environment, capture_output=True, check=False).returncode == 0:
                break
            Event().wait(0.1)
        else:
            pytest.skip("no user manager can be started here")
        yield shell
    finally:
        manager.terminate()
        manager.wait(SOON)


def counted(shell: Managed, count: int) -> list[Any]:
    """The jobs once so many have succeeded; that they come is what is tested."""
    for _ in range(int(SOON / 0.2)):
        jobs: list[Any] = shell.json("jobs", "--all")
        if sum(job["state"] == "succeeded" for job in jobs) >= count:
            return jobs
        Event().wait(0.2)
    raise AssertionError(jobs)


def test_systemd_waits_and_nothing_of_ours_runs(shell: Managed, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    shell.run("triggers", "add", str(tmp_path / "pipeline.py"))
    units = tmp_path / "config" / "systemd" / "user"
    assert {path.suffix for path in units.glob("tidewatt-*")} == {".service", ".timer", ".path"}
    assert "systemd waits for them" in shell.run("doctor")[0]
    (inbox / "one.txt").write_text("1")
    assert len(counted(shell, 1)) == 1
    _, alive = psutil.wait_procs(shell.alive(), timeout=SOON)
    assert alive == [], "true zero holds with triggers"
    (inbox / "two.txt").write_text("2")
    for _ in range(int(SOON / 0.01)):
        if looks := shell.looks():
            break
        Event().wait(0.01)
    (inbox / "three.txt").write_text("3")  # while a look is under way, which then is killed
    for look in looks:
        with suppress(psutil.NoSuchProcess):
            look.kill()
    assert len(counted(shell, 3)) == 3
    for name in ("count", "yearly"):
        shell.run("triggers", "remove", name)
    assert list(units.glob("**/tidewatt-*")) == []
    _, alive = psutil.wait_procs(shell.alive(), timeout=SOON)
    assert alive == []
    assert len(shell.json("jobs", "--all")) == 3

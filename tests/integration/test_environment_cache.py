"""Environments are built once, by pip and by uv, whoever else builds, and whoever is killed over it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import msgspec
import psutil
import pytest
from tests.integration.pebbles import choose_builder, offline, wheel
from tests.integration.shells import SOON, Shell

from tidewatt.adapters.environments.cache import Built, Environments
from tidewatt.adapters.environments.local import hash_of
from tidewatt.domain.environment import Environment, normalised
from tidewatt.errors import NotBuilt, UsageError

BUILD = """
import sys
from pathlib import Path
import msgspec
from tidewatt.adapters.environments.cache import Environments
from tidewatt.domain.environment import Environment
wanted = msgspec.json.decode(sys.argv[2], type=Environment)
Environments(Path(sys.argv[1])).ensure(wanted, lambda said: None)
"""
BACKEND = """
import shutil, time
from pathlib import Path

def build_wheel(folder, settings=None, metadata=None):
    here = Path({gate!r})
    (here / "begun").write_text("begun")
    with (here / "go").open() as go:
        go.read()
    shutil.copy({wheel!r}, folder)
    return {name!r}
"""


@pytest.fixture(params=["pip", "uv"])
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A folder with a package, where environments are built from it alone."""
    folder = tmp_path / "wheels"
    wheel(folder, "1.0")
    offline(monkeypatch, folder, tmp_path / "cache")
    choose_builder(monkeypatch, request.param)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "environments")


def environment(*requirements: str, python: str = "") -> Environment:
    return Environment(requirements=normalised(requirements), python=python)


def silent(_said: str) -> None:
    """Nobody is told."""


def seen(built: Built, program: str) -> str:
    """What a program says in an environment."""
    done = subprocess.run(
        [built.interpreter, "-c", program], env=built.variables(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.usefixtures("wheels")
def test_it_is_built_once_and_holds_what_was_asked_for_and_tidewatt(cache: Environments) -> None:
    said: list[str] = []
    built = cache.ensure(environment("pebble"), said.append)
    again = Environments(cache.path).ensure(environment("PEBBLE"), said.append)
    assert again == built
    assert len(said) == 1
    program = "import pebble, tidewatt, importlib.util as u; print(pebble.VERSION, u.find_spec('pytest'))"
    assert seen(built, program) == "1.0 None"
    assert seen(built, "import tidewatt.sdk.client; import numpy; print('planned')") == "planned"
    assert "torch" not in seen(built, "import sys; print(sys.path)")


def test_its_own_version_goes_before_the_one_that_tidewatt_needs(cache: Environments, wheels: Path) -> None:
    wheel(wheels, "99.0", name="shellingham")
    built = cache.ensure(environment("shellingham==99.0"), silent)
    assert seen(built, "import shellingham; print(shellingham.VERSION)") == "99.0"


def test_what_workers_could_not_run_beside_is_refused_in_words(cache: Environments, wheels: Path) -> None:
    wheel(wheels, "1.0", name="cloudpickle")
    with pytest.raises(NotBuilt, match="cloudpickle"):
        cache.ensure(environment("cloudpickle==1.0"), silent)
    assert cache.built(environment("cloudpickle==1.0")) is None


def test_packages_that_contradict_each_other_are_refused_in_words(cache: Environments, wheels: Path) -> None:
    wheel(wheels, "2.0")
    wheel(wheels, "1.0", name="pond", needs=("pebble==2.0",))
    with pytest.raises(NotBuilt, match="pond"):
        cache.ensure(environment("pond", "pebble==1.0"), silent)


@pytest.mark.usefixtures("wheels")
def test_two_builders_at_once_build_once(cache: Environments) -> None:
    said: list[str] = []
    with ThreadPoolExecutor() as pool:
        caches = [Environments(cache.path) for _ in range(3)]
        built = list(pool.map(lambda each: each.ensure(environment("pebble"), said.append), caches))
    assert built[0] == built[1] == built[2]
    assert len(said) == 1


@pytest.mark.usefixtures("wheels")
def test_a_builder_that_is_killed_leaves_nothing_that_is_used(cache: Environments, tmp_path: Path) -> None:
    gate, package = tmp_path / "gate", tmp_path / "slow"
    gate.mkdir()
    package.mkdir()
    os.mkfifo(gate / "go")
    made = wheel(tmp_path / "made", "3.0")
    program = BACKEND.format(gate=str(gate), wheel=str(made), name=made.name)
    (package / "backend.py").write_text(program)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "pebble"\nversion = "3.0"\n'
    )
    wanted = Environment(requirements=(str(package),), local=hash_of([str(package)]))
    told = msgspec.json.encode(wanted).decode()
    builder = subprocess.Popen([sys.executable, "-c", BUILD, str(cache.path), told])
    while not (gate / "begun").exists():
        assert builder.poll() is None
        Event().wait(0.02)
    left = psutil.Process(builder.pid).children(recursive=True)
    builder.kill()
    builder.wait()
    assert cache.built(wanted) is None
    (half,) = cache.all()
    assert (half.built, half.in_use) == (None, True)  # what the builder had started has not ended
    assert not cache.remove(half.name)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=SOON)
    assert (Path(cache.path) / half.name).is_dir()
    with ThreadPoolExecutor() as pool:
        again = pool.submit(cache.ensure, wanted, silent)
        (gate / "go").write_text("go")  # waits for the backend to read it
        built = again.result(SOON)
    assert seen(built, "import pebble; print(pebble.VERSION)") == "3.0"


def test_files_that_were_changed_are_not_built_under_the_name_of_what_they_were(
    cache: Environments, wheels: Path
) -> None:
    stale = Environment(requirements=(str(next(wheels.iterdir())),), local="another")
    with pytest.raises(UsageError, match="changed"):
        cache.ensure(stale, silent)


@pytest.mark.usefixtures("wheels")
def test_what_is_in_use_is_not_removed_and_what_is_removed_is_built_again(cache: Environments) -> None:
    said: list[str] = []
    cache.ensure(environment("pebble"), said.append)
    entered = cache.enter(environment("pebble"))
    assert entered is not None
    (kept,) = cache.all()
    assert kept.in_use
    assert not cache.remove(kept.name)
    os.close(entered[1])
    assert cache.remove(kept.name)
    assert list(cache.path.iterdir()) == []
    cache.ensure(environment("pebble"), said.append)
    assert len(said) == 2


@pytest.mark.usefixtures("wheels")
def test_a_folder_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotBuilt, match="cache folder"):
        Environments(tmp_path / "file").ensure(environment("pebble"), silent)


@pytest.mark.usefixtures("wheels")
def test_a_login_of_an_index_reaches_no_log_and_no_error(
    cache: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:verysecret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(NotBuilt) as raised:
        cache.ensure(environment("nosuchthing"), silent)
    assert "verysecret" not in str(raised.value)
    texts = [path.read_text(errors="replace") for path in cache.path.rglob("*") if path.is_file()]
    assert texts
    assert not any("verysecret" in text for text in texts)


@pytest.mark.usefixtures("wheels")
def test_a_python_that_is_not_there_and_one_that_is_too_old_are_refused(
    cache: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises((UsageError, NotBuilt), match=r"3\.99"):
        cache.ensure(environment(python="3.99"), silent)
    with pytest.raises(UsageError, match="no/python"):
        cache.ensure(environment(python=str(tmp_path / "no/python")), silent)
    aged = tmp_path / "python"
    aged.write_text('#!/bin/sh\necho \'[[3, 9, 2], "x", "/"]\'\n')
    aged.chmod(0o755)
    with pytest.raises(UsageError, match=r"3\.9\.2"):
        cache.ensure(environment(python=str(aged)), silent)


def test_without_a_builder_it_is_said_which_there_could_be(cache: Environments, tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home", {"PATH": "/nowhere"})
    program = f"import sys; sys.modules['pip'] = None; sys.argv = ['', {str(cache.path)!r}, '{{}}']\n{BUILD}"
    done = subprocess.run(
        [sys.executable, "-c", program], env=shell.environment, capture_output=True, text=True, check=False
    )
    assert "neither uv on PATH nor pip" in done.stderr


def other_python() -> str | None:
    """A Python of another minor version that works, if there is one beside ours or on PATH."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    beside = Path(sys.base_prefix).parent.glob("3.*/bin/python3")
    named = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    for path in (*map(str, beside), *(path for path in named if path)):
        ask = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        if done.returncode == 0 and version != ours and int(version.split(".")[1]) >= 11:
            return path
    return None


def test_another_python_has_what_tidewatt_needs_installed_for_it(
    cache: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = other_python()
    if python is None:
        pytest.skip("no Python of another minor version, 3.11 or later")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    try:
        built = cache.ensure(environment(python=python), silent)
    except NotBuilt as error:
        pytest.skip(f"no index at hand: {error.found[-300:]}")
    assert built.version[:2] != sys.version_info[:2]
    assert seen(built, "import tidewatt.runtime.zygote, numpy; print('there')") == "there"
    assert seen(built, "import sysconfig; print(sysconfig.get_config_var('SOABI'))") != (
        sysconfig.get_config_var("SOABI")
    )


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize("ago", [0, 0.1])
def test_an_interrupt_ends_the_builder_and_leaves_nothing(
    cache: Environments, tmp_path: Path, ago: float
) -> None:
    """What is started interrupts its builder: at once, unknown to it as yet, and a little later."""
    fake = tmp_path / "python"
    interrupt = f"(sleep {ago}; kill -INT $PPID) &" if ago else "kill -INT $PPID"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/begun\n{interrupt}\nexec sleep 60\n")
    fake.chmod(0o755)
    told = msgspec.json.encode(environment(python=str(fake))).decode()
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(cache.path), told], stderr=subprocess.DEVNULL
    )
    assert builder.wait(SOON) != 0
    assert not psutil.pid_exists(int((tmp_path / "begun").read_text()))
    assert [kept.built for kept in cache.all()] == [None]
    assert not any(path.is_dir() for path in cache.path.iterdir())

"""Environments in real processes: side by side, direct and durable, lost one at a time, built again."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import psutil
import pytest
from tests.integration.pebbles import choose_builder, offline, wheel
from tests.integration.shells import SOON, Shell
from tests.orders import order

import tidewatt as tw
from tidewatt import wiring
from tidewatt.adapters.engines.local import LocalEngine
from tidewatt.domain.function import Kind
from tidewatt.domain.lifecycle import State
from tidewatt.errors import NotBuilt, Refused, UsageError
from tidewatt.ports import Exited
from tidewatt.runtime.payload import describe, save
from tidewatt.sdk.client import Client
from tidewatt.sdk.environments import furnish
from tidewatt.sdk.functions import Handle

ProcessesOf = Callable[[Client], list[psutil.Process]]


@pytest.fixture(params=["pip", "uv"])
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A folder with two versions of a package, where environments are built from it alone."""
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        wheel(folder, version)
    offline(monkeypatch, folder, tmp_path / "cache")
    choose_builder(monkeypatch, request.param)
    return folder


@pytest.fixture
def home(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of the state folder that functions are called in."""
    monkeypatch.setenv("TIDEWATT_HOME", str(client.home.path))
    return client


def pebble(version: str) -> tw.Env:
    return tw.Env(requirements=[f"pebble=={version}"])


def meeting(version: str) -> Handle[[str, str, str], tuple[str, int]]:
    """A function that sees a version of the package, and does not end before another is there too."""

    @tw.function(env=pebble(version))
    def meet(folder: str, mine: str, other: str) -> tuple[str, int]:
        import pebble  # type: ignore[import-not-found]  # noqa: PLC0415 - only there

        (Path(folder) / mine).write_text(str(os.getpid()))
        while not (Path(folder) / other).exists():
            Event().wait(0.01)
        return pebble.VERSION, os.getpid()

    return meet


def written(path: Path) -> str:
    """What a file says, once it says something."""
    for _ in range(int(SOON * 100)):
        if path.exists() and path.read_text():
            return path.read_text()
        Event().wait(0.01)
    raise AssertionError(f"{path} never came")


@pytest.mark.usefixtures("wheels")
def test_two_jobs_see_two_versions_of_a_package_at_the_same_time(home: Client, tmp_path: Path) -> None:
    first = meeting("1.0").submit(str(tmp_path), "one", "two")
    second = meeting("2.0").submit(str(tmp_path), "two", "one")
    assert [call.result("60 s")[0] for call in (first, second)] == ["1.0", "2.0"]
    assert [job.state for job in home.store.jobs()] == [State.SUCCEEDED] * 2


@pytest.mark.usefixtures("wheels", "home")
def test_direct_calls_are_made_in_their_environment_and_others_beside_it(tmp_path: Path) -> None:
    (tmp_path / "two").touch()
    one, two = meeting("1.0"), meeting("2.0")
    first, second = one.remote(str(tmp_path), "a", "two"), two.remote(str(tmp_path), "two", "a")
    assert (first[0], second[0]) == ("1.0", "2.0")
    assert first[1] != second[1]

    @tw.function()
    def bare() -> None:
        import pebble  # noqa: F401, PLC0415 - it is not there

    with pytest.raises(ModuleNotFoundError, match="pebble"):
        bare.remote()


def parent_of(path: Path) -> psutil.Process:
    """The zygote of a worker that wrote its number down."""
    found = psutil.Process(int(written(path))).parent()
    assert found is not None
    return found


@pytest.mark.usefixtures("wheels")
def test_a_zygote_that_is_killed_takes_only_its_own_workers_along(home: Client, tmp_path: Path) -> None:
    first = meeting("1.0").submit(str(tmp_path), "one", "go")
    second = meeting("2.0").submit(str(tmp_path), "two", "go")
    zygotes = [parent_of(tmp_path / name) for name in ("one", "two")]
    assert zygotes[0] != zygotes[1]
    lost = (tmp_path / "one").read_text()
    zygotes[0].kill()
    psutil.wait_procs([psutil.Process(int(lost))] if psutil.pid_exists(int(lost)) else [], timeout=SOON)
    (tmp_path / "go").touch()
    assert [call.result("60 s")[0] for call in (first, second)] == ["1.0", "2.0"]
    tries = {call.id: [a.outcome for a in home.store.attempts(call.id)] for call in (first, second)}
    assert tries == {first.id: ["stranded", "succeeded"], second.id: ["succeeded"]}


@pytest.mark.usefixtures("wheels")
def test_what_cannot_be_built_is_refused_at_submission_and_nothing_is_queued(home: Client) -> None:
    @tw.function(env=tw.Env(requirements=["peble==1.0"]))
    def misspelt() -> None:
        """Never called."""

    with pytest.raises(NotBuilt, match=r"peble==1\.0"):
        misspelt.submit()
    with pytest.raises(NotBuilt, match=r"peble==1\.0"):
        misspelt.remote()
    assert home.store.jobs() == []
    assert list(home.home.jobs.iterdir()) == []


def test_an_environment_that_is_gone_is_built_again_when_it_is_needed(
    home: Client, wheels: Path, processes_of: ProcessesOf
) -> None:
    @tw.function(env=pebble("1.0"))
    def version() -> str:
        import pebble  # noqa: PLC0415 - only there

        return str(pebble.VERSION)

    assert version.remote() == "1.0"
    psutil.wait_procs(processes_of(home), timeout=SOON)
    cache = wiring.environments()
    (kept,) = cache.all()
    assert cache.remove(kept.name)
    assert version.remote() == "1.0"  # this process has asked for it before, and does not look again
    psutil.wait_procs(processes_of(home), timeout=SOON)
    entries = home.store.ledger()
    assert sum(e.allocation.energy_uj for e in entries) == sum(
        r.energy_uj for r in {e.reading for e in entries}
    )
    assert cache.remove(kept.name)
    (wheels / "pebble-1.0-py3-none-any.whl").unlink()
    with pytest.raises(Refused, match=r"pebble==1\.0"):
        version.remote()


@pytest.mark.usefixtures("wheels")
def test_building_in_a_supervisor_is_charged_to_the_warm_pool(tmp_path: Path) -> None:
    def nothing() -> str:
        import pebble  # noqa: PLC0415 - only there

        return str(pebble.VERSION)

    engine = LocalEngine("tidewatt.elastic.trainer:make", environments=wiring.environments)
    try:
        spec = tw.function(env=pebble("2.0"))(nothing).spec
        payload = describe(None, nothing, "nothing")
        save(tmp_path, None, nothing, {})
        before_s = engine.usage().pool_cpu_s
        engine.start(order(spec, payload, tmp_path))
        ended: list[Exited] = []
        while not ended:
            ended = [event for event in engine.wait(SOON) if isinstance(event, Exited)]
        assert ended[0].outcome == "succeeded", ended[0].error
        assert engine.usage().pool_cpu_s - before_s > 0.05  # a zygote without torch and a builder
        (tmp_path / "cache" / "tidewatt").rename(tmp_path / "cache" / "aside")
        (tmp_path / "wheels" / "pebble-1.0-py3-none-any.whl").unlink()
        engine.start(order(tw.function(env=pebble("1.0"))(nothing).spec, payload, tmp_path))
        ended = []
        while not ended:
            ended = [event for event in engine.wait(SOON) if isinstance(event, Exited)]
        assert ended[0].outcome == "failed"
        assert "pebble==1.0" in (ended[0].error or "")
    finally:
        engine.close()


@pytest.mark.usefixtures("wheels", "home")
def test_a_training_has_its_own_packages_and_our_torch() -> None:
    @tw.training(env=pebble("2.0"))
    def train(run: tw.Run) -> dict[str, str]:
        import pebble  # noqa: PLC0415 - only there
        import torch  # noqa: PLC0415 - here too

        return {"pebble": pebble.VERSION, "torch": torch.__version__, "seed": str(run is not None)}

    import torch  # noqa: PLC0415 - slow to load, and only this test asks

    assert train.submit().result("120 s") == {"pebble": "2.0", "torch": torch.__version__, "seed": "True"}


@pytest.mark.usefixtures("wheels")
def test_commands_name_refuse_list_and_remove(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    (tmp_path / "needs.txt").write_text("pebble==2.0\n")
    (tmp_path / "jobs.py").write_text(
        "import tidewatt as tw\n"
        "@tw.function(env=tw.Env(requirements='needs.txt'))\n"
        "def good():\n    import pebble\n    return {'version': pebble.VERSION}\n"
        "@tw.function(env=tw.Env(requirements=['peble']), on=tw.files('*.none'))\n"
        "def bad(path): pass\n"
    )
    _, said = shell.run("run", f"{tmp_path}/jobs.py:bad", "--arg", "path=x", code=3)
    assert "peble" in said
    assert "Traceback" not in said
    _, said = shell.run("triggers", "add", f"{tmp_path}/jobs.py:bad", code=3)
    assert "peble" in said
    assert shell.json("jobs") == []
    out, said = shell.run("run", f"{tmp_path}/jobs.py:good")
    assert "2.0" in out
    assert "building environment" in said
    (job,) = shell.json("jobs")
    assert shell.json("show", job["job"])["environment"]["told"] == "pebble==2.0"
    receipt = json.loads(shell.run("receipt", job["job"], "--format", "json")[0])
    assert receipt["environment"]["requirements"] == ["pebble==2.0"]
    assert "pebble==2.0" in shell.run("receipt", job["job"])[0]
    built = [each for each in shell.json("environments") if each["requirements"]]
    assert [each["requirements"] for each in built] == [["pebble==2.0"]]
    assert "pebble==2.0" in shell.run("doctor")[0]
    shell.run("environments", "remove", code=2)
    assert "none was unused" in shell.run("environments", "remove", "--unused", "1 day")[0]
    psutil.wait_procs(shell.alive(), timeout=SOON)
    assert "is removed" in shell.run("environments", "remove", built[0]["environment"])[0]


@pytest.mark.usefixtures("wheels")
def test_code_by_value_is_refused_for_another_python(home: Client) -> None:
    @tw.function(env=pebble("1.0"))
    def version() -> str:
        """Never called."""
        return ""

    furnish(version.spec, by_value=True)
    (mark,) = wiring.environments().path.glob("*/environment.json")
    told = json.loads(mark.read_text())
    mark.write_text(json.dumps(told | {"version": [3, 99, 1]}))  # as if it had been built with another one
    for call in (version.submit, version.remote):
        with pytest.raises(UsageError, match="tidewatt run FILE:version"):
            call()
    furnish(version.spec, by_value=False)
    mark.write_text(json.dumps(told | {"torch": ""}))
    with pytest.raises(UsageError, match="without torch"):
        furnish(replace(version.spec, kind=Kind.TRAINING), by_value=False)
    assert home.store.jobs() == []


@pytest.mark.usefixtures("wheels")
def test_a_trigger_submits_into_the_environment_that_it_was_deployed_with(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home")
    (tmp_path / "first.in").write_text("a file that came before")
    (tmp_path / "jobs.py").write_text(
        "import tidewatt as tw\n"
        "@tw.function(env=tw.Env(requirements=['pebble==1.0']), on=tw.files('*.in', settle='10 ms'))\n"
        "def arrived(path):\n    import pebble\n    return pebble.VERSION\n"
    )
    try:
        shell.run("triggers", "add", f"{tmp_path}/jobs.py:arrived")
        shell.run("triggers", "fire", "--stay")
        (job,) = shell.json("jobs")
        client = Client(shell.home)
        try:
            assert client.result(job["job"], SOON) == "1.0"
        finally:
            client.close()
    finally:
        shell.run("triggers", "remove", "arrived")
        psutil.wait_procs(shell.alive(), timeout=SOON)
    assert shell.alive() == []

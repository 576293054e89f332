"""What a loop may ask for: the fast mode, an early end, bfloat16; and what it may not."""

from pathlib import Path

import pytest
from tests.integration.shells import Shell

from tidewatt.domain.function import WorkerRange
from tidewatt.sdk.client import Client, Options
from tidewatt.sdk.load import load

HEAD = """
import torch
from torch import nn
import tidewatt as tw
"""
FAST = """
@tw.training(workers=(1, 2), shards=4, exact={exact})
def fit(run: tw.Run) -> list[float]:
    data = torch.randn(72, 5), torch.randn(72, 1)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.1))
    turns = 0
    for inputs, targets in run.batches(data, size=16, epochs=2):
        turns += 1
        run.step(nn.functional.mse_loss(model(inputs), targets))
    return [turns, *model[2].weight.flatten().tolist(), int(model[1].num_batches_tracked)]
"""
NOTE = "Trained in the fast mode"


def test_the_fast_mode_takes_one_turn_a_step_and_says_so_on_the_receipt(shell: Shell, tmp_path: Path) -> None:
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    results = {}
    for exact in (False, True):
        file = tmp_path / f"fit{exact}.py"
        file.write_text(HEAD + FAST.format(exact=exact))
        for workers in (1, 2):
            job = shell.json("run", str(file), "--workers", str(workers))
            results[exact, workers] = job["result"]["result"]
            assert (NOTE in " ".join(job["notes"])) is not exact
    turns, *fast = results[False, 1]
    assert turns == 2 * 5
    assert results[False, 2][0] == 2 * 5
    assert results[False, 2][1:] == pytest.approx(fast, abs=0.2)
    assert fast[-1] == results[False, 2][-1] == 10
    assert results[True, 1][0] == 2 * 5 * 4
    assert results[True, 2][1:] == results[True, 1][1:]


STOP = """
@tw.training()
def fit(run: tw.Run) -> list[float]:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.5))
    stop = tw.EarlyStopping(measure=lambda: (model.weight - 3).square(), patience=2)
    for (ones,) in run.batches((torch.ones(8, 1),), size=4, epochs=100, stop=stop):
        run.step(-model(ones).mean())
    return model.weight.item()
"""


def test_a_loop_that_gets_no_better_ends_with_its_best_model(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text(HEAD + STOP)
    job = shell.json("run", str(tmp_path / "fit.py"))
    assert (job["result"]["result"], job["steps_done"], job["steps_total"]) == (3.0, 2 * 5, 2 * 5)


REFUSED = {
    "scheduler": ("run.track(model, sgd, torch.optim.lr_scheduler.ReduceLROnPlateau(sgd))", "moves by steps"),
    "accumulate": ("next(run.batches(data, size=2, accumulate=0))", "accumulate of 1 or more"),
    "lengths": ("next(run.batches(data, size=2, shuffle=False, lengths=[1] * 4))", "lengths with shuffle"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_loop_that_could_not_work_is_refused_in_words(shell: Shell, tmp_path: Path, case: str) -> None:
    line, words = REFUSED[case]
    body = (
        "@tw.training()\ndef fit(run):\n    model, data = nn.Linear(1, 1), (torch.ones(4, 1),)\n"
        "    sgd = torch.optim.SGD(model.parameters())\n    run.track(model, sgd)\n    " + line + "\n"
    )
    (tmp_path / "fit.py").write_text(HEAD + body)
    out, err = shell.run("run", str(tmp_path / "fit.py"), code=1)
    assert words in out + err


RAISES = """
@tw.training(workers=(1, 2), shards=2)
def fit(run, rank=0):
    model = nn.Linear(1, 1)
    run.track(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for (x,) in run.batches((torch.ones(400, 1),), size=2):
        if run.rank >= rank:
            raise ValueError("no such luck")
        run.step(model(x).mean())
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_what_the_users_code_raises_on_some_workers_ends_the_job_at_the_first_try(
    shell: Shell, tmp_path: Path, rank: int
) -> None:
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    (tmp_path / "fit.py").write_text(HEAD + RAISES)
    _, err = shell.run("run", str(tmp_path / "fit.py"), "--workers", "2", "--arg", f"rank={rank}", code=1)
    assert "ValueError: no such luck" in err
    (job,) = shell.json("jobs")
    assert len(shell.json("show", job["job"])["attempts"]) == 1


def test_a_job_is_planned_with_the_power_that_its_forebear_drew(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "fit.py"
    file.write_text(HEAD + FAST.format(exact=True).replace("epochs=2", "epochs=400"))
    shell.extra["TIDEWATT_POLICY"] = "run-now"
    job = shell.json("run", str(file), "--workers", "1:2")["job"]
    _, handle = load(str(file))
    with Client(shell.home) as client:
        proposal = client.propose(handle, {}, Options(zones=("DE",), source=file, workers=WorkerRange(1, 2)))
    seen = {each["workers"]: each["watts"] for each in shell.json("show", job, "--profile")["counts"]}
    (workers,) = [count for count, watts in seen.items() if watts is not None]
    (view,) = proposal.snapshot.jobs
    assert view.watts[workers - 1] == pytest.approx(seen[workers])
    assert view.watts[1] == pytest.approx(2 * view.watts[0])

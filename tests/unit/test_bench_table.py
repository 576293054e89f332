"""The table of benchmarks: what is printed, what is written, which arguments are taken."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("benchmarks.table")


def test_the_table_is_markdown_with_aligned_columns(table: ModuleType) -> None:
    shown = table.drawn(
        [
            table.Figure(name="fork_s", value=0.00512, unit="s", peer=1.25, source="a", n=9, spread="5 to 6"),
            table.Figure(name="steps", value=1234.5, unit="1/s", source="from the worker", n=10),
        ]
    )
    assert shown.splitlines() == [
        "| name   |   value | unit | peer | source          |   n | spread |",
        "| ------ | ------: | ---- | ---: | --------------- | --: | ------ |",
        "| fork_s | 0.00512 | s    | 1.25 | a               |   9 | 5 to 6 |",
        "| steps  |    1234 | 1/s  |      | from the worker |  10 |        |",
    ]


def test_the_json_is_a_list_of_what_the_design_names(table: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    figure = table.Figure(name="fork_s", value=0.005, unit="s", source="measured", n=9, spread="5 to 6")
    table.write(path, [figure])
    assert json.loads(path.read_text()) == [
        {"name": "fork_s", "value": 0.005, "unit": "s", "peer": None, "source": "measured", "n": 9}
    ]


def test_the_spread_is_the_middle_half(table: ModuleType) -> None:
    assert table.median([4.0, 1.0, 2.0, 3.0, 100.0], 1) == (3.0, "2.0 to 4.0")
    assert table.median([7.0], 0) == (7.0, "7 to 7")


def test_the_elastic_benchmark_takes_a_file_and_quick(
    table: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    options = table.parser("Something.").parse_args(["--json", "figures.json", "--quick"])
    assert (options.json, options.quick) == (Path("figures.json"), True)
    elastic = importlib.import_module("benchmarks.elastic.__main__")
    with pytest.raises(SystemExit) as left:
        elastic.main(["--jsn", "figures.json"])
    assert left.value.code == 2
    assert "--jsn" in capsys.readouterr().err

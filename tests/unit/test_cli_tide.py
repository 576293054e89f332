"""The tide as block characters: heights, colours, workers and the place of now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.cli.tide import GUTTER, Cell, Scale, axis, bar, chart, workers_row

VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1500)), min_size=1, max_size=80)


@given(values=VALUES, rows=st.integers(1, 8))
def test_a_chart_is_as_wide_as_its_hours_and_as_high_as_asked(values: list[float | None], rows: int) -> None:
    drawn = chart([Cell(value, ahead=False) for value in values], rows)
    assert len(drawn) == rows
    assert all(line.cell_len == GUTTER + len(values) for line in drawn)


@given(values=st.lists(st.floats(0, 1500), min_size=2, max_size=40), rows=st.integers(1, 6))
def test_a_dirtier_hour_is_never_drawn_lower(values: list[float], rows: int) -> None:
    lines = [line.plain[GUTTER:] for line in chart([Cell(v, ahead=False) for v in values], rows)]
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[i]) for line in lines) for i in range(len(values))]
    assert min(heights) >= 1
    by_value = sorted(zip(values, heights, strict=True))
    assert [height for _, height in by_value] == sorted(heights)


def test_an_hour_without_data_is_a_question_and_not_a_clean_hour() -> None:
    (line,) = chart([Cell(100.0, ahead=False), Cell(None, ahead=False), Cell(300.0, ahead=True)], 1)
    assert line.plain[GUTTER:] == "▁?█"
    (nothing,) = chart([Cell(None, ahead=False)], 1)
    assert nothing.plain.strip() == "?"


def test_the_cleanest_hour_is_green_and_the_dirtiest_red() -> None:
    scale = Scale.of([100.0, 300.0])
    assert scale is not None
    clean, dirty = (tuple(bytes.fromhex(scale.colour(value)[1:])) for value in (100.0, 300.0))
    assert clean[1] > clean[0]
    assert dirty[0] > dirty[1]
    assert Scale.of([]) is None


@given(value=st.floats(0, 2000), high=st.floats(1, 1500), width=st.integers(1, 40))
def test_a_bar_never_leaves_its_place(value: float, high: float, width: int) -> None:
    assert bar(value, Scale(0.0, high), width).cell_len == width


def test_workers_are_marked_by_their_share_of_the_most() -> None:
    cells = [Cell(1.0, ahead=False, workers=count) for count in (0, 1, 2, 4)]
    drawn = workers_row([*cells, Cell(1.0, ahead=True)], 4).plain[GUTTER:]
    assert drawn[0] == " "
    assert drawn[4] == "·"
    assert drawn[1] < drawn[2] < drawn[3]


@pytest.mark.parametrize("now", [None, *range(40)])
def test_an_axis_shows_now_at_its_column_and_whole_labels_or_none(now: int | None) -> None:
    plain = axis(40, now, "Wed 1 Jun 00:00", "Thu 2 Jun 12:00").plain
    if now is not None:
        assert plain[GUTTER + now] == "▲"
    for label in ("Wed 1 Jun 00:00", "Thu 2 Jun 12:00"):
        assert label in plain or label.split()[0] not in plain
    assert len(plain) <= GUTTER + 40

"""When schedules are due: around changes of the clock, after a while without a look, and bad ones."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidewatt as tw
from tidewatt.domain.trigger import Missed, Schedule
from tidewatt.errors import UsageError
from tidewatt.policy import due

BERLIN = "Europe/Berlin"
HOUR = 3600.0


def at(text: str) -> float:
    """UTC seconds of an instant written with its offset."""
    return datetime.fromisoformat(text).timestamp()


def told(schedule: Schedule, after: str, count: int) -> list[str]:
    zone = ZoneInfo(schedule.zone)
    return [
        datetime.fromtimestamp(wall, zone).isoformat(timespec="minutes")
        for wall in due.upcoming(schedule, at(after), count)
    ]


def test_a_plain_expression_is_in_utc() -> None:
    assert told(tw.cron("0 3 * * *"), "2026-07-01T00:00+00:00", 2) == [
        "2026-07-01T03:00+00:00",
        "2026-07-02T03:00+00:00",
    ]


def test_a_zone_keeps_its_hour_through_summer_and_winter() -> None:
    schedule = tw.cron("0 3 * * *", zone=BERLIN)
    assert told(schedule, "2026-10-24T00:00+02:00", 3) == [
        "2026-10-24T03:00+02:00",
        "2026-10-25T03:00+01:00",
        "2026-10-26T03:00+01:00",
    ]


def test_a_time_that_the_clock_leaps_over_is_due_right_after() -> None:
    schedule = tw.cron("30 2 * * *", zone=BERLIN)
    assert told(schedule, "2026-03-28T12:00+01:00", 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_two_times_that_fall_together_in_the_leap_are_one() -> None:
    schedule = tw.cron("0 2,3 * * *", zone=BERLIN)
    assert told(schedule, "2026-03-28T12:00+01:00", 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    schedule = tw.cron("30 2 * * *", zone=BERLIN)
    assert told(schedule, "2026-10-24T12:00+02:00", 2) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    # Asked within the hour that comes again, it is not due once more.
    assert told(schedule, "2026-10-25T02:10+01:00", 1) == ["2026-10-26T02:30+01:00"]


def test_every_quarter_of_an_hour_follows_the_time_that_passes() -> None:
    schedule = tw.cron("*/15 * * * *", zone=BERLIN)
    for day in ("2026-03-29T01:00+01:00", "2026-10-25T01:00+02:00"):
        walls = due.upcoming(schedule, at(day), 16)
        assert {after - before for before, after in pairwise(walls)} == {HOUR / 4}


@pytest.mark.parametrize(
    ("missed", "most", "wanted"),
    [("skip", 100, []), ("once", 100, [5]), ("all", 100, [1, 2, 3, 4, 5]), ("all", 2, [4, 5])],
)
def test_missed_times(missed: str, most: int, wanted: list[int]) -> None:
    schedule = Schedule(expression="0 * * * *", missed=Missed(missed), most=most)
    start = at("2026-11-21T00:00+00:00")
    now = start + 5.5 * HOUR
    assert due.made_up(schedule, start, now) == [start + n * HOUR for n in wanted]


def test_a_time_that_was_looked_at_soon_enough_is_not_missed() -> None:
    schedule = tw.cron("0 * * * *", missed="skip")
    start = at("2026-11-21T00:00+00:00")
    assert due.made_up(schedule, start, start + HOUR + 30) == [start + HOUR]
    assert due.made_up(schedule, start, start + HOUR + 90) == []


def test_a_minutely_schedule_that_slept_for_ten_years_is_told_at_once() -> None:
    now = at("2026-11-21T00:00+00:00")
    schedule = tw.cron("* * * * *", missed="all", most=3)
    assert due.made_up(schedule, now - 10 * 365 * 24 * HOUR, now) == [now - 120, now - 60, now]


@pytest.mark.parametrize(
    ("expression", "options"),
    [
        ("0 3 * *", {}),
        ("0 3 * * * *", {}),
        ("61 3 * * *", {}),
        ("0 0 30 2 *", {}),
        ("tomorrow at noon sharp ok", {}),
        ("0 3 * * *", {"zone": "Europe/Atlantis"}),
        ("0 3 * * *", {"zone": "../../etc/passwd"}),
        ("0 3 * * *", {"zone": ""}),
        ("0 3 * * *", {"missed": "twice"}),
        ("0 3 * * *", {"missed": "all", "most": 0}),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(expression: str, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="wanted"):
        tw.cron(expression, **options)  # type: ignore[arg-type]


ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
FIELDS = st.tuples(
    st.sampled_from(["*", "0", "30", "*/20", "5,35"]),
    st.sampled_from(["*", "2", "1,2,3", "*/6", "1-3"]),
    st.sampled_from(["*", "1", "29"]),
    st.just("*"),
    st.sampled_from(["*", "SUN", "1-5"]),
)
SCHEDULES = st.builds(lambda fields, zone: Schedule(expression=" ".join(fields), zone=zone), FIELDS, ZONES)
AROUND_CHANGES = st.sampled_from(
    [at(f"2026-{day}T00:00+00:00") for day in ("03-08", "03-29", "04-05", "10-04", "10-25", "11-01")]
).flatmap(lambda day: st.floats(day - 36 * HOUR, day + 36 * HOUR))


@given(SCHEDULES, AROUND_CHANGES)
def test_times_rise_and_do_not_depend_on_when_one_asks(schedule: Schedule, wall: float) -> None:
    first, second, third = due.upcoming(schedule, wall, 3)
    assert wall < first < second < third
    assert due.following(schedule, (wall + first) / 2) == first
    assert due.following(schedule, first) == second


@given(SCHEDULES, AROUND_CHANGES, st.integers(1, 20))
def test_what_is_made_up_is_the_newest_of_all(schedule: Schedule, wall: float, most: int) -> None:
    now = wall + 40 * HOUR
    every = [instant for instant in due.upcoming(schedule, wall, 200) if instant <= now]
    bound = Schedule(expression=schedule.expression, zone=schedule.zone, missed=Missed.ALL, most=most)
    if len(every) < 200:
        assert due.made_up(bound, wall, now) == every[-most:]


@given(SCHEDULES, AROUND_CHANGES)
def test_a_time_is_due_at_the_minute_that_it_names(schedule: Schedule, wall: float) -> None:
    """Unless the clock leapt over it."""
    instant = due.following(schedule, wall)
    local = datetime.fromtimestamp(instant, ZoneInfo(schedule.zone))
    before = datetime.fromtimestamp(instant - 60, ZoneInfo(schedule.zone))
    if local.utcoffset() == before.utcoffset() and schedule.expression.startswith("30 "):
        assert local.minute == 30
    assert datetime.fromtimestamp(instant, UTC).second == 0

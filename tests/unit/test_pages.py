"""Which pages of a process are given back, and when; told from text and from a clock of the test's own."""

from collections.abc import Sequence

import pytest

from tidewatt.runtime.pages import Mapping, Still, clean

AT = "7f0000001000-7f0000003000"
LIBRARY = "/usr/lib/libtorch cpu.so"


def smaps(head: str = f"{AT} r-xp 00000000 fe:00 4711       {LIBRARY}", **said: str) -> list[str]:
    """A mapping as Linux tells of it; a field that is empty is left out."""
    fields = {
        "Size": "8 kB",
        "Rss": "8 kB",
        "Shared_Clean": "0 kB",
        "Shared_Dirty": "0 kB",
        "Private_Clean": "8 kB",
        "Private_Dirty": "0 kB",
        "Anonymous": "0 kB",
        "Swap": "0 kB",
        "Locked": "0 kB",
        "VmFlags": "rd ex mr mw me sd",
        **said,
    }
    return [f"{head}\n", *(f"{name}:{' ' * 10}{value}\n" for name, value in fields.items() if value)]


def test_code_as_it_is_in_its_file_is_given_back() -> None:
    assert clean(smaps()) == [Mapping(0x7F0000001000, 0x2000)]


@pytest.mark.parametrize(
    "said",
    [
        {"Anonymous": "4 kB"},
        {"Private_Dirty": "4 kB"},
        {"Shared_Dirty": "4 kB"},
        {"Swap": "4 kB"},
        {"Locked": "8 kB"},
        {"Anonymous": ""},
        {"Private_Dirty": ""},
        {"Shared_Dirty": ""},
        {"Anonymous": "none"},
    ],
)
def test_what_was_written_to_or_is_not_told_of_is_kept(said: dict[str, str]) -> None:
    assert clean(smaps(**said)) == []


@pytest.mark.parametrize(
    "head",
    [
        f"{AT} rw-p 00000000 fe:00 4711       {LIBRARY}",
        f"{AT} r--s 00000000 fe:00 4711       {LIBRARY}",
        f"{AT} rw-p 00000000 00:00 0          [heap]",
        f"{AT} r-xp 00000000 00:00 0          [vdso]",
        f"{AT} r--p 00000000 00:00 0 ",
        f"{AT} r--p 00000000 00:05 6          /dev/zero",
    ],
)
def test_only_what_shows_a_file_that_cannot_be_written_to_is_given_back(head: str) -> None:
    assert clean(smaps(head)) == []


def test_each_mapping_is_told_from_the_next() -> None:
    first = "1000-2000 r-xp 00000000 fe:00 1 /a"
    dirty = "2000-3000 r--p 00001000 fe:00 1 /a"
    last = "3000-6000 r--p 00002000 fe:00 1 /a"
    told = [*smaps(first), *smaps(dirty, Anonymous="4 kB"), *smaps(last)]
    assert clean(told) == [Mapping(0x1000, 0x1000), Mapping(0x3000, 0x3000)]


def test_nothing_told_is_nothing_given() -> None:
    assert clean([]) == []


class Others:
    """What is heard of them, wait by wait, and how long each wait was to be at most."""

    def __init__(self) -> None:
        self.says: list[str] = []
        self.waits: list[float | None] = []
        self.given = 0
        self.computed_s = 0.0
        self.still = Still(1.0, self.give, lambda: self.computed_s)

    def heard(self, wait_s: float | None) -> Sequence[str]:
        """One wait."""
        self.waits.append(wait_s)
        return [self.says.pop(0)] if self.says else []

    def give(self) -> None:
        """Count a giving back."""
        self.given += 1


def test_pages_are_given_back_at_the_first_quiet_moment_and_once() -> None:
    others = Others()
    others.says = ["a call"]
    assert others.still.wait(others.heard, None) == ["a call"]
    assert others.given == 0
    assert not others.still.wait(others.heard, None)
    assert others.given == 1
    assert not others.still.wait(others.heard, None)
    assert others.given == 1
    assert others.waits == [0.5, 0.5, None]


def test_a_short_wait_is_no_quiet_moment() -> None:
    others = Others()
    assert not others.still.wait(others.heard, 0.1)
    assert (others.given, others.waits) == (0, [0.1])


def test_pages_are_given_back_again_only_after_as_much_work_as_makes_looking_cheap() -> None:
    others = Others()
    others.still.wait(others.heard, 60.0)
    others.computed_s = 0.9
    others.still.wait(others.heard, 60.0)
    assert others.given == 1
    others.computed_s = 1.1
    others.still.wait(others.heard, 60.0)
    others.still.wait(others.heard, 60.0)
    assert others.given == 2
    assert others.waits == [0.5, 60.0, 0.5, 60.0]

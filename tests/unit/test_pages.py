"""Which pages of a process are given back, and when; told from text and from a clock of the test's own."""

from collections.abc import Sequence

import pytest

from tidewatt.runtime.pages import Mapping, Still, clean, of_files

PRESENT, SWAPPED, OF_FILE, DIRTY_SOON, ALONE = 1 << 63, 1 << 62, 1 << 61, 1 << 55, 1 << 56
LOADED = PRESENT | OF_FILE


def entries(*pages: int) -> list[bytes]:
    """What Linux tells of pages."""
    return [page.to_bytes(8, "little") for page in pages]


def test_code_and_constants_of_libraries_are_looked_at() -> None:
    maps = [
        "1000-3000 r--p 00000000 fe:00 1                          /usr/lib/libtorch cpu.so\n",
        "3000-9000 r-xp 00002000 fe:00 1                          /usr/lib/libtorch cpu.so\n",
    ]
    assert of_files(maps) == [Mapping(0x1000, 0x2000), Mapping(0x3000, 0x6000)]


@pytest.mark.parametrize(
    "line",
    [
        "1000-3000 rw-p 00000000 fe:00 1          /usr/lib/libtorch_cpu.so\n",
        "1000-3000 r--s 00000000 fe:00 1          /usr/lib/libtorch_cpu.so\n",
        "1000-3000 rw-p 00000000 00:00 0          [heap]\n",
        "1000-3000 r-xp 00000000 00:00 0          [vdso]\n",
        "1000-3000 r--p 00000000 00:00 0 \n",
        "1000-3000 r--p 00000000 00:05 6          /dev/zero\n",
    ],
)
def test_what_can_be_written_to_or_is_no_file_is_left_alone(line: str) -> None:
    assert of_files([line]) == []


@pytest.mark.parametrize("pages", [(LOADED,), (0, LOADED | 4711, 0), (LOADED | DIRTY_SOON, LOADED | ALONE)])
def test_pages_as_they_are_in_their_file_are_clean(pages: tuple[int, ...]) -> None:
    assert clean(entries(*pages), len(pages))


@pytest.mark.parametrize("page", [PRESENT, SWAPPED, SWAPPED | OF_FILE, PRESENT | SWAPPED | OF_FILE])
def test_one_page_that_was_written_to_keeps_the_whole_mapping(page: int) -> None:
    assert not clean(entries(LOADED, page, LOADED), 3)


def test_a_mapping_without_pages_in_memory_has_nothing_to_give() -> None:
    assert not clean(entries(0, 0), 2)


def test_pages_that_are_not_told_of_are_kept() -> None:
    assert not clean(entries(LOADED), 2)
    assert not clean([], 0)


class Others:
    """What is heard of them, wait by wait, and how long each wait was to be at most."""

    def __init__(self) -> None:
        self.says: list[str] = []
        self.waits: list[float | None] = []
        self.given = 0
        self.computed_s = 0.0
        self.still = Still(0.5, 1.0, self.give, lambda: self.computed_s)

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

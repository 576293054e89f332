"""What is shown of a result: plain values, short, in letters, whatever a function returns."""

from dataclasses import dataclass

import pytest
from typing_extensions import override

from tidewatt.runtime.worker import shown


@dataclass
class Fit:
    """A result of a class of the user's."""

    slope: float


class Unshown:
    """Something whose own words fail."""

    @override
    def __repr__(self) -> str:
        raise ValueError("not now")


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"slope": 3.0, "big": 10**30}, {"slope": 3.0, "big": 10**30}),
        (Fit(3.0), {"slope": 3.0}),
        ({"loss": 0.1, "weights": [0.5] * 10_000}, {"loss": 0.1, "weights": "list, too long to be shown"}),
        (b"x" * 1_000_000, "bytes, too long to be shown"),
        ("by\udcfftes", "by\udcfftes"),
        ({"by\udcfftes": 1}, {"by\udcfftes": 1}),
        ({(1, 2): 3, 4: 5}, {"(1, 2)": 3, 4: 5}),
        (LOOP, "[[...]]"),
        (Unshown(), "<Unshown>"),
        (None, None),
    ],
)
def test_a_result_can_be_shown(value: object, told: object) -> None:
    assert shown(value) == told

"""Arguments as they are kept, printed and compared: short, in letters, and different where they differ."""

import pytest
from typing_extensions import override

from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.errors import UsageError
from tidewatt.sdk.drafts import Options, key_of, shown


class Unshown:
    """Something whose own words fail, or are in other bytes than UTF-8."""

    def __init__(self, words: str = "") -> None:
        self._words = words

    @override
    def __repr__(self) -> str:
        if not self._words:
            raise ValueError("not now")
        return self._words


def test_what_is_short_is_shown_as_it_is() -> None:
    assert shown({"path": "a.png", "lr": 0.1}) == {"path": "'a.png'", "lr": "0.1"}


def test_what_is_long_is_shown_in_part_and_told_from_others() -> None:
    one, other = (shown({"data": b"x" * 3_000_000 + end})["data"] for end in (b"1", b"2"))
    assert len(one) < 1100
    assert one.startswith("b'xxx")
    assert "(3,000,004 characters, SHA-256" in one
    assert one != other
    assert one == shown({"data": b"x" * 3_000_000 + b"1"})["data"]


@pytest.mark.parametrize(
    ("value", "told"),
    [(Unshown(), "<Unshown, which cannot be shown: ValueError>"), (Unshown("a\udcff"), "a\\udcff")],
)
def test_what_cannot_be_shown_is_told_so(value: object, told: str) -> None:
    assert shown({"value": value}) == {"value": told}


def test_a_key_that_cannot_be_written_is_refused_in_words() -> None:
    spec = FunctionSpec(name="fit", kind=Kind.FUNCTION)
    assert key_of(spec, Options(key="größe 1")) == "fit größe 1"
    with pytest.raises(UsageError, match=r"idempotency key 'a\\udcff'.*letters that can be written"):
        key_of(spec, Options(key="a\udcff"))

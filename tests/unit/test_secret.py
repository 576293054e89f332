"""Secrets: files of their owner alone, and a veil over what they hold."""

import io
import pickle
import stat
from pathlib import Path

import pytest

from tidewatt.errors import UsageError
from tidewatt.runtime.faults import packed
from tidewatt.runtime.secret import Secrets, Veil, check_given

VALUE = "hunter-2-and-more"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets")


@pytest.fixture
def veil(monkeypatch: pytest.MonkeyPatch) -> Veil:
    monkeypatch.setenv("TOKEN", VALUE)
    return Veil(["TOKEN", "NOT_SET"])


def test_a_secret_is_its_owners_alone_and_is_told_by_name(secrets: Secrets, tmp_path: Path) -> None:
    assert secrets.names() == []
    secrets.keep("TOKEN", VALUE)
    assert secrets.names() == ["TOKEN"]
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "TOKEN").stat().st_mode) == 0o600
    secrets.remove("TOKEN")
    assert secrets.names() == []


@pytest.mark.parametrize("name", ["", "../TOKEN", "A B", "1ST", ".TOKEN"])
def test_a_name_is_that_of_a_variable(secrets: Secrets, name: str) -> None:
    with pytest.raises(UsageError, match="wanted a name of letters, digits and _"):
        secrets.keep(name, VALUE)
    with pytest.raises(UsageError, match="found no secret"):
        secrets.check([name])


@pytest.mark.parametrize("value", ["", "a\0b"])
def test_a_secret_has_a_value_that_a_variable_can_have(secrets: Secrets, value: str) -> None:
    with pytest.raises(UsageError, match="found no value for secret TOKEN"):
        secrets.keep("TOKEN", value)


def test_one_that_is_not_kept_is_refused_in_words(secrets: Secrets) -> None:
    secrets.keep("OTHER", VALUE)
    with pytest.raises(UsageError, match="found no secret TOKEN; wanted one that is kept: OTHER"):
        secrets.check(["OTHER", "TOKEN"])


def test_a_secret_that_is_set_anew_has_another_stamp(secrets: Secrets) -> None:
    secrets.keep("TOKEN", VALUE)
    before = secrets.stamp(["TOKEN"])
    secrets.keep("TOKEN", VALUE)
    assert secrets.stamp(["TOKEN"]) != before
    assert VALUE not in before


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(secrets: Secrets, tmp_path: Path) -> None:
    secrets.keep("OTHER", VALUE)
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "secrets" / "TOKEN").symlink_to(target)
    secrets.keep("TOKEN", VALUE)
    assert target.read_text() == "kept"


def test_handing_over_sets_what_is_kept_and_nothing_else(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONE", "of another shell")
    monkeypatch.setenv("TOKEN", "the same")
    secrets.keep("TOKEN", VALUE)
    secrets.hand_over(["TOKEN", "GONE"])
    check_given(["TOKEN"])
    with pytest.raises(UsageError, match="found no secret GONE any more"):
        check_given(["GONE"])


def test_values_are_veiled_in_whatever_pieces_they_are_written(veil: Veil) -> None:
    into = io.StringIO()
    stream = veil.over(into)
    stream.write(f"the token is {VALUE[:5]}")
    stream.write(f"{VALUE[5:]}.\nand ")
    assert into.getvalue() == "the token is ***.\n"
    stream.flush()
    assert into.getvalue() == "the token is ***.\nand "


def test_each_line_of_a_key_is_veiled_and_what_is_short_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "BEGIN KEY\nMIIEvQIBADAN\nxy")
    veil = Veil(["KEY"])
    assert veil.text("found MIIEvQIBADAN, or xy") == "found ***, or xy"


def test_without_secrets_streams_stay_as_they_are() -> None:
    into = io.StringIO()
    assert Veil([]).over(into) is into


def test_an_exception_that_holds_a_secret_is_told_as_veiled_text_alone(veil: Veil) -> None:
    fault = packed(ValueError(f"401 for https://host/?token={VALUE}"), veil)
    assert fault.pickled is None
    assert "ValueError: 401 for https://host/?token=***" in fault.text
    other = packed(ValueError("404"), veil)
    assert other.pickled is not None
    assert pickle.loads(other.pickled).args == ("404",)  # noqa: S301 - written above

"""How long a machine stays warm, from a history that is easily told."""

import pytest

from tidewatt import settings
from tidewatt.errors import UsageError
from tidewatt.policy.idle.fixed import Fixed
from tidewatt.policy.idle.hybrid import HybridHistogram
from tidewatt.policy.idle.names import named
from tidewatt.policy.idle.priced import Price, Priced
from tidewatt.policy.idle.stay import stay_s

NOW = 1_800_000_000.0
PRICE = Price(start_j=4.0, wait_j=80.0, idle_w_per_gb=0.3725)


def stays(policy: Fixed | HybridHistogram | Priced, *minutes_ago: float, idle_s: float = 0.0) -> float:
    called = [("f", NOW - 60 * minutes) for minutes in minutes_ago]
    return stay_s(policy, called, now=NOW, idle_s=idle_s, memory_gb=0.24)


def test_without_an_hour_of_history_nothing_is_stayed_for() -> None:
    assert stays(Fixed(10)) == 0
    assert stays(Fixed(10), 0, 30, 59.5) == 0
    assert stays(Fixed(10), 0, 30, 60.5) == 600
    assert stays(Fixed(10), 0, 1441) == 0


def test_what_has_passed_since_work_ended_is_no_longer_stayed() -> None:
    assert stays(Fixed(10), 90, 0) == 600
    assert stays(Fixed(10), 90, 4.5) == 600  # something was at work until now
    assert stays(Fixed(10), 90, 4.5, idle_s=240) == 360
    assert stays(Fixed(10), 90, 15, idle_s=900) == 0


def test_hybrid_stays_at_most_its_range() -> None:
    assert stays(HybridHistogram(range_min=100), 70, idle_s=70 * 60) == 30 * 60
    assert stays(HybridHistogram(), *range(0, 600, 30)) == 33 * 60  # it cannot come back after 26 minutes


def test_priced_stays_for_what_comes_often_and_leaves_what_does_not() -> None:
    often = [minute + (minute * 7 % 3) / 4 for minute in range(0, 600, 4)]
    assert stays(Priced(PRICE), *often) >= 240
    assert stays(Priced(PRICE), *range(0, 1440, 10)) in {600, 660, 720}  # nine idle minutes, and little more
    assert stays(Priced(PRICE), 0, 700, 1400) < 600
    assert stays(Priced(PRICE), *range(0, 1440, 120)) < 600


def test_functions_are_stayed_for_together() -> None:
    called = [(f"f{which}", NOW - 60 * (which + 20 * turn)) for which in range(10) for turn in range(30)]
    together = stay_s(Priced(PRICE), called, now=NOW, idle_s=0.0, memory_gb=0.24)
    alone = stay_s(
        Priced(PRICE), [(n, at) for n, at in called if n == "f0"], now=NOW, idle_s=0.0, memory_gb=0.24
    )
    assert together > alone


@pytest.mark.parametrize("text", ["", "fixed", "fixed:", "fixed:10", "fixed:soon", "hybrid:2", "warm"])
def test_what_is_no_idle_policy_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError):
        named(text)


def test_the_environment_names_the_idle_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIDEWATT_IDLE", "TIDEWATT_LINGER_S"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(asked(), Priced)
    monkeypatch.setenv("TIDEWATT_IDLE", "hybrid")
    assert asked() == HybridHistogram()
    monkeypatch.setenv("TIDEWATT_LINGER_S", "1")
    monkeypatch.setenv("TIDEWATT_IDLE", "fixed:90s")
    assert asked() == Fixed(1.5)
    monkeypatch.delenv("TIDEWATT_IDLE")
    assert settings.idle_policy() is None
    monkeypatch.setenv("TIDEWATT_IDLE", "fixd:1min")
    with pytest.raises(UsageError, match=r"fixed:10min"):
        settings.idle_policy()


def asked() -> object:
    at_price = settings.idle_policy()
    assert at_price is not None
    return at_price(PRICE)

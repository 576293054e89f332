"""The idle policies by name."""

from collections.abc import Callable

from tidewatt.domain.units import MINUTE_S, parse_duration
from tidewatt.errors import UsageError
from tidewatt.policy.idle.calls import IdlePolicy
from tidewatt.policy.idle.fixed import Fixed
from tidewatt.policy.idle.hybrid import HybridHistogram
from tidewatt.policy.idle.priced import Price, Priced

DEFAULT = "priced"
AtPrice = Callable[[Price], IdlePolicy]
"""A policy, once it is known what a start and a warm minute cost here."""


def named(text: str) -> AtPrice:
    """The policy of that name: ``priced``, ``hybrid``, or ``fixed:DURATION`` such as ``fixed:10min``.

    Raises:
        UsageError: there is none.
    """
    name, colon, duration = text.partition(":")
    if name == "fixed" and colon:
        fixed = Fixed(parse_duration(duration) / MINUTE_S)
        return lambda _price: fixed
    if text == "hybrid":
        return lambda _price: HybridHistogram()
    if text == "priced":
        return Priced
    raise UsageError(
        f"idle policy {text!r}", "priced, hybrid or fixed:DURATION", "write for instance fixed:10min"
    )

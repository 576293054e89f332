"""Whether runs keep to a budget, and whether they got worse; not enough evidence is never a pass."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from tidewatt.domain.budget import UNITS
from tidewatt.errors import UsageError

FEWEST_PAIRS = 5
"""Of fewer pairs even unanimous ones come about by chance more often than one time in twenty."""
MOST_PAIRS = 16
_CHANCE = 0.05


class Verdict(StrEnum):
    """What came of one question."""

    KEPT = "kept"
    EXCEEDED = "exceeded"
    UNKNOWN = "not enough evidence"


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer: ``value`` against ``bound``, both in ``unit``; ``value`` is None if it is not known."""

    subject: str
    name: str
    value: float | None
    bound: float
    unit: str
    verdict: Verdict
    why: str = ""


def judge(subject: str, figures: Mapping[str, float | None], most: Mapping[str, float]) -> list[Finding]:
    """One finding for each bound."""
    findings: list[Finding] = []
    for name, bound in most.items():
        value = figures.get(name)
        if value is None or not math.isfinite(value):
            verdict, why = Verdict.UNKNOWN, "its receipt does not know it"
        else:
            verdict, why = (Verdict.KEPT if value <= bound else Verdict.EXCEEDED), ""
        findings.append(Finding(subject, name, value, bound, UNITS[name], verdict, why))
    return findings


def compare(subject: str, pairs: Sequence[tuple[float, float]], noise: float) -> Finding:
    """Whether runs need more than others that they are paired with, beyond a band of noise.

    An exact sign-flip test of the paired log ratios (Fisher's randomisation test): under the hypothesis that
    the true ratio lies at the edge of the band either sign of each difference to it is as likely. Kept is
    what lies below the edge with an error of at most one in twenty, exceeded what lies above it so surely.

    Args:
        subject: what is compared.
        pairs: (now, before) of the same work, above zero.
        noise: how much more is still the same, such as 0.05.

    Raises:
        UsageError: more pairs than can be enumerated, or a figure that is not above zero.
    """
    if len(pairs) > MOST_PAIRS:
        raise UsageError(f"{len(pairs)} pairs of runs", f"at most {MOST_PAIRS}")
    if any(now <= 0 or before <= 0 for now, before in pairs):
        raise UsageError("a run without energy", "runs whose energy is known")
    logs = [math.log(now / before) for now, before in pairs]
    ratio = math.exp(sum(logs) / len(logs)) if logs else None
    edge, name = 1 + noise, "against the baseline"
    if len(pairs) < FEWEST_PAIRS:
        why = f"{len(pairs)} pairs, and fewer than {FEWEST_PAIRS} prove nothing"
        return Finding(subject, name, ratio, edge, "x", Verdict.UNKNOWN, why)
    apart = [log - math.log(edge) for log in logs]
    observed = sum(apart)
    flips = [sum(sign * a for sign, a in zip(signs, apart, strict=True)) for signs in _signs(len(apart))]
    slack = 1e-12 * sum(map(abs, apart))
    below = sum(flip <= observed + slack for flip in flips) / len(flips)
    above = sum(flip >= observed - slack for flip in flips) / len(flips)
    if below <= _CHANCE:
        return Finding(subject, name, ratio, edge, "x", Verdict.KEPT, f"p = {below:.3f}")
    if above <= _CHANCE:
        return Finding(subject, name, ratio, edge, "x", Verdict.EXCEEDED, f"p = {above:.3f}")
    why = f"p = {below:.3f} that it is below, {above:.3f} that it is above"
    return Finding(subject, name, ratio, edge, "x", Verdict.UNKNOWN, why)


def _signs(count: int) -> "product[tuple[int, ...]]":
    return product((1, -1), repeat=count)

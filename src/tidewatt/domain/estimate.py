"""A number that says how well it is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Tier(IntEnum):
    """Where a figure comes from; a larger tier is known less well."""

    COUNTER = 1
    HYBRID = 2
    MODEL = 3
    DEFAULT = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the range it is believed to lie in.

    Ranges are bounds, not deviations: sums and products combine them by interval arithmetic, which
    overstates the width when errors are independent and never understates it.
    """

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> "Estimate":
        """A value without a range."""
        return cls(value, value, value)

    def __add__(self, other: "Estimate") -> "Estimate":
        """Both, bounds with bounds."""
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, other: "Estimate") -> "Estimate":
        """The product of two quantities that are not negative."""
        return Estimate(self.value * other.value, self.low * other.low, self.high * other.high)

    def times(self, scale: "Estimate") -> "Estimate":
        """The product of a quantity that may be negative, such as a price, and one that is not."""
        return Estimate(
            self.value * scale.value,
            min(self.low * scale.low, self.low * scale.high),
            max(self.high * scale.low, self.high * scale.high),
        )

    def scaled(self, factor: float) -> "Estimate":
        """The estimate in another unit, or a fixed share of it (``factor`` is not negative)."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def bounds(self, scale: float = 1.0) -> dict[str, float]:
        """The value and its range by name, as programs are told it, in a unit ``scale`` times as small."""
        return {"value": scale * self.value, "low": scale * self.low, "high": scale * self.high}


ZERO = Estimate(0.0, 0.0, 0.0)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """The sum of all, zero for none."""
    result = ZERO
    for estimate in estimates:
        result = result + estimate
    return result

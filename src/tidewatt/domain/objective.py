"""What plans are to make small."""

from dataclasses import dataclass
from enum import StrEnum

from tidewatt.errors import UsageError


class Aim(StrEnum):
    """What counts."""

    CARBON = "carbon"
    COST = "cost"
    ENERGY = "energy"
    TIME = "time"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Objective:
    """An aim and, for ``money``, what a tonne of CO2e is taken to cost.

    ``carbon`` counts emissions of operation and, where a site says so, of manufacture; ``cost`` electricity
    and the rent of processors; ``energy`` what the facility draws; ``money`` is cost plus carbon at its
    price; ``time`` is as soon as possible.
    """

    aim: Aim = Aim.CARBON
    carbon_price: float = 0.0
    """Money for each tonne of CO2e, in the currency of the tariffs."""


CARBON = Objective()


def parse(text: str) -> Objective:
    """An objective as it is written: an aim, or ``money:PRICE`` with the price of a tonne.

    Raises:
        UsageError: it is none of these.
    """
    name, colon, price = text.partition(":")
    try:
        aim = Aim(name)
        carbon_price = float(price) if colon else 0.0
    except ValueError:
        aim, carbon_price = Aim.CARBON, -1.0
    if not 0 <= carbon_price < float("inf") or (aim is Aim.MONEY) != bool(colon):
        raise UsageError(
            f"objective {text!r}",
            "carbon, cost, energy, time, or money:PRICE with the price of a tonne of CO2e",
            "write for instance money:80",
        )
    return Objective(aim, carbon_price)

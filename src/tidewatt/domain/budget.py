"""What work may spend, and what is done once it has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import cast

from tidewatt.domain.units import parse_dollars, parse_duration, parse_grams, parse_joules, parse_litres
from tidewatt.errors import UsageError

_READ = {
    "energy": parse_joules,
    "carbon": parse_grams,
    "water": parse_litres,
    "money": parse_dollars,
    "energy_per_step": parse_joules,
}
UNITS = {
    "energy": "J",
    "carbon": "gCO₂e",
    "water": "L",
    "money": "USD",
    "energy_per_step": "J",
    "stalled_share": "",
}
"""What can be bounded, and the unit that it is told in."""
WARN_AT = 0.8
"""The share of a bound from which on it is told that it comes near."""
JUDGED_AFTER_S = 30.0
"""Processor seconds held before a share or the energy of a step says something: first comes the start."""


class Action(StrEnum):
    """What is done when a bound is reached; whatever it is, it is told."""

    WARN = "warn"
    """Nothing more."""
    SUSPEND = "suspend"
    """Work is suspended at its next step, and its checkpoint stays."""
    STOP = "stop"
    """Work is ended as failed, and nothing new is accepted."""
    REFUSE = "refuse"
    """Nothing new is accepted; what runs goes on."""


class Scope(StrEnum):
    """Whose sums are bounded: those of one run, or those of a calendar month."""

    RUN = "run"
    FUNCTION = "function"
    """A run of a function that has bounds of its own."""
    MONTH = "month"
    """All that the machine drew."""
    TEAM = "team"
    """Jobs with this label."""
    LINEAGE = "lineage"
    """Jobs of the function of this name."""


OF_RUNS = frozenset({Scope.RUN, Scope.FUNCTION})
_NAMED = frozenset({Scope.FUNCTION, Scope.TEAM, Scope.LINEAGE})

Subject = tuple[Scope, str]
"""A scope, and the name of what it is of; empty for those that have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Upper bounds on one subject, in the units of ``UNITS``, and what is done when one is reached."""

    scope: Scope = Scope.RUN
    name: str = ""
    most: Mapping[str, float]
    when_reached: Action = Action.SUSPEND
    warn_at: float = WARN_AT
    judged_after_s: float = JUDGED_AFTER_S

    @property
    def subject(self) -> Subject:
        """What it bounds."""
        return self.scope, self.name


@dataclass(frozen=True, slots=True)
class Budgets:
    """All rules of a file."""

    rules: Mapping[Subject, Rule] = field(default_factory=dict[Subject, Rule])

    @classmethod
    def parse(cls, tables: Mapping[str, object], source: str) -> "Budgets":
        """Rules from the tables of a file, of which ``source`` is the name.

        Raises:
            UsageError: a table, a key or a unit that is unknown, or a value that makes no sense.
        """
        rules: dict[Subject, Rule] = {}
        for title, table in tables.items():
            if title not in list(Scope) or not isinstance(table, dict):
                known = ", ".join(f"[{s}.NAME]" if s in _NAMED else f"[{s}]" for s in Scope)
                raise UsageError(f"[{title}] in {source}", f"one of {known}")
            scope, found = Scope(title), cast("dict[str, object]", table)
            for name, each in found.items() if scope in _NAMED else [("", found)]:
                if not isinstance(each, dict):
                    raise UsageError(f"{name} in [{title}]", f"a table of its own, [{title}.{name}]")
                where = f"[{scope}.{name}]" if name else f"[{scope}]"
                rules[scope, name] = _rule(scope, name, cast("dict[str, object]", each), where)
        return cls(rules)

    @property
    def of_months(self) -> bool:
        """Whether any of them bounds the sums of a month."""
        return any(scope not in OF_RUNS for scope, _ in self.rules)

    def of_run(self, function: str) -> list[Rule]:
        """What bounds one run of a function: its own rule, and [run] as far as that leaves it open."""
        own, every = self.rules.get((Scope.FUNCTION, function)), self.rules.get((Scope.RUN, ""))
        if own is None or every is None:
            return [rule for rule in (own, every) if rule is not None]
        left = {name: bound for name, bound in every.most.items() if name not in own.most}
        return [own, replace(every, most=left)]


def subjects(function: str, team: str) -> tuple[Subject, ...]:
    """All subjects with monthly sums that a job of this function and team counts towards."""
    mine: tuple[Subject, ...] = ((Scope.MONTH, ""), (Scope.LINEAGE, function))
    return (*mine, (Scope.TEAM, team)) if team else mine


def bounds(table: Mapping[str, object], where: str) -> dict[str, float]:
    """Upper bounds in the units of ``UNITS``, from a table such as ``{"energy": "2 kJ"}``.

    Raises:
        UsageError: a key or a unit that is unknown, or a bound that is not above zero.
    """
    found: dict[str, float] = {}
    for key, value in table.items():
        if key not in UNITS:
            raise UsageError(f"{key} in {where}", f"one of {', '.join(UNITS)}")
        if key not in _READ:
            found[key] = _share(key, value, where)
            continue
        if not isinstance(value, str):
            raise UsageError(f"{key} = {value!r} in {where}", "text with a unit, such as '2 kJ'")
        bound = _READ[key](value)
        if not math.isfinite(bound) or bound <= 0:
            raise UsageError(f"{key} = {value!r} in {where}", "a bound above zero")
        found[key] = bound
    return found


def _rule(scope: Scope, name: str, table: Mapping[str, object], where: str) -> Rule:
    if scope not in OF_RUNS and "energy_per_step" in table:
        raise UsageError(
            f"energy_per_step in {where}", "it in [run] or [function.NAME]: steps are those of one run"
        )
    others = {key: table[key] for key in ("when_reached", "warn_at", "judged_after") if key in table}
    after = others.get("judged_after", f"{JUDGED_AFTER_S:g} s")
    if not isinstance(after, str):
        raise UsageError(f"judged_after = {after!r} in {where}", "text with a unit, such as '30 s'")
    return Rule(
        scope=scope,
        name=name,
        most=bounds({key: value for key, value in table.items() if key not in others}, where),
        when_reached=_action(others.get("when_reached", Action.SUSPEND), where),
        warn_at=_share("warn_at", others.get("warn_at", WARN_AT), where),
        judged_after_s=parse_duration(after),
    )


def _action(value: object, where: str) -> Action:
    if not isinstance(value, str) or value not in list(Action):
        raise UsageError(f"when_reached = {value!r} in {where}", f"one of {', '.join(Action)}")
    return Action(value)


def _share(key: str, value: object, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise UsageError(f"{key} = {value!r} in {where}", "a share from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper bounds on one job, as text with a unit: ``Budget(carbon="2 kg", energy="1 kWh")``.

    ``stalled_share`` is a share of its energy; ``when_reached`` is warn, suspend, stop or refuse.
    """

    carbon: str | None = None
    energy: str | None = None
    water: str | None = None
    money: str | None = None
    energy_per_step: str | None = None
    stalled_share: float | None = None
    when_reached: str = Action.SUSPEND

    def __post_init__(self) -> None:
        """Refuse what cannot be read, at once.

        Raises:
            UsageError: a bound without a unit, or not above zero.
        """
        rule_of(self)


@lru_cache(maxsize=256)
def rule_of(budget: Budget) -> Rule:
    """The budget of one job as a rule.

    Raises:
        UsageError: something in it cannot be read.
    """
    table = {name: getattr(budget, name) for name in (*UNITS, "when_reached")}
    given = {name: value for name, value in table.items() if value is not None}
    return _rule(Scope.RUN, "", given, "tw.Budget")

"""What budgets ask for while work goes on: of sums, the jobs that are warned, held, ended or not accepted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidewatt.accounting.carbon import Spent
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.cost import electricity
from tidewatt.accounting.factors import Factors
from tidewatt.accounting.gate import Verdict, judge
from tidewatt.accounting.water import water
from tidewatt.domain.budget import OF_RUNS, UNITS, Action, Budgets, Rule, Scope, Subject, subjects
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.ledger import Phase
from tidewatt.domain.units import JOULES_PER_KWH, format_quantity
from tidewatt.errors import OverBudget

_OWNERS = {Scope.RUN: "its", Scope.FUNCTION: "its", Scope.MONTH: "the machine's"}
_ENDING = {Action.STOP: 2, Action.SUSPEND: 1}
"""What ends work at all, and which of two goes first."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a joule of a machine comes to in a zone: joules of the site, litres and US dollars."""

    zone: str
    pue: float
    water_l: float
    money_usd: float

    @classmethod
    def of(cls, zone: str, pue: float, factors: Factors) -> "Place":
        """By the factors in force."""
        conditions, one = Conditions(factors=factors), Estimate.exact(1.0)
        joule = [Spent(zone=zone, start_at=0.0, end_at=0.0, energy_j=one, meter=one)]
        litres, dollars = water(joule, conditions), electricity(joule, conditions)
        return cls(zone, pue, litres.amount.value, dollars.amount.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What has been drawn so far.

    ``carbon_g`` is that of the energy whose intensity is known, None while that is none of it;
    ``unpriced_j`` is the rest.
    """

    energy_j: float = 0.0
    stalled_j: float = 0.0
    held_cpu_s: float = 0.0
    carbon_g: float | None = None
    unpriced_j: float = 0.0
    water_l: float = 0.0
    money_usd: float = 0.0

    @classmethod
    def of(
        cls, energy_j: float, phase: Phase, held_cpu_s: float, place: Place, intensity: float | None
    ) -> "Drawn":
        """Energy of a machine in a place, at an intensity in gCO2e/kWh."""
        return cls(
            energy_j=energy_j,
            stalled_j=energy_j if phase is Phase.STALLED else 0.0,
            held_cpu_s=held_cpu_s,
            carbon_g=None if intensity is None else energy_j * place.pue / JOULES_PER_KWH * intensity,
            unpriced_j=energy_j if intensity is None else 0.0,
            water_l=energy_j * place.water_l,
            money_usd=energy_j * place.money_usd,
        )

    def __add__(self, other: "Drawn") -> "Drawn":
        """Both together."""
        known = [grams for grams in (self.carbon_g, other.carbon_g) if grams is not None]
        return Drawn(
            energy_j=self.energy_j + other.energy_j,
            stalled_j=self.stalled_j + other.stalled_j,
            held_cpu_s=self.held_cpu_s + other.held_cpu_s,
            carbon_g=sum(known) if known else None,
            unpriced_j=self.unpriced_j + other.unpriced_j,
            water_l=self.water_l + other.water_l,
            money_usd=self.money_usd + other.money_usd,
        )

    def figures(self, rule: Rule, steps: int = 0) -> dict[str, float | None]:
        """What a rule bounds, by name; None where it is not known or says too little yet."""
        settled = self.held_cpu_s >= rule.judged_after_s
        return {name: _FIGURES[name](self, steps, settled) for name in rule.most}


_FIGURES: dict[str, Callable[[Drawn, int, bool], float | None]] = {
    "energy": lambda drawn, _steps, _settled: drawn.energy_j,
    "carbon": lambda drawn, _steps, _settled: drawn.carbon_g,
    "water": lambda drawn, _steps, _settled: drawn.water_l,
    "money": lambda drawn, _steps, _settled: drawn.money_usd,
    "energy_per_step": lambda drawn, steps, settled: drawn.energy_j / steps if settled and steps else None,
    "stalled_share": lambda drawn, _steps, settled: (
        drawn.stalled_j / drawn.energy_j if settled and drawn.energy_j else None
    ),
}
NOTHING = Drawn()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A job as budgets see it; ``own`` is what its function brings along, beside those of the file."""

    job_id: str
    function: str
    team: str = ""
    own: Rule | None = None
    steps: int = 0
    drawn: Drawn = NOTHING


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to become of a job: ``action`` is suspend, stop, or None where it goes on.

    ``why`` is the reason in words; ``lasting`` says that the turn of the month does not lift it. ``said`` is
    what is worth telling, whatever is done.
    """

    action: Action | None = None
    why: str = ""
    lasting: bool = False
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    rule: Rule
    reached: bool
    budget: str
    said: str

    @property
    def text(self) -> str:
        """The whole of it in words."""
        return f"{self.said} {self.budget}"


def decide(
    budgets: Budgets, runs: Sequence[Run], periods: Mapping[Subject, Drawn], month: str
) -> dict[str, Ruling]:
    """A ruling for each job.

    Where a sum over several jobs is reached, all of them are suspended: nothing is left for any, and which
    of them drew it does not matter.

    Args:
        budgets: those in force.
        runs: jobs that are open.
        periods: what was drawn in the month, by subject; jobs that have ended are in it, however they did.
        month: what the month is called.
    """
    of_periods = {
        subject: list(_findings(rule, periods.get(subject, NOTHING), month))
        for subject, rule in budgets.rules.items()
        if rule.scope not in OF_RUNS
    }
    return {run.job_id: _ruling(run, budgets, of_periods) for run in runs}


def check(
    budgets: Budgets,
    run: Run,
    expected: Drawn | None,
    periods: Mapping[Subject, Drawn],
    promised: Mapping[Subject, Drawn],
    month: str,
) -> None:
    """Refuse a new job for which nothing is left.

    Args:
        budgets: those in force.
        run: the job.
        expected: what it would draw by its plan, None if that is not known.
        periods: what was drawn in the month, by subject.
        promised: what jobs accepted before are still expected to draw, by subject.
        month: what the month is called.

    Raises:
        OverBudget: a budget that refuses or stops is used up, or one that refuses would be by this job.
    """
    for rule in _rules(run, budgets):
        if rule.when_reached not in {Action.STOP, Action.REFUSE}:
            continue
        used = NOTHING if rule.scope in OF_RUNS else periods.get(rule.subject, NOTHING)
        remedy = "raise it" if rule.scope in OF_RUNS else "raise it, or wait for the next month"
        for found in _findings(rule, used, month):
            if found.reached:
                raise OverBudget(f"{found.budget} used up", "something left of it", remedy)
        if rule.when_reached is Action.REFUSE and expected is not None:
            before = NOTHING if rule.scope in OF_RUNS else used + promised.get(rule.subject, NOTHING)
            _check_expected(rule, before, expected, month, remedy)


def _check_expected(rule: Rule, used: Drawn, expected: Drawn, month: str, remedy: str) -> None:
    for finding in judge("", (used + expected).figures(rule), rule.most):
        if finding.verdict is Verdict.EXCEEDED:
            needed, before = (each.figures(rule)[finding.name] or 0.0 for each in (expected, used))
            more = f" on top of {_amount(finding.name, before)}" if before else ""
            raise OverBudget(
                f"an expected {_amount(finding.name, needed)}{more}",
                f"at most {_budget(rule, finding.name, month)}",
                remedy,
            )


def _ruling(run: Run, budgets: Budgets, of_periods: Mapping[Subject, Sequence[_Finding]]) -> Ruling:
    findings: list[_Finding] = []
    for rule in _rules(run, budgets):
        findings += (
            _findings(rule, run.drawn, "", run.steps) if rule.scope in OF_RUNS else of_periods[rule.subject]
        )
    said = tuple(dict.fromkeys(finding.text for finding in findings))
    ending = [f for f in findings if f.reached and f.rule.when_reached in _ENDING]
    if not ending:
        return Ruling(said=said)
    first = max(ending, key=lambda f: (_ENDING[f.rule.when_reached], f.rule.scope in OF_RUNS))
    lasting = first.rule.scope in OF_RUNS
    waits = first.rule.when_reached is Action.SUSPEND and not lasting
    why = f"{first.text}: waits for the next month or a larger budget" if waits else first.text
    return Ruling(first.rule.when_reached, why, lasting, said)


def _rules(run: Run, budgets: Budgets) -> list[Rule]:
    """All that bound a job, directly or with others."""
    shared = [budgets.rules[s] for s in subjects(run.function, run.team) if s in budgets.rules]
    own = [] if run.own is None else [run.own]
    return [*own, *budgets.of_run(run.function), *shared]


def _findings(rule: Rule, drawn: Drawn, month: str, steps: int = 0) -> Iterator[_Finding]:
    """What is reached of a rule, what comes near, and what cannot be told."""
    for finding in judge("", drawn.figures(rule, steps), rule.most):
        budget = _budget(rule, finding.name, month)
        if finding.verdict is Verdict.EXCEEDED:
            yield _Finding(rule, True, budget, "over")
        elif finding.value is not None and finding.value > rule.warn_at * finding.bound:
            yield _Finding(rule, False, budget, f"beyond {100 * rule.warn_at:.0f} % of")
        if finding.name == "carbon" and drawn.unpriced_j > 0:
            yield _Finding(rule, False, budget, "not all carbon is known that counts towards")


def _budget(rule: Rule, name: str, month: str) -> str:
    """``"team vision's energy budget of 2.00 kJ for 2026-11"``."""
    owner = _OWNERS.get(rule.scope) or f"{rule.scope} {rule.name}'s"
    of = f"{owner} {name.replace('_', ' ')} budget of {_amount(name, rule.most[name])}"
    return of if rule.scope in OF_RUNS else f"{of} for {month}"


def _amount(name: str, value: float) -> str:
    unit = UNITS[name]
    if unit in {"J", "L"}:
        return format_quantity(value, unit)
    if unit == "gCO₂e":
        return f"{format_quantity(value, 'g')} CO₂e"
    return f"{value:.4g} {unit}" if unit else f"{100 * value:.3g} %"

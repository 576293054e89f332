"""What budgets ask for while work goes on, and what they accept."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidewatt.accounting.factors import DEFAULTS
from tidewatt.accounting.spending import NOTHING, Drawn, Place, Run, check, decide
from tidewatt.domain.budget import Action, Budget, Budgets, Scope, Subject, rule_of
from tidewatt.domain.ledger import Phase
from tidewatt.errors import OverBudget, UsageError

MONTH = "2026-11"
HERE = Place.of("DE", 1.0, DEFAULTS)
FIT = Run(job_id="fit-1", function="fit", team="vision")
TEAM: Subject = (Scope.TEAM, "vision")


def budgets(**tables: object) -> Budgets:
    return Budgets.parse(tables, "budget.toml")


def joules(energy_j: float) -> Drawn:
    return Drawn.of(energy_j, Phase.COMPUTE, 100.0, HERE, 3_600_000.0)


def ruled(told: Budgets, run: Run = FIT, periods: Mapping[Subject, Drawn] | None = None) -> object:
    ruling = decide(told, [run], periods or {}, MONTH)[run.job_id]
    return ruling.action, ruling.why, ruling.lasting, ruling.said


def test_a_rule_is_read_with_what_is_to_be_done() -> None:
    told = budgets(
        run={"energy": "2 kJ", "when_reached": "stop", "warn_at": 0.5, "judged_after": "1 min"},
        team={"vision": {"carbon": "1 kg"}},
    )
    run = told.rules[Scope.RUN, ""]
    assert (run.most, run.when_reached, run.warn_at, run.judged_after_s) == (
        {"energy": 2000.0},
        Action.STOP,
        0.5,
        60.0,
    )
    assert told.rules[TEAM].when_reached is Action.SUSPEND
    assert told.of_months
    assert not budgets(run={"energy": "2 kJ"}).of_months


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"rum": {"energy": "1 J"}}, r"\[rum\] in budget.toml; wanted one of \[run\], \[function.NAME\]"),
        ({"run": "1 J"}, r"\[run\] in budget.toml"),
        ({"team": {"energy": "1 J"}}, r"energy in \[team\]; wanted a table of its own, \[team.energy\]"),
        ({"run": {"when_reached": "pause"}}, "wanted one of warn, suspend, stop, refuse"),
        ({"run": {"when_reached": ["stop"]}}, "wanted one of warn, suspend, stop, refuse"),
        ({"run": {"warn_at": 80}}, "warn_at = 80 in \\[run\\]; wanted a share from 0 to 1"),
        ({"run": {"judged_after": 30}}, "text with a unit"),
        ({"month": {"energy_per_step": "1 J"}}, "steps are those of one run"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(tables: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Budgets.parse(tables, "budget.toml")


def test_the_bounds_of_a_function_go_before_those_of_every_run() -> None:
    told = budgets(
        run={"energy": "1 kJ", "carbon": "1 g", "when_reached": "stop"}, function={"fit": {"energy": "2 kJ"}}
    )
    own, rest = told.of_run("fit")
    assert (own.most, own.when_reached) == ({"energy": 2000.0}, Action.SUSPEND)
    assert (rest.most, rest.when_reached) == ({"carbon": 1.0}, Action.STOP)
    assert [rule.most for rule in told.of_run("other")] == [{"energy": 1000.0, "carbon": 1.0}]


def test_a_budget_in_the_decorator_is_read_at_once() -> None:
    rule = rule_of(Budget(energy="2 kJ", water="1 L", money="3 USD", stalled_share=0.2, when_reached="stop"))
    assert rule.most == {"energy": 2000.0, "water": 1.0, "money": 3.0, "stalled_share": 0.2}
    assert rule.when_reached is Action.STOP
    with pytest.raises(UsageError, match=r"when_reached = 'end' in tw\.Budget"):
        Budget(energy="2 kJ", when_reached="end")


def test_what_is_near_is_told_and_what_is_reached_is_done() -> None:
    told = budgets(run={"energy": "100 J"})
    assert ruled(told, replace(FIT, drawn=joules(80.0))) == (None, "", False, ())
    near = "beyond 80 % of its energy budget of 100 J"
    assert ruled(told, replace(FIT, drawn=joules(81.0))) == (None, "", False, (near,))
    over = "over its energy budget of 100 J"
    assert ruled(told, replace(FIT, drawn=joules(101.0))) == (Action.SUSPEND, over, True, (over,))


@pytest.mark.parametrize("action", ["warn", "refuse"])
def test_what_only_warns_or_refuses_lets_go_on_what_runs(action: str) -> None:
    told = budgets(run={"energy": "100 J", "when_reached": action})
    over = "over its energy budget of 100 J"
    assert ruled(told, replace(FIT, drawn=joules(101.0))) == (None, "", False, (over,))


def test_all_jobs_of_a_team_are_held_when_its_month_is_used_up() -> None:
    told = budgets(team={"vision": {"carbon": "50 g"}})
    jobs = [FIT, replace(FIT, job_id="fit-2"), replace(FIT, job_id="fit-3", team="audio")]
    found = decide(told, jobs, {TEAM: joules(51.0)}, MONTH)
    over = "over team vision's carbon budget of 50.0 g CO₂e for 2026-11"
    assert [found[job.job_id].action for job in jobs] == [Action.SUSPEND, Action.SUSPEND, None]
    assert found["fit-1"].why == f"{over}: waits for the next month or a larger budget"
    assert (found["fit-1"].lasting, found["fit-1"].said) == (False, (over,))


def test_stopping_goes_before_suspending_and_what_lasts_before_what_passes() -> None:
    over = replace(FIT, drawn=joules(101.0))
    both = budgets(
        run={"energy": "100 J"},
        team={"vision": {"energy": "100 J"}},
        lineage={"fit": {"energy": "100 J", "when_reached": "stop"}},
    )
    used = {TEAM: joules(101.0), (Scope.LINEAGE, "fit"): joules(101.0)}
    assert decide(both, [over], used, MONTH)["fit-1"].action is Action.STOP
    assert decide(both, [over], {TEAM: joules(101.0)}, MONTH)["fit-1"].lasting


def test_water_money_shares_and_steps_are_bounded_too() -> None:
    drawn = joules(3_600_000.0) + Drawn.of(3_600_000.0, Phase.STALLED, 0.0, HERE, 0.0)
    for bound, words in (
        ({"water": "1 L"}, "its water budget of 1.00 L"),
        ({"money": "0.1 USD"}, "its money budget of 0.1 USD"),
        ({"stalled_share": 0.4}, "its stalled share budget of 40 %"),
        ({"energy_per_step": "1 kJ"}, "its energy per step budget of 1.00 kJ"),
    ):
        run = replace(FIT, drawn=drawn, steps=10)
        assert ruled(budgets(run=bound), run) == (Action.SUSPEND, f"over {words}", True, (f"over {words}",))


def test_shares_and_steps_are_judged_only_once_they_say_something() -> None:
    told = budgets(run={"stalled_share": 0.4, "energy_per_step": "1 J", "judged_after": "101 s"})
    early = Drawn.of(500.0, Phase.STALLED, 100.0, HERE, 1.0)
    assert ruled(told, replace(FIT, drawn=early, steps=1)) == (None, "", False, ())
    later = early + Drawn.of(0.0, Phase.COMPUTE, 1.0, HERE, 1.0)
    assert decide(told, [replace(FIT, drawn=later, steps=1)], {}, MONTH)["fit-1"].action is Action.SUSPEND
    assert len(decide(told, [replace(FIT, drawn=later)], {}, MONTH)["fit-1"].said) == 1


def test_carbon_that_is_not_known_is_told_and_is_not_zero() -> None:
    told = budgets(run={"carbon": "10 g"})
    dark = Drawn.of(1e9, Phase.COMPUTE, 1.0, HERE, None)
    lacks = "not all carbon is known that counts towards its carbon budget of 10.0 g CO₂e"
    assert ruled(told, replace(FIT, drawn=dark)) == (None, "", False, (lacks,))
    ruling = decide(told, [replace(FIT, drawn=dark + joules(11.0))], {}, MONTH)["fit-1"]
    assert ruling.action is Action.SUSPEND
    assert lacks in ruling.said


def accepted(told: Budgets, expected: float | None, used: float = 0.0, promised: float = 0.0) -> bool:
    drawn = None if expected is None else joules(expected)
    try:
        check(told, FIT, drawn, {TEAM: joules(used)}, {TEAM: joules(promised)}, MONTH)
    except OverBudget:
        return False
    return True


def test_a_job_is_accepted_while_something_is_left_for_it() -> None:
    told = budgets(team={"vision": {"energy": "100 J", "when_reached": "refuse"}})
    assert accepted(told, 40.0, 60.0)
    assert not accepted(told, 41.0, 60.0)
    assert not accepted(told, 40.0, 50.0, 20.0)
    assert accepted(told, None, 100.0)
    assert not accepted(told, None, 101.0)
    for action, free in (("warn", True), ("suspend", True), ("stop", False)):
        other = budgets(team={"vision": {"energy": "100 J", "when_reached": action}})
        assert accepted(other, 500.0, 60.0)
        assert accepted(other, 1.0, 101.0) is free


def test_a_refusal_says_what_is_needed_and_what_is_left() -> None:
    told = budgets(team={"vision": {"energy": "100 J", "when_reached": "refuse"}})
    with pytest.raises(OverBudget) as refusal:
        check(told, FIT, joules(41.0), {TEAM: joules(60.0)}, {}, MONTH)
    assert str(refusal.value) == (
        "found an expected 41.0 J on top of 60.0 J; wanted at most team vision's energy budget of 100 J for "
        "2026-11; raise it, or wait for the next month"
    )
    with pytest.raises(OverBudget, match="energy budget of 100 J for 2026-11 used up; wanted something left"):
        check(told, FIT, None, {TEAM: joules(101.0)}, {}, MONTH)
    alone = budgets(run={"energy": "100 J", "when_reached": "refuse"})
    with pytest.raises(OverBudget, match="an expected 101 J; wanted at most its energy budget of 100 J"):
        check(alone, FIT, joules(101.0), {}, {}, MONTH)


SUMS = st.floats(0.0, 1e6)
BOUNDS = st.floats(0.5, 1e6)
ACTIONS = st.sampled_from(list(Action))


def of_energy(scope: Scope, bound: float, action: Action) -> Budgets:
    table = {"energy": f"{bound!r} J", "when_reached": str(action)}
    return budgets(**{scope: table if scope in {Scope.RUN, Scope.MONTH} else {_name(scope): table}})


def _name(scope: Scope) -> str:
    return "vision" if scope is Scope.TEAM else "fit"


@given(st.sampled_from(list(Scope)), BOUNDS, st.floats(1.0, 100.0), ACTIONS, SUMS, SUMS)
def test_a_larger_budget_never_stops_more(
    scope: Scope, bound: float, more: float, action: Action, own: float, shared: float
) -> None:
    periods: dict[Subject, Drawn] = dict.fromkeys(
        ((Scope.MONTH, ""), TEAM, (Scope.LINEAGE, "fit")), joules(shared)
    )
    run = replace(FIT, drawn=joules(own))
    narrow, wide = (of_energy(scope, each, action) for each in (bound, bound * more))
    if decide(wide, [run], periods, MONTH)["fit-1"].action is not None:
        assert decide(narrow, [run], periods, MONTH)["fit-1"].action is not None
    if not _passes(wide, run, periods, own):
        assert not _passes(narrow, run, periods, own)


def _passes(told: Budgets, run: Run, periods: Mapping[Subject, Drawn], expected: float) -> bool:
    try:
        check(told, run, joules(expected), periods, {}, MONTH)
    except OverBudget:
        return False
    return True


@given(BOUNDS, st.lists(st.lists(st.floats(0.0, 1e4), min_size=3, max_size=3), max_size=30))
def test_a_team_overshoots_by_no_more_than_was_drawn_since_the_last_look(
    bound: float, samples: list[list[float]]
) -> None:
    told = of_energy(Scope.TEAM, bound, Action.SUSPEND)
    jobs = [replace(FIT, job_id=f"fit-{number}") for number in range(3)]
    spent, last = NOTHING, 0.0
    for sample in samples:
        found = decide(told, jobs, {TEAM: spent}, MONTH)
        running = [n for n, job in enumerate(jobs) if found[job.job_id].action is None]
        if not running:
            break
        last = sum(sample[n] for n in running)
        spent = spent + joules(last)
    assert spent.energy_j <= bound + last + 1e-9 * (bound + last)

"""Whether the budgets in force leave anything for a job that comes in now."""

from collections import defaultdict

from tidewatt import wiring
from tidewatt.accounting import spending
from tidewatt.accounting.spending import NOTHING, Drawn
from tidewatt.control.books import Places, drawn_in_month, subjects_of
from tidewatt.control.spending import run_of
from tidewatt.domain.budget import Budgets, Subject
from tidewatt.domain.month import month_name
from tidewatt.domain.snapshot import JobView
from tidewatt.ports import Store
from tidewatt.sdk.expect import planned_course
from tidewatt.sdk.proposal import Proposal


def check(store: Store, budgets: Budgets, proposal: Proposal) -> None:
    """Refuse a proposal for which a budget leaves nothing.

    Jobs that were accepted before and have not ended are counted with what their plans still take.

    Raises:
        OverBudget: a budget that refuses or stops is used up, or one that refuses would be by this job.
    """
    run = run_of(proposal.job)
    if not budgets.rules and run.own is None:
        return
    now = proposal.snapshot.now
    places = Places(lambda: proposal.snapshot.sites, wiring.factors())
    views = {view.id: view for view in proposal.snapshot.jobs}
    periods: dict[Subject, Drawn] = {}
    promised: defaultdict[Subject, Drawn] = defaultdict(Drawn)
    if budgets.of_months:
        periods = drawn_in_month(store, now, places, proposal.grid.name)
        for job in store.jobs(open_only=True):
            more = _expected(proposal, views[job.id], places) if job.id in views else None
            for subject in subjects_of(job) if more else ():
                promised[subject] += more or NOTHING
    expected = _expected(proposal, views[run.job_id], places)
    spending.check(budgets, run, expected, periods, promised, month_name(now))


def _expected(proposal: Proposal, view: JobView, places: Places) -> Drawn | None:
    """What a job will draw by its plan, None while its length is not known."""
    if view.remaining is None:
        return None
    course = planned_course(proposal, view)
    if not course.stretches:
        return None
    place, priced = places.at(course.stretches[0].zone), course.priced
    return Drawn(
        energy_j=priced.energy_j,
        carbon_g=None if priced.carbon is None else priced.carbon.amount.value,
        unpriced_j=priced.unpriced_j,
        water_l=priced.energy_j * place.water_l,
        money_usd=priced.energy_j * place.money_usd,
    )

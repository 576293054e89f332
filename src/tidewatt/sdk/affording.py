"""Whether the budgets in force leave anything for a job that comes in now."""

from collections import defaultdict

from tidewatt.accounting import spending
from tidewatt.accounting.spending import NOTHING, Drawn
from tidewatt.control.books import drawn_in_month, subjects_of
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
    views = {view.id: view for view in proposal.snapshot.jobs}
    periods: dict[Subject, Drawn] = {}
    promised: defaultdict[Subject, Drawn] = defaultdict(Drawn)
    if budgets.of_months:
        periods = drawn_in_month(store, now, proposal.snapshot.sites, proposal.grid.name)
        for job in store.jobs(open_only=True):
            more = _expected(proposal, views[job.id]) if job.id in views else None
            for subject in subjects_of(job) if more else ():
                promised[subject] += more or NOTHING
    expected = _expected(proposal, views[run.job_id])
    spending.check(budgets, run, expected, periods, promised, month_name(now))


def _expected(proposal: Proposal, view: JobView) -> Drawn | None:
    """What a job will draw by its plan, None while its length is not known."""
    if view.remaining is None:
        return None
    priced = planned_course(proposal, view).priced
    carbon_g = None if priced.carbon is None else priced.carbon.amount.value
    return Drawn(energy_j=priced.energy_j, carbon_g=carbon_g, unpriced_j=priced.unpriced_j)

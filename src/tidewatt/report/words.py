"""Sentences of a receipt that every renderer tells in the same words."""

from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.factors import Impact
from tidewatt.accounting.saving import Saving
from tidewatt.domain.estimate import Estimate, Tier
from tidewatt.report.contents import Deadline, Energy, Identity, Impacts, Receipt, Running
from tidewatt.report.figures import amount, duration, instant, percent, plain, span

NOT_KNOWN = "not known"
NO_DIFFERENCE = "no difference"
_ROUNDING = 1e-9
"""A share of a saving below which only the order of adding made a difference."""
TIERS = {
    Tier.COUNTER: "measured by a counter",
    Tier.HYBRID: "measured in part, modelled in part",
    Tier.MODEL: "modelled",
    Tier.DEFAULT: "default figures",
}


def impact(value: Impact | None) -> str:
    """The amount of an impact, or that it is not known."""
    return NOT_KNOWN if value is None else amount(value.amount.value, value.unit)


def impact_span(value: Impact | None) -> str:
    """The range of an impact, empty where there is none."""
    return "" if value is None else span(value.amount, value.unit)


def further(impacts: Impacts) -> tuple[tuple[str, Impact], ...]:
    """Impacts that only some receipts know, and that are in no other figure, each with what it is called."""
    beyond = impacts.beyond
    named = (
        ("Idle share", impacts.idle),
        ("Machine", impacts.machine),
        ("Marginal carbon", impacts.marginal),
        ("Market-based", impacts.market),
        ("Network, disks", beyond.carbon if beyond.network_j.value + beyond.storage_j.value > 0 else None),
    )
    return tuple((label, impact) for label, impact in named if impact is not None)


def energy(value: Energy) -> str:
    """The energy of the job in joules."""
    return amount(value.total_j.value, "J") if value.metered else NOT_KNOWN


def energy_span(value: Energy) -> str:
    """The range of the energy of the job."""
    return span(value.total_j, "J") if value.metered else ""


def meter(value: Energy) -> str:
    """Who says so, and how well it is known."""
    if not value.meters:
        return "not metered"
    return f"{', '.join(value.meters)}, tier {int(value.tier)}: {TIERS[value.tier]}"


def intensity_label(receipt: Receipt) -> str:
    """How the intensity of the grid is named wherever it is shown."""
    name = receipt.place.grid
    return f"{name} (model)" if receipt.place.modelled and "model" not in name.lower() else name


def verdict(saved: Saving | Unknown) -> str:
    """The saving in a few words, told as plainly when there is none."""
    if isinstance(saved, Unknown):
        return f"saving {NOT_KNOWN}"
    grams = saved.operational_g.value
    if grams == 0 or (saved.share is not None and abs(saved.share.value) < 0.0005):
        return NO_DIFFERENCE
    word = "less" if grams > 0 else "more"
    if saved.share is None:
        return f"{amount(abs(grams), 'gCO2e')} {word}"
    return f"{percent(abs(saved.share.value))} {word} carbon"


def saved_amount(saved: Saving) -> str:
    """The saving in grams, in words."""
    grams = saved.operational_g.value
    if grams == 0 or (saved.share is not None and abs(saved.share.value) < _ROUNDING):
        return amount(0.0, "gCO2e")
    return f"{amount(abs(grams), 'gCO2e')} {'saved' if grams > 0 else 'more'}"


def saved_span(saved: Saving) -> str:
    """The range of the saving, or of what was spent more; empty where it is a point."""
    ahead = saved.operational_g.value >= 0
    grams = saved.operational_g if ahead else _opposite(saved.operational_g)
    ranges = [span(grams, "gCO2e")]
    if saved.share is not None:
        share = saved.share if ahead else _opposite(saved.share)
        low, high = percent(share.low), percent(share.high)
        ranges.append("" if low == high else f"{low.removesuffix(' %')} to {high}")
    return ", ".join(text for text in ranges if text)


def doubt(saved: Saving) -> str:
    """Says so if the range of a saving holds both signs; empty otherwise."""
    if saved.operational_g.low < 0 < saved.operational_g.high:
        return "The range holds zero: by these figures alone it is not certain which of the two took less."
    return ""


def _opposite(value: Estimate) -> Estimate:
    return Estimate(-value.value, -value.high, -value.low)


def comparison(other: Counterfactual) -> str:
    """What the run that did not happen would have been."""
    workers = f"{other.workers} worker{'' if other.workers == 1 else 's'}"
    return (
        f"the same work, started at submission with {workers} in {other.zone} and run straight through, "
        f"{instant(other.start_at)} to {instant(other.end_at)}"
    )


def deadline(value: Deadline | None) -> str:
    """Whether the deadline was kept, with the time to spare."""
    if value is None:
        return "none"
    spare = duration(abs(value.slack_s))
    if value.kept is None:
        return f"open, {spare} left"
    if value.kept:
        return f"kept, {spare} to spare"
    return f"missed by {spare}" if value.slack_s < 0 else "missed: the job ended without a result"


def attempts(ran: Running) -> str:
    """How many attempts there were, on how many workers, where."""
    count = len(ran.segments)
    if count == 0:
        return "no attempt yet"
    counts = worker_counts(ran)
    plural = "" if counts == "1" else "s"
    zones = ", ".join(dict.fromkeys(s.zone for s in ran.segments))
    return f"{count} attempt{'' if count == 1 else 's'} with {counts} worker{plural} in {zones}"


def worker_counts(ran: Running) -> str:
    """The least and the most workers of all attempts, "1 to 4"; "none" before the first."""
    counts = sorted({s.workers for s in ran.segments})
    if not counts:
        return "none"
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def changes(ran: Running) -> str:
    """How often the job was stopped, resumed, resized, moved and disturbed; empty if never."""
    counted = (
        (ran.suspends, "pause", "pauses"),
        (ran.resumes, "resume", "resumes"),
        (ran.resizes, "change of worker count", "changes of worker count"),
        (ran.moves, "move", "moves"),
        (ran.losses, "attempt lost or failed", "attempts lost or failed"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counted if count)


def steps(who: Identity) -> str:
    """How far the job came, with its loss."""
    reached = f"{who.steps_done:,}" + (f" of {who.steps_total:,}" if who.steps_total else "")
    if who.first_loss is None or who.last_loss is None:
        return reached
    return f"{reached}, loss {plain(who.first_loss)} to {plain(who.last_loss)}"

"""What energy of a period did no work, and what would have it do less."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.ledger import Holder, Phase
from tidewatt.report.period import Charge

OVER_RESERVED = "over_reserved"
"""Static energy, during work, of processors that a job held and did not use."""

_ADVICE: dict[str, tuple[str, str]] = {
    Holder.UNALLOCATED: ("idle", "run more on this machine, or let it sleep"),
    Holder.POOL: ("kept ready", "shorten TIDEWATT_LINGER_S, or submit jobs together"),
    Holder.PLATFORM: ("supervisor", "submit jobs together"),
    Phase.COLD_START: ("starting", "fewer, longer jobs; import less"),
    Phase.STALLED: ("stalled", "load data faster, ask for fewer workers"),
    Phase.REPLAY: ("done again", "shorten checkpoint_every=, find out what kills workers"),
    Phase.SUSPEND: ("suspending", "a smaller state"),
    Phase.RESUME: ("resuming", "a smaller state"),
    Phase.CHECKPOINT: ("checkpoints", "lengthen checkpoint_every="),
    OVER_RESERVED: ("held, not used", "ask for fewer cpus= or workers="),
}
"""What it is called, and what to change."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Energy of one kind that did no work; ``share`` is of all that the node drew, money in US dollars."""

    key: str
    label: str
    energy_uj: int
    share: float
    cost_usd: float | None
    worst: str
    """The job that lost the most of it; empty if it is nobody's."""
    advice: str


def losses(charges: Sequence[Charge]) -> tuple[Loss, ...]:
    """All kinds, the largest first; energy that did work is not among them."""
    whole = sum(charge.energy_uj for charge in charges)
    found = [_loss(kind, charges, whole) for kind in _ADVICE]
    return tuple(sorted((f for f in found if f.energy_uj > 0), key=lambda f: -f.energy_uj))


def _loss(kind: str, charges: Sequence[Charge], whole: int) -> Loss:
    by_charge = {charge.resource: _of(kind, charge) for charge in charges}
    energy_uj = sum(by_charge.values())
    worst = max(by_charge, key=by_charge.__getitem__, default="") if not isinstance(kind, Holder) else ""
    priced = [c for c in charges if _of(kind, c)]
    cost_usd = (
        sum(c.cost.amount.value * _of(kind, c) / c.energy_uj for c in priced if c.cost is not None)
        if all(c.cost is not None for c in priced)
        else None
    )
    label, advice = _ADVICE[kind]
    return Loss(str(kind), label, energy_uj, energy_uj / whole if whole else 0.0, cost_usd, worst, advice)


def unsaid_uj(charges: Sequence[Charge]) -> int:
    """The energy of work of which nobody kept how much of what was held it used."""
    return sum(charge.unsaid_uj for charge in charges)


def _of(kind: str, charge: Charge) -> int:
    """Microjoules of a charge that are of a kind; no microjoule is of two."""
    if kind == OVER_RESERVED:
        return charge.spare_uj
    if isinstance(kind, Holder):
        return charge.energy_uj if charge.shared and charge.resource == str(kind) else 0
    return 0 if charge.shared else charge.by_phase_uj.get(Phase(kind), 0)

"""An audit of how the ledger divided what jobs shared, told as a table and as JSON."""

import json

from tidewatt.accounting.audit import Audit, Share
from tidewatt.accounting.curve import Curve
from tidewatt.domain.ledger import Holder
from tidewatt.domain.units import MICROJOULES
from tidewatt.report.figures import amount, duration, exact, percent
from tidewatt.report.words import NOT_KNOWN

_NAMES = {
    Holder.POOL: "kept ready for jobs to come",
    Holder.PLATFORM: "the supervisor",
    Holder.UNALLOCATED: "unallocated",
}
_SCHEMA = "tidewatt.audit/1"


def render(audit: Audit) -> str:
    """A table of all accounts, the cost game in words, and whether the sums and the check hold."""
    jobs = [share.account.job_id for share in audit.shares if share.account.holder is Holder.JOB]
    company = ", ".join(job_id for job_id in jobs if job_id != audit.job_id)
    measured = f"{audit.readings} readings over {duration(audit.wall_s)}"
    parts = [f"What {audit.job_id} shared with {company}: {measured}.", *_unknown(audit), ""]
    return "\n".join([*parts, *_table(audit), "", *_explained(audit), ""])


def _table(audit: Audit) -> list[str]:
    rows = [
        (
            _NAMES.get(share.account.holder, share.account.job_id),
            amount(share.ledger_uj / MICROJOULES, "J"),
            amount(share.shapley_uj / MICROJOULES, "J"),
            NOT_KNOWN if share.difference is None else _signed(share.difference),
        )
        for share in audit.shares
    ]
    whole = amount(audit.energy_uj / MICROJOULES, "J")
    table = [("Account", "Ledger", "Shapley", "Difference"), *rows, ("together", whole, whole, "")]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    return [_line(row, widths) for row in table]


def _explained(audit: Audit) -> list[str]:
    curve, off, allowed = f"2u - u^{audit.curve.exponent:.2f}", exact(_off(audit)), exact(audit.entries)
    return [
        f"Both columns sum to {exact(audit.energy_uj)}, all that the node drew then.",
        "Shapley: what each adds to what the node would draw, as a mean over all orders of arrival, with",
        f"static power by reservation and dynamic power by the curve {curve} over the busy share u,",
        f"{_whence(audit.curve)}.",
        "The difference is how far one may in good faith disagree with the ledger's shares.",
        "Check: by the ledger's own rule, a straight line, the two columns would be the same;",
        f"they differ by {off} at most, of {allowed} that rounding may make up.",
    ]


def render_json(audit: Audit) -> str:
    """The same figures as one JSON object, energies in whole microjoules."""
    return json.dumps(_values(audit), indent=2) + "\n"


def _values(audit: Audit) -> dict[str, object]:
    return {
        "schema": _SCHEMA,
        "job": audit.job_id,
        "readings": audit.readings,
        "readings_unknown": audit.unknown,
        "real_s": audit.wall_s,
        "node_uj": audit.energy_uj,
        "curve": {
            "form": "2u - u^r",
            "r": audit.curve.exponent,
            "fitted_readings": audit.curve.readings,
            "explained": audit.curve.explained,
        },
        "check_off_uj": _off(audit),
        "check_allowed_uj": audit.entries,
        "accounts": [_account(share) for share in audit.shares],
    }


def _account(share: Share) -> dict[str, object]:
    return {
        "account": str(share.account.holder),
        "job": share.account.job_id or None,
        "ledger_uj": share.ledger_uj,
        "additive_uj": share.additive_uj,
        "shapley_uj": share.shapley_uj,
        "difference": share.difference,
    }


def _off(audit: Audit) -> int:
    return max(abs(share.additive_uj - share.ledger_uj) for share in audit.shares)


def _signed(share: float) -> str:
    return f"+{percent(share)}" if share > 0 else percent(share)


def _unknown(audit: Audit) -> list[str]:
    if not audit.unknown:
        return []
    return [f"{audit.unknown} further readings are left out: an older version did not keep who used what."]


def _whence(curve: Curve) -> str:
    if curve.explained is None:
        return "as published (Fan, Weber, Barroso, ISCA 2007); no counter's readings tell this node's own"
    explained = percent(curve.explained)
    return f"fitted to {curve.readings} readings of this node, of whose variance it explains {explained}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = row
    figures = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
    return "  ".join([first.ljust(widths[0]), *figures]).rstrip()

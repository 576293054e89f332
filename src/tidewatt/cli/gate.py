"""Reads receipts and budgets, and holds one against the other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from tidewatt.accounting.factors import Impact
from tidewatt.accounting.gate import Finding, Verdict, compare, judge
from tidewatt.adapters.budgetfile import read
from tidewatt.cli.month import gather
from tidewatt.cli.receipts import as_values, receipt_of
from tidewatt.cli.verdicts import Told, tell
from tidewatt.domain.budget import Budgets, Scope
from tidewatt.domain.ledger import Phase
from tidewatt.domain.units import MICROJOULES
from tidewatt.errors import UsageError
from tidewatt.report.period import Charge
from tidewatt.sdk.client import Client

_EXIT = {Verdict.KEPT: 0, Verdict.EXCEEDED: 1, Verdict.UNKNOWN: 3}
_SCHEMA = "tidewatt.receipt/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The words of the command line."""

    receipts: Sequence[str]
    budget: Path | None
    baseline: Sequence[str]
    noise: float
    month: str | None
    home: Path | None


def run(asked: Asked, told: Told) -> int:
    """Hold all against all, tell it, and return the exit code.

    Raises:
        UsageError: there is nothing to hold, or something cannot be read.
    """
    if asked.budget is None and not asked.baseline:
        raise UsageError("neither --budget nor --baseline", "something to hold the receipts against")
    if not 0 <= asked.noise < 1:
        raise UsageError(f"--noise {asked.noise:g}", "a share from 0 up to 1, such as 0.05")
    budgets = Budgets() if asked.budget is None else read(asked.budget)
    receipts = [_receipt(name, asked.home) for name in asked.receipts]
    findings = [finding for receipt in receipts for finding in _of_receipt(receipt, budgets)]
    if asked.baseline:
        findings += _against(receipts, [_receipt(name, asked.home) for name in asked.baseline], asked.noise)
    if asked.month is not None:
        with Client(asked.home) as client:
            findings += _of_month(gather(client, asked.month), budgets, asked.month)
    if not findings:
        raise UsageError(
            "a budget that bounds nothing of what was given", "receipts for [run], or --month for [month]"
        )
    tell(findings, told)
    return max((_EXIT[f.verdict] for f in findings), key=(0, 3, 1).index)


def _receipt(name: str, home: Path | None) -> dict[str, Any]:
    """A receipt in JSON, from a file or from the job of that name."""
    path = Path(name)
    if not path.is_file():
        with Client(home) as client:
            return as_values(receipt_of(client, client.job(name)))
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}, which is no JSON: {error}", "a receipt as `--out` writes it") from error
    if not isinstance(values, dict) or cast(dict[str, Any], values).get("schema") != _SCHEMA:
        raise UsageError(f"{path} without schema {_SCHEMA}", "a receipt as `--out` writes it")
    return cast(dict[str, Any], values)


def _of_receipt(receipt: Mapping[str, Any], budgets: Budgets) -> list[Finding]:
    """A receipt against [run] and against what its function is given, the narrower of which goes first."""
    most = {name: most for rule in budgets.of_run(receipt["function"]) for name, most in rule.most.items()}
    found = judge(receipt["job"], _figures(receipt), most)
    if receipt["state"] == "succeeded":
        return found
    why = f"it is {receipt['state']}: what is unfinished cannot keep a budget"
    return [
        f if f.verdict is Verdict.EXCEEDED else replace(f, verdict=Verdict.UNKNOWN, why=why) for f in found
    ]


def _figures(receipt: Mapping[str, Any]) -> dict[str, float | None]:
    def value(key: str) -> float | None:
        return None if receipt.get(key) is None else float(receipt[key]["value"])

    energy, steps = value("energy_j"), receipt["steps_done"]
    stalled = receipt["energy_by_phase_uj"].get(Phase.STALLED, 0) / MICROJOULES
    return {
        "energy": energy,
        "carbon": value("operational_gco2e"),
        "water": value("water_l"),
        "money": value("cost_usd"),
        "energy_per_step": energy / steps if energy is not None and steps else None,
        "stalled_share": stalled / energy if energy else None,
    }


def _against(
    now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], noise: float
) -> list[Finding]:
    """Runs with those before of the same function and arguments, in the order given."""
    functions = dict.fromkeys(receipt["function"] for receipt in now)
    return [compare(name, _pairs(name, now, before), noise) for name in functions]


def _pairs(
    function: str, now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]
) -> list[tuple[float, float]]:
    left = [receipt for receipt in before if receipt["function"] == function]
    pairs: list[tuple[float, float]] = []
    for receipt in (each for each in now if each["function"] == function):
        same = next((each for each in left if each["arguments"] == receipt["arguments"]), None)
        if same is None:
            continue
        left.remove(same)
        mine, theirs = _effort(receipt), _effort(same)
        if mine and theirs and receipt["state"] == same["state"] == "succeeded":
            pairs.append((mine, theirs))
    return pairs


def _effort(receipt: Mapping[str, Any]) -> float | None:
    """Energy of a step, or of the run where there are none."""
    figures = _figures(receipt)
    return figures["energy_per_step"] or figures["energy"]


def _of_month(found: Sequence[Charge], budgets: Budgets, month: str) -> list[Finding]:
    """A month against [month], its teams against [team.NAME], its functions against [lineage.NAME]."""
    findings: list[Finding] = []
    for (scope, name), rule in budgets.rules.items():
        match scope:
            case Scope.MONTH:
                findings += judge(month, _sums(found), rule.most)
            case Scope.TEAM | Scope.LINEAGE:
                mine = [c for c in found if not c.shared and name == _name(c, scope)]
                findings += judge(f"{scope} {name}, {month}", _sums(mine), rule.most)
            case _:
                pass
    return findings


def _name(charge: Charge, scope: Scope) -> str | None:
    return charge.labels.get("team") if scope is Scope.TEAM else charge.name


def _sums(found: Sequence[Charge]) -> dict[str, float | None]:
    """Sums over charges; None as soon as one is not known, and where there is none, as of a misspelt team."""
    if not found:
        return {}

    def total(impacts: Sequence[Impact | None]) -> float | None:
        known = [impact.amount.value for impact in impacts if impact is not None]
        return sum(known) if len(known) == len(impacts) else None

    energy = sum(charge.energy_uj for charge in found) / MICROJOULES
    stalled = sum(charge.by_phase_uj.get(Phase.STALLED, 0) for charge in found) / MICROJOULES
    return {
        "energy": energy,
        "carbon": total([charge.operational for charge in found]),
        "water": total([charge.water for charge in found]),
        "money": total([charge.cost for charge in found]),
        "stalled_share": stalled / energy if energy else 0.0,
    }

"""The formulas in the reference are those that the code works by: each is read there and worked out."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tidewatt.accounting.carbon import Spent, marginal, market_based, operational
from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.cost import electricity, idle_share, machine
from tidewatt.accounting.embodied import embodied
from tidewatt.accounting.factors import DEFAULTS, Factor, Impact
from tidewatt.accounting.transfer import network, storage
from tidewatt.accounting.water import water
from tidewatt.domain.estimate import Estimate
from tidewatt.domain.signal import Quality, Reading, Signal

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "accounting.md"
FORMULA = re.compile(r"^(?:sum of +)?(.+?) {4,}(\S+)$")
SYMBOLS = {
    "E": 7.2e6,
    "PUE": 1.25,
    "intensity": 321.0,
    "marginal": 654.0,
    "market": 12.5,
    "WUE": 0.7,
    "EWIF": 2.5,
    "price": 0.31,
    "rent": 3.4,
    "machine_s": 5000.0,
    "TE": 777.0,
    "lifespan": 30_000.0,
    "shared_uj": 300.0,
    "jobs_uj": 900.0,
    "sent_bytes": 4.2e9,
    "network": 0.003,
    "kept_byte_s": 8.1e15,
    "disks": 2.4,
}


def factor(kind: str, symbol: str) -> Factor:
    value = SYMBOLS[symbol]
    return Factor(f"{kind}/test/1", value, value, value, "", "a test", "2026")


def hours(symbol: str) -> dict[str, Signal]:
    value = SYMBOLS[symbol]
    return {"DE": Signal("DE", (Reading(0.0, value, value, value, "a test", Quality.MEASURED),))}


FACTORS = replace(
    DEFAULTS,
    pue=factor("pue", "PUE"),
    wue=factor("wue", "WUE"),
    ewif=factor("ewif", "EWIF"),
    price=factor("price", "price"),
    market=factor("market", "market"),
    machine=factor("machine", "rent"),
    embodied=factor("embodied", "TE"),
    lifespan=factor("lifespan", "lifespan"),
    network=factor("network", "network"),
    storage=factor("storage", "disks"),
)
CONDITIONS = Conditions(intensity=hours("intensity"), marginal=hours("marginal"), factors=FACTORS)
SPENT = [
    Spent(
        zone="DE",
        start_at=600.0,
        end_at=1800.0,
        energy_j=Estimate.exact(SYMBOLS["E"]),
        meter=Estimate.exact(1.0),
    )
]


def idle() -> Impact:
    cost = electricity(SPENT, CONDITIONS)
    return idle_share(cost, job_uj=450, jobs_uj=int(SYMBOLS["jobs_uj"]), shared_uj=int(SYMBOLS["shared_uj"]))


WORKED_OUT: dict[str, tuple[Callable[[], Impact | Estimate | None], ...]] = {
    "Operational carbon": (lambda: operational(SPENT, CONDITIONS).carbon,),
    "Marginal carbon": (lambda: marginal(SPENT, CONDITIONS),),
    "Market-based carbon": (lambda: market_based(SPENT, CONDITIONS),),
    "Embodied carbon": (lambda: embodied(SYMBOLS["machine_s"], FACTORS),),
    "Water": (lambda: water(SPENT, CONDITIONS),),
    "Money": (
        lambda: electricity(SPENT, CONDITIONS),
        lambda: machine(SYMBOLS["machine_s"], FACTORS),
        idle,
    ),
    "Beyond the machine": (
        lambda: network(int(SYMBOLS["sent_bytes"]), FACTORS),
        lambda: storage(SYMBOLS["kept_byte_s"], FACTORS),
    ),
}


def formulas(section: str) -> list[tuple[str, str]]:
    """The formulas of a section of the reference, each with its unit."""
    text = re.split(rf"^## {re.escape(section)}\b", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    blocks = re.findall(r"^```\n(.+?)\n```$", text.partition("\n## ")[0], flags=re.MULTILINE)
    found = [FORMULA.match(block) for block in blocks]
    assert all(found), blocks
    return [(match[1], match[2]) for match in found if match is not None]


@pytest.mark.parametrize("section", WORKED_OUT)
def test_the_code_works_by_the_formulas_of_the_reference(section: str) -> None:
    cost = electricity(SPENT, CONDITIONS).amount.value
    for (formula, unit), work_out in zip(formulas(section), WORKED_OUT[section], strict=True):
        result = work_out()
        assert result is not None
        if isinstance(result, Impact):
            assert result.unit == unit
        value = result.amount.value if isinstance(result, Impact) else result.value
        wanted = eval(formula, {"__builtins__": {}}, {**SYMBOLS, "cost": cost})  # noqa: S307 - of our own page
        assert value == pytest.approx(wanted, rel=1e-12), formula


def test_every_section_with_a_formula_names_its_source() -> None:
    for section in WORKED_OUT:
        text = PAGE.read_text(encoding="utf-8").partition(f"## {section}")[2].partition("\n## ")[0]
        assert "Source" in text, section

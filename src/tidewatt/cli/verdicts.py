"""Tells what came of holding receipts against a budget: a table, JSON, JUnit, Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.table import Table
from rich.text import Text

from tidewatt.accounting.gate import Finding, Verdict
from tidewatt.cli import words
from tidewatt.cli.receipts import write_file
from tidewatt.domain.units import format_quantity

_MARK = {Verdict.KEPT: "✓", Verdict.EXCEEDED: "✗", Verdict.UNKNOWN: "?"}
_STYLE = {Verdict.KEPT: "green", Verdict.EXCEEDED: "bold red", Verdict.UNKNOWN: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the findings are told."""

    json: bool
    junit: Path | None
    summary: Path | None


def tell(findings: Sequence[Finding], told: Told) -> None:
    """Print a table or JSON, and write the files that were asked for."""
    if told.junit is not None:
        write_file(told.junit, _junit(findings))
    if told.summary is not None:
        before = told.summary.read_text(encoding="utf-8") if told.summary.exists() else ""
        write_file(told.summary, before + _markdown(findings))
    if told.json:
        words.print_json([_values(finding) for finding in findings])
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", "Of", "What"):
        table.add_column(name)
    for name in ("Found", "At most"):
        table.add_column(name, justify="right")
    table.add_column("")
    for finding in findings:
        mark, *cells = _cells(finding)
        table.add_row(Text(mark, style=_STYLE[finding.verdict]), *map(Text, cells))
    words.screen().print(table)


def _cells(finding: Finding) -> tuple[str, ...]:
    value = words.NOT_KNOWN if finding.value is None else _shown(finding.value, finding.unit)
    said = " ".join(part for part in (finding.verdict, finding.why and f"({finding.why})") if part)
    bound = _shown(finding.bound, finding.unit)
    return (_MARK[finding.verdict], finding.subject, finding.name.replace("_", " "), value, bound, said)


def _shown(value: float, unit: str) -> str:
    return format_quantity(value, unit).rstrip() if unit in {"J", "L"} else f"{value:.4g} {unit}".rstrip()


def _values(finding: Finding) -> dict[str, object]:
    return {
        "subject": finding.subject,
        "name": finding.name,
        "value": finding.value,
        "bound": finding.bound,
        "unit": finding.unit,
        "verdict": str(finding.verdict),
        "why": finding.why,
    }


def _markdown(findings: Sequence[Finding]) -> str:
    head = "| | of | what | found | at most | |\n|---|---|---|---:|---:|---|\n"
    return head + "".join(f"| {' | '.join(c.replace('|', '/') for c in _cells(f))} |\n" for f in findings)


def _junit(findings: Sequence[Finding]) -> str:
    """A test case for each finding; what is not known is an error, since a skipped test would be a pass."""
    suite = ET.Element(
        "testsuite",
        name="tidewatt",
        tests=str(len(findings)),
        failures=str(sum(f.verdict is Verdict.EXCEEDED for f in findings)),
        errors=str(sum(f.verdict is Verdict.UNKNOWN for f in findings)),
    )
    for finding in findings:
        case = ET.SubElement(suite, "testcase", classname=finding.subject, name=finding.name)
        if finding.verdict is not Verdict.KEPT:
            kind = "failure" if finding.verdict is Verdict.EXCEEDED else "error"
            ET.SubElement(case, kind, message=" ".join(_cells(finding)[3:]))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"

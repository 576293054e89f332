"""Writes a receipt as one HTML page that opens offline: no script, no font, nothing fetched."""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.saving import Saving
from tidewatt.report import chart, words
from tidewatt.report.contents import Part, Receipt
from tidewatt.report.figures import amount, duration, exact, instant, percent, plain, span

WAVE = (
    '<svg viewBox="0 0 34 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.4" '
    'stroke-linecap="round"><path d="M2,7 C6,1 10,1 13.5,6 S22,12 25.5,6 S31,3 32,5"/>'
    '<path opacity=".45" d="M2,15 C6,9 10,9 13.5,14 S22,20 25.5,14 S31,11 32,13"/></svg>'
)


def render(receipt: Receipt) -> str:
    """The page; whatever came from a user is escaped."""
    who = receipt.identity
    title = f"{'Interim receipt' if who.interim else 'Receipt'}: {who.function}, job {who.job_id}"
    css = files("tidewatt.report").joinpath("receipt.css").read_text(encoding="utf-8")
    body = "\n".join(
        "\n".join(part)
        for part in (
            _head(receipt),
            _chart(receipt),
            _cards(receipt),
            _comparison(receipt),
            _energy(receipt),
            _node(receipt),
            _course(receipt),
            _method(receipt),
        )
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"<footer>Issued {instant(who.issued_at)} by Tidewatt. Every figure can be worked out again from "
        "the ledger of the job; <code>--format json</code> holds all of them.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _head(receipt: Receipt) -> Iterator[str]:
    who, saved = receipt.identity, receipt.saving
    kind = "Interim receipt" if who.interim else "Receipt"
    yield f'<header><div class="top">{WAVE}tidewatt'
    yield f'<span class="kind">{kind}<br>{escape(who.job_id)}</span></div>'
    when = f"submitted {instant(who.submitted_at)}"
    if who.ended_at is not None:
        when += f", ended {instant(who.ended_at)}"
    yield f'<div class="who"><h1>{escape(who.function)}</h1>'
    yield f'<p class="state">{escape(who.state.capitalize())}: {when}</p>'
    if who.environment is not None:
        within = escape(f"{who.environment.digest}: {who.environment.told}")
        yield f'<p class="state">Environment {within}</p>'
    if who.trigger:
        yield f'<p class="state">Submitted by trigger {escape(who.trigger)}</p>'
    if who.labels:
        items = "".join(f"<li>{escape(f'{k}: {v}')}</li>" for k, v in who.labels.items())
        yield f'<ul class="args" aria-label="Labels">{items}</ul>'
    if who.arguments:
        items = "".join(f"<li>{escape(f'{k}={v}')}</li>" for k, v in who.arguments.items())
        yield f'<ul class="args" aria-label="Arguments">{items}</ul>'
    yield "</div>"
    if who.interim:
        yield '<p class="interim">The job has not ended. Every figure on this page is so far.</p>'
    if who.error:
        yield f'<p class="interim">{escape(who.error)}</p>'
    verdict = words.verdict(saved)
    yield f'<p class="verdict {_tone(saved)}">{escape(verdict[0].upper() + verdict[1:])}</p>'
    yield from (f'<p class="beside">{escape(text)}</p>' for text in _beside(receipt))
    yield "</header>"


def _tone(saved: Saving | Unknown) -> str:
    if isinstance(saved, Unknown) or words.verdict(saved) == words.NO_DIFFERENCE or words.doubt(saved):
        return "level"
    return "less" if saved.operational_g.value > 0 else "more"


def _beside(receipt: Receipt) -> Iterator[str]:
    saved, other = receipt.saving, receipt.counterfactual
    if isinstance(saved, Unknown):
        yield f"Because {saved.reason}."
        return
    ranges = words.saved_span(saved)
    text = words.saved_amount(saved) + (f" (range {ranges})" if ranges else "")
    if isinstance(other, Counterfactual):
        yield f"{text}, compared with {words.comparison(other)}."
    if words.doubt(saved):
        yield words.doubt(saved)


def _chart(receipt: Receipt) -> Iterator[str]:
    yield "<figure>"
    yield chart.render(receipt, 976, "wide")
    yield chart.render(receipt, 384, "narrow")
    if receipt.hours:
        keys = [
            ("clean", "cleaner than the mean of these hours"),
            ("dirty", "dirtier"),
            ("band", "range of the intensity"),
        ]
        if isinstance(receipt.counterfactual, Counterfactual):
            keys.append(("then", "the run it is compared with"))
        legend = "".join(f'<span><i class="key {css}"></i>{text}</span>' for css, text in keys)
        source = f"Strong colour: hours in which the job ran. {words.intensity_label(receipt)}; times in UTC."
        yield f'<figcaption><div class="legend">{legend}</div>{escape(source)}</figcaption>'
    yield "</figure>"


def _cards(receipt: Receipt) -> Iterator[str]:
    impacts, energy = receipt.impacts, receipt.energy
    mean = "" if impacts.intensity is None else f"at {impacts.intensity:.0f} gCO₂e/kWh on average"
    if impacts.intensity is not None and receipt.place.modelled:
        mean += " (model)"
    returned = [
        (key, plain(value), f"returned by {receipt.identity.function}", "")
        for key, value in receipt.identity.result.items()
    ]
    carbon = impacts.operational
    cards = [
        ("Operational carbon", words.impact(carbon), words.impact_span(carbon), mean),
        ("Energy", words.energy(energy), words.energy_span(energy), words.meter(energy)),
        ("Deadline", *_first(words.deadline(receipt.deadline)), ""),
        *(returned if len(returned) == 1 else ()),  # a single one has its place in the first row
        ("Embodied carbon", words.impact(impacts.embodied), words.impact_span(impacts.embodied), ""),
        ("Water", words.impact(impacts.water), words.impact_span(impacts.water), ""),
        ("Electricity", words.impact(impacts.cost), words.impact_span(impacts.cost), ""),
        *((label, words.impact(each), words.impact_span(each), "") for label, each in words.further(impacts)),
        *(returned if len(returned) > 1 else ()),
    ]
    cards += [("", "", "", "")] * (-len(cards) % 4)
    yield '<dl class="cards">'
    for label, value, first, second in cards:
        below = "<br>".join(escape(text) for text in (first, second) if text)
        extra = f"<dd>{below}</dd>" if below else ""
        yield (
            f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd>{extra}</div>" if label else "<div></div>"
        )
    yield "</dl>"


def _first(text: str) -> tuple[str, str]:
    head, _, rest = text.partition(", ")
    return head, rest


def _comparison(receipt: Receipt) -> Iterator[str]:
    other, who, ran = receipt.counterfactual, receipt.identity, receipt.running
    yield "<section><h2>Compared with</h2>"
    if isinstance(other, Unknown):
        yield f"<p>Nothing can be said of a run without Tidewatt: {escape(other.reason)}.</p></section>"
        return
    text = words.comparison(other)
    yield f'<p class="lead">{escape(text[0].upper() + text[1:])}.</p>'
    rows = [
        (
            "Operational carbon",
            _two(words.impact(receipt.impacts.operational), words.impact_span(receipt.impacts.operational)),
            _two(words.impact(other.carbon), words.impact_span(other.carbon)),
        ),
        (
            "Energy",
            _two(words.energy(receipt.energy), words.energy_span(receipt.energy)),
            _two(amount(other.energy_j.value, "J"), span(other.energy_j, "J")),
        ),
        ("Workers", words.worker_counts(ran), other.workers),
        ("Began", instant(ran.segments[0].start_at) if ran.segments else "not yet", instant(other.start_at)),
        ("Ended", "not yet" if who.ended_at is None else instant(who.ended_at), instant(other.end_at)),
        ("Real time at work", duration(ran.real_s), duration(other.wall_s)),
    ]
    yield '<div class="scroll"><table class="versus"><thead><tr><td></td><th scope="col">This job</th>'
    yield '<th scope="col">Started at once</th></tr></thead><tbody>'
    for label, ours, theirs in rows:
        yield f'<tr><th scope="row">{label}</th><td>{ours}</td><td>{theirs}</td></tr>'
    yield "</tbody></table></div>"
    if isinstance(receipt.saving, Saving):
        both = receipt.saving.with_embodied_g
        ranges = span(both, "gCO2e")
        yield f'<p class="basis">Saving with embodied carbon: {amount(both.value, "gCO2e")}'
        yield f"{f' (range {ranges})' if ranges else ''}.</p>"
    assumed = " Partly assumed." if other.assumed else ""
    yield f'<p class="basis">Basis: {escape(other.basis)}.{assumed}</p></section>'


def _two(value: str, ranges: str) -> str:
    return f"{escape(value)}<small>{escape(ranges)}</small>" if ranges else escape(value)


def _energy(receipt: Receipt) -> Iterator[str]:
    energy = receipt.energy
    yield "<section><h2>Where the energy went</h2>"
    yield f'<p class="lead">{escape(words.energy(energy))}, {escape(words.meter(energy))}.</p>'
    if energy.by_phase:
        yield '<div class="pair">'
        yield from _parts("By phase", "Phase", energy.by_phase)
        yield from _parts("By worker count", "Workers", energy.by_workers)
        yield "</div>"
    yield "</section>"


def _parts(caption: str, column: str, parts: Sequence[Part]) -> Iterator[str]:
    yield f'<table><caption>{caption}</caption><thead><tr><th scope="col">{column}</th>'
    yield '<th scope="col" class="number">Energy</th><th scope="col" class="number">Share</th>'
    yield '<td class="bar"></td></tr></thead><tbody>'
    for part in parts:
        yield (
            f'<tr><th scope="row">{escape(part.label.capitalize())}</th>'
            f'<td class="number">{amount(part.energy_uj / 1e6, "J")}</td>'
            f'<td class="number">{percent(part.share)}</td>'
            f'<td class="bar"><i style="width:{100 * part.share:.1f}%"></i></td></tr>'
        )
    yield "</tbody></table>"


def _node(receipt: Receipt) -> Iterator[str]:
    node = receipt.energy.conservation
    if node.node_uj == 0:
        return
    rows = [
        ("Jobs", node.jobs_uj),
        ("Warm pool", node.pool_uj),
        ("Platform", node.platform_uj),
        ("Unallocated", node.unallocated_uj),
    ]
    yield "<section><h2>Every joule has an owner</h2>"
    yield '<p class="lead">All that the machine drew over the same time, to the microjoule.</p>'
    bars = "".join(
        f'<i class="fill-{index}" style="flex:{uj / node.node_uj:.5f}"></i>'
        for index, (_, uj) in enumerate(rows)
    )
    yield f'<div class="node" aria-hidden="true">{bars}</div>'
    yield '<table><thead><tr><th scope="col">Account</th><th scope="col" class="number">Energy</th>'
    yield '<th scope="col" class="number">Share</th></tr></thead><tbody>'
    for index, (label, uj) in enumerate(rows):
        small = f"<small>this job {exact(receipt.energy.total_uj)}</small>" if index == 0 else ""
        yield (
            f'<tr><th scope="row"><i class="swatch fill-{index}"></i>{label}</th>'
            f'<td class="number">{exact(uj)}{small}</td>'
            f'<td class="number">{percent(uj / node.node_uj)}</td></tr>'
        )
    yield f'</tbody><tfoot><tr><th scope="row">The machine</th><td class="number">{exact(node.node_uj)}</td>'
    yield '<td class="number">100 %</td></tr></tfoot></table></section>'


def _course(receipt: Receipt) -> Iterator[str]:
    who, ran = receipt.identity, receipt.running
    rows = [
        ("Workers ran", f"{duration(ran.real_s)} of real time, {words.attempts(ran)}"),
        ("On the way", words.changes(ran)),
        ("Steps", words.steps(who) if who.steps_done or who.steps_total else ""),
        ("Deadline", words.deadline(receipt.deadline)),
        ("Clock", receipt.place.world),
        ("Plan", who.plan_note if who.interim else ""),
    ]
    yield '<section><h2>How it went</h2><table class="course"><tbody>'
    for label, text in rows:
        if text:
            yield f'<tr><th scope="row">{label}</th><td>{escape(text)}</td></tr>'
    yield "</tbody></table></section>"


def _method(receipt: Receipt) -> Iterator[str]:
    yield '<section><h2>How well it is known</h2><ul class="notes">'
    yield from (f"<li>{escape(note)}</li>" for note in receipt.notes)
    yield "</ul></section>"
    if not receipt.factors:
        return
    yield '<section><h2>Factors</h2><div class="scroll"><table class="factors"><thead><tr>'
    yield '<th scope="col">Factor</th><th scope="col">Value</th><th scope="col">Range</th>'
    yield '<th scope="col">Source</th></tr></thead><tbody>'
    for factor in receipt.factors:
        yield (
            f'<tr><th scope="row"><code>{escape(factor.id)}</code></th>'
            f"<td>{factor.value:,g}<small>{escape(factor.unit)}</small></td>"
            f"<td>{factor.low:,g} to {factor.high:,g}</td><td>{escape(factor.source)}</td></tr>"
        )
    yield "</tbody></table></div></section>"

"""Writes a receipt as plain text, 80 columns wide, for a terminal."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from tidewatt.accounting.counterfactual import Counterfactual
from tidewatt.accounting.saving import Saving
from tidewatt.report import words
from tidewatt.report.contents import Part, Receipt
from tidewatt.report.figures import amount, duration, exact, hour, instant, plain, span

WIDTH = 80
_LABEL = 17
_INDENT = "  "
_STEPS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_CHART = 58


def render(receipt: Receipt) -> str:
    """The receipt as text that ends in a newline; characters that steer a terminal are left out."""
    blocks = [
        _head(receipt),
        _headline(receipt),
        _impacts(receipt),
        _course(receipt),
        _tide(receipt),
        _parts("Energy by phase", receipt.energy.by_phase),
        _parts("Energy by workers", receipt.energy.by_workers),
        _comparison(receipt),
        _node(receipt),
        _notes(receipt),
        _factors(receipt),
    ]
    text = "\n\n".join("\n".join(block) for block in (list(b) for b in blocks) if block)
    return "".join(c for c in text if c == "\n" or c.isprintable()) + "\n"


def _head(receipt: Receipt) -> Iterator[str]:
    who = receipt.identity
    title = " interim receipt " if who.interim else " receipt "
    yield "~~ tidewatt " + "~" * (WIDTH - 14 - len(title)) + title + "~~"
    yield ""
    state = f"{who.state}, job {who.job_id}"
    if len(who.function) + len(state) <= WIDTH - 6:
        yield f"{_INDENT}{who.function:<{WIDTH - 4 - len(state)}}{state}"
    else:
        yield from _wrapped(who.function)
        yield from _wrapped(state)
    if who.arguments:
        yield from _wrapped("  ".join(f"{k}={v}" for k, v in who.arguments.items()))
    if who.labels:
        yield from _wrapped("  ".join(f"{k}: {v}" for k, v in who.labels.items()))
    if who.environment is not None:
        yield from _wrapped(f"Environment {who.environment.digest}: {who.environment.told}")
    if who.trigger:
        yield from _wrapped(f"Submitted by trigger {who.trigger}")
    if who.interim:
        yield from _wrapped("The job has not ended. Every figure is so far.")


def _headline(receipt: Receipt) -> Iterator[str]:
    yield f"{_INDENT}{words.verdict(receipt.saving).upper()}"
    saved = receipt.saving
    if isinstance(saved, Saving):
        text, ranges = words.saved_amount(saved), words.saved_span(saved)
        yield from _wrapped(f"{text} (range {ranges})" if ranges else text)
        yield from _wrapped(words.doubt(saved))
    else:
        yield from _wrapped(f"because {saved.reason}")


def _impacts(receipt: Receipt) -> Iterator[str]:
    energy, impacts = receipt.energy, receipt.impacts
    yield _section("What it took", "range")
    carbon = words.impact(impacts.operational)
    yield from _row("Carbon", carbon, words.impact_span(impacts.operational))
    yield from _row("Energy", words.energy(energy), words.energy_span(energy))
    yield from _row("Embodied carbon", words.impact(impacts.embodied), words.impact_span(impacts.embodied))
    yield from _row("Water", words.impact(impacts.water), words.impact_span(impacts.water))
    yield from _row("Electricity", words.impact(impacts.cost), words.impact_span(impacts.cost))
    for label, impact in words.further(impacts):
        yield from _row(label, words.impact(impact), words.impact_span(impact))
    yield from _row("Meter", words.meter(energy))
    if impacts.intensity is not None:
        yield from _row(
            "Grid", f"{impacts.intensity:.0f} gCO₂e/kWh on average, {words.intensity_label(receipt)}"
        )
    for key, value in receipt.identity.result.items():
        yield from _row(key[: _LABEL - 1], plain(value))
    if receipt.identity.error:
        yield from _wrapped(f"Error: {receipt.identity.error}")


def _course(receipt: Receipt) -> Iterator[str]:
    who, ran = receipt.identity, receipt.running
    yield _section("How it went")
    yield from _row("Submitted", instant(who.submitted_at))
    yield from _row(
        "Ended", instant(who.ended_at) if who.ended_at is not None else f"not by {instant(who.issued_at)}"
    )
    yield from _row("Deadline", words.deadline(receipt.deadline))
    yield from _row("Workers ran", f"{duration(ran.real_s)} of real time, {words.attempts(ran)}")
    changes = words.changes(ran)
    if changes:
        yield from _row("On the way", changes)
    if who.steps_total or who.steps_done:
        yield from _row("Steps", words.steps(who))
    yield from _row("Clock", receipt.place.world)
    if who.plan_note and who.interim:
        yield from _row("Plan", who.plan_note)


def _tide(receipt: Receipt) -> Iterator[str]:
    hours = [h for h in receipt.hours if h.zone == receipt.place.home_zone]
    if not hours:
        return
    other = receipt.counterfactual
    start_at, end_at = min(hours[0].start_at, receipt.identity.submitted_at), receipt.until_at
    columns = min(_CHART, 2 * max(1, round((end_at - start_at) / 3600)))
    step = (end_at - start_at) / columns
    low, high = min(h.value for h in hours), max(h.value for h in hours)
    grid = job = then = ""
    for index in range(columns):
        begin, end = start_at + index * step, start_at + (index + 1) * step
        inside = [h.value for h in hours if h.start_at < end and h.start_at + 3600 > begin]
        grid += _level(inside, low, high)
        workers = [s.workers for s in receipt.running.segments if s.start_at < end and s.end_at > begin]
        job += " " if not workers else str(max(workers)) if max(workers) < 10 else "+"
        if isinstance(other, Counterfactual):
            then += "=" if other.start_at < end and other.end_at > begin else " "
    yield _section("The tide", f"{words.intensity_label(receipt)}, {receipt.place.home_zone}")
    yield from _row(f"{low:.0f} to {high:.0f}", grid)
    yield from _row("workers", job.rstrip())
    if then.strip():
        yield from _row("compared with", then.rstrip())
    first, last = hour(start_at), hour(end_at)
    yield from _row("UTC", f"{first}{last:>{max(len(last) + 2, columns - len(first))}}")
    if "?" in grid:
        yield from _row("", "? no data for these hours")


def _parts(title: str, parts: Sequence[Part]) -> Iterator[str]:
    if not parts:
        return
    yield _section(title)
    for part in parts:
        share = f"{100 * part.share:.1f} %"
        joules = amount(part.energy_uj / 1e6, "J")
        label = part.label.capitalize()
        yield f"{_INDENT}{label:<{_LABEL}}{joules:>9} {share:>8}  {_bar(part.share, 36)}".rstrip()


def _comparison(receipt: Receipt) -> Iterator[str]:
    other = receipt.counterfactual
    if not isinstance(other, Counterfactual):
        return
    yield _section("Compared with", "range")
    text = words.comparison(other)
    yield from _wrapped(f"{text[0].upper()}{text[1:]}.")
    yield from _row("Carbon", words.impact(other.carbon), words.impact_span(other.carbon))
    yield from _row("Energy", amount(other.energy_j.value, "J"), span(other.energy_j, "J"))
    if isinstance(receipt.saving, Saving):
        both = receipt.saving.with_embodied_g
        yield from _row("Saving in all", amount(both.value, "gCO2e"), span(both, "gCO2e"))
        yield from _row("", "embodied carbon included")
    yield from _row("Basis", other.basis + (" (partly assumed)" if other.assumed else ""))


def _node(receipt: Receipt) -> Iterator[str]:
    node = receipt.energy.conservation
    if node.node_uj == 0:
        return
    rows = [
        ("Jobs", node.jobs_uj),
        ("  this one", receipt.energy.total_uj),
        ("Warm pool", node.pool_uj),
        ("Platform", node.platform_uj),
        ("Unallocated", node.unallocated_uj),
    ]
    width = len(exact(node.node_uj))
    yield _section("Where every joule of the machine went")
    for label, microjoules in rows:
        inner = "  " if label.startswith(" ") else ""
        yield f"{_INDENT}{label:<{_LABEL}}{inner}{exact(microjoules):>{width}}"
    yield f"{_INDENT}{'= the machine':<{_LABEL}}{exact(node.node_uj):>{width}}"


def _notes(receipt: Receipt) -> Iterator[str]:
    yield _section("How well it is known")
    for note in receipt.notes:
        yield from _wrapped(note, "- ")


def _factors(receipt: Receipt) -> Iterator[str]:
    if not receipt.factors:
        return
    yield _section("Factors")
    for factor in receipt.factors:
        figure = f"{factor.value:,g} [{factor.low:,g} to {factor.high:,g}] {factor.unit}"
        yield from _wrapped(f"{factor.id}  {figure}")
        yield from _wrapped(factor.source, "    ")


def _section(title: str, right: str = "") -> str:
    return f"{_INDENT}{title} {'─' * max(2, WIDTH - 6 - len(title) - len(right))} {right}".rstrip()


def _row(label: str, value: str, right: str = "") -> Iterator[str]:
    room = WIDTH - 2 - len(_INDENT) - _LABEL
    first, *rest = [value] if len(value) <= room else wrap(value, room)
    if len(first) + 2 + len(right) > room:
        rest, right = [*rest, right], ""
    yield f"{_INDENT}{label:<{_LABEL}}{first}{right:>{room - len(first)}}".rstrip()
    yield from (f"{'':<{len(_INDENT) + _LABEL}}{line}" for line in rest if line)


def _wrapped(text: str, mark: str = "") -> list[str]:
    return wrap(
        text,
        WIDTH - 2,
        initial_indent=_INDENT + mark,
        subsequent_indent=_INDENT + " " * len(mark),
    )


def _level(values: Sequence[float], low: float, high: float) -> str:
    if not values:
        return "?"
    share = 0.5 if high == low else (sum(values) / len(values) - low) / (high - low)
    return _STEPS[min(7, int(share * 8))]


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")

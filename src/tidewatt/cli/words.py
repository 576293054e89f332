"""How commands say times, states, intensities and progress."""

import json
from datetime import UTC, datetime

import typer
from rich.console import Console

from tidewatt.domain.lifecycle import ACTIVE, ENDED, State, Wish
from tidewatt.domain.signal import Quality, Signal
from tidewatt.domain.units import format_quantity

NOT_KNOWN = "not known"
UNIT = "gCO₂e/kWh"
_PIPE_WIDTH = 200


def screen(*, err: bool = False) -> Console:
    """Where text goes; in a pipe lines are not broken, and tables are as wide as they need to be."""
    console = Console(stderr=err, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width, console.soft_wrap = _PIPE_WIDTH, True
    return console


def print_json(value: object) -> None:
    """One line of JSON on standard output, at once; what no Unicode text can hold is escaped."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    typer.echo(text.encode("utf-8", "backslashreplace").decode())


def printable(text: str) -> str:
    """A text without characters that steer a terminal."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


def instant(at: float) -> str:
    """``"Wed 1 Jun 2022 14:05 UTC"``."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%a} {moment.day} {moment:%b %Y %H:%M} UTC"


def hour(at: float) -> str:
    """``"Wed 1 Jun 14:05"``, where the year is plain."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def date(at: float) -> str:
    """``"1 Jun 2022 14:05"``, for columns."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y %H:%M}"


def iso(at: float) -> str:
    """``"2022-06-01T14:05:00Z"``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int, noun: str) -> str:
    """``"1 worker"``, ``"2 workers"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def intensity(value: float | None) -> str:
    """``"328 gCO₂e/kWh"``; what is not known is never 0."""
    return f"intensity {NOT_KNOWN}" if value is None else f"{value:.0f} {UNIT}"


def grams(value: float | None) -> str:
    """``"3.9 mg CO₂e"``."""
    return f"carbon {NOT_KNOWN}" if value is None else f"{format_quantity(value, 'g')} CO₂e"


def steps(done: int, total: int | None) -> str:
    """``"117 of 440 steps"``, or nothing for a function, which has none."""
    if total is None:
        return count(done, "step") if done else ""
    return f"{done:,} of {total:,} steps"


def model_label(name: str, signal: Signal) -> str:
    """The source of a signal, with MODEL beside it where it is one."""
    modelled = any(reading.quality is Quality.MODELLED for reading in signal.readings)
    return f"{name} (MODEL)" if modelled else name


def standing(state: State, wish: Wish, workers: int, note: str) -> tuple[str, str]:
    """A sign for a state, and the state in words: ``("●", "running on 2 workers")``."""
    if state in ENDED:
        return {State.SUCCEEDED: "✓", State.FAILED: "✗"}.get(state, "■"), state
    if wish is Wish.CANCEL or (wish is Wish.HOLD and state not in ACTIVE):
        return "■", "being cancelled" if wish is Wish.CANCEL else "suspended until it is resumed"
    match state:
        case State.RUNNING:
            return "●", f"running on {count(workers, 'worker')}"
        case State.STARTING:
            return "◌", f"starting {count(workers, 'worker')}"
        case State.SUSPENDING:
            return "◌", "saving a checkpoint"
        case _:
            reasons = {"budget": " for its budget", "cheapest": " for a cleaner hour"}
            return "◌", "waiting" + next((why for word, why in reasons.items() if word in note), "")

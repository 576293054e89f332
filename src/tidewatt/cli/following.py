"""Follows one job to where it rests, and tells about it: live, in plain lines or as JSON."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live

from tidewatt import wiring
from tidewatt.cli import words
from tidewatt.cli.outlook import Outlook, View, degradations
from tidewatt.cli.panel import Moment, Panel
from tidewatt.domain.job import Job
from tidewatt.domain.lifecycle import Wish
from tidewatt.domain.units import HOUR_S, format_quantity
from tidewatt.ports import Update
from tidewatt.sdk.client import Client

_REFRESHES_PER_S = 8


class Teller(Protocol):
    """Shows what is heard of a job."""

    def tell(self, update: Update, view: View) -> None:
        """Take note of an update."""
        ...


class LiveTeller:
    """A panel that is drawn again and again."""

    def __init__(self, job: Job, console: Console) -> None:
        self._clock = wiring.clock_of(None)
        self._panel = Panel(job, self._clock)
        self._live = Live(
            self._panel, console=console, refresh_per_second=_REFRESHES_PER_S, vertical_overflow="crop"
        )

    @contextmanager
    def shown(self) -> Generator[None]:
        """Draw during the body; the last picture stays."""
        with self._live:
            yield

    def tell(self, update: Update, view: View) -> None:
        """Draw this from now on."""
        self._panel.moment = Moment(update, view, self._clock.wall())


class LineTeller:
    """Lines for pipes, files and programs: one for each hour, change of state and word of budgets.

    With ``every_s`` there are more, one in so many real seconds while anything is heard.
    """

    def __init__(
        self, write: Callable[[Update], None], say: Callable[[str], None], every_s: float = math.inf
    ) -> None:
        self._write = write
        self._say = say
        self._every_s = every_s
        self._clock = wiring.clock_of(None)
        self._told: tuple[object, ...] | None = None
        self._told_wall = 0.0
        self._doubts: set[str] = set()
        self._budget = ""

    def tell(self, update: Update, view: View) -> None:
        """Write a line if it is due, and whatever makes the forecast less certain, once."""
        told = (update.state, update.workers, update.budget, update.at // HOUR_S)
        if told != self._told or self._clock.wall() - self._told_wall >= self._every_s:
            self._told, self._told_wall = told, self._clock.wall()
            self._write(update)
        if update.budget != self._budget:
            self._budget = update.budget
            if update.budget:
                self._say(f"Note: {update.budget}")
        lacks = degradations([view.coming])
        if lacks and view.zone not in self._doubts:
            self._doubts.add(view.zone)
            self._say(f"Note: {lacks[0]}")


def line(update: Update) -> str:
    """An update as a line of text."""
    _, said = words.standing(update.state, Wish.RUN, update.workers, update.note)
    parts = [
        words.hour(update.at),
        update.zone,
        words.intensity(update.intensity),
        said,
        words.steps(update.step, update.total),
        "" if update.loss is None else f"loss {update.loss:.4g}",
        format_quantity(update.energy_j, "J"),
        words.grams(update.carbon_g),
    ]
    return "  ".join(part for part in parts if part)


def values(update: Update) -> dict[str, object]:
    """An update as plain values; what is not known is null."""
    return {
        "job": update.job_id,
        "at": words.iso(update.at),
        "state": str(update.state),
        "zone": update.zone,
        "intensity_gco2e_per_kwh": update.intensity,
        "workers": update.workers,
        "step": update.step,
        "steps_total": update.total,
        "loss": update.loss,
        "energy_j": update.energy_j,
        "carbon_gco2e": update.carbon_g,
        "note": update.note,
        "budget": update.budget,
    }


def follow(client: Client, job: Job, teller: Teller) -> None:
    """Tell about a job until it has ended or is held."""
    outlook = Outlook.of(client.store, job)
    seen: tuple[object, ...] | None = None
    view: View | None = None
    for update in client.follow(job.id):
        look = (update.state, update.workers, update.zone, update.note, update.at // HOUR_S)
        if view is None or look != seen:
            seen, view = look, outlook.at(update.at, update.zone)
        teller.tell(update, view)

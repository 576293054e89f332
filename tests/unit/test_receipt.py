"""Receipts: what they say, and that every renderer says the same."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests import records
from typing_extensions import override

from tidewatt.accounting.conditions import Conditions
from tidewatt.accounting.counterfactual import Counterfactual, Unknown
from tidewatt.accounting.factors import PUE, Factors
from tidewatt.accounting.saving import Saving
from tidewatt.cli.receipts import write_file
from tidewatt.domain.estimate import Tier
from tidewatt.domain.function import FunctionSpec, Kind, Payload, WorkerRange
from tidewatt.domain.job import Attempt, Event, Job
from tidewatt.domain.ledger import Account, Allocation, Balance, Holder, LedgerEntry, Phase
from tidewatt.domain.lifecycle import State
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.world import World
from tidewatt.report import chart, document, html, text
from tidewatt.report.contents import Receipt
from tidewatt.report.figures import percent
from tidewatt.report.receipt import build
from tidewatt.report.record import Record

HOUR = 3600.0
START = 1_654_092_000.0
"""2022-06-01 14:00 UTC."""
HOSTILE = "</title><script>alert('x')</script>\x1b[31m&\"<img src=x onerror=alert(1)>"
CLEAN, DIRTY = 120.0, 360.0


def grid(*values: float | None, quality: Quality = Quality.MODELLED) -> Signal:
    return Signal(
        "DE",
        tuple(
            Reading(START + i * HOUR, v, 0.9 * v, 1.1 * v, "test", quality)
            for i, v in enumerate(values)
            if v is not None
        ),
    )


def entry(token: int, workers: int, phase: Phase, joules: float, hour: float) -> Balance:
    energy_uj = round(1e6 * joules)
    reading = replace(
        records.reading(2 * energy_uj, start_at=START + hour * HOUR, busy_cpu_s=1.0, cpus=8),
        meter="test meter",
        end_at=START + (hour + 1) * HOUR,
    )
    share = Allocation(
        account=Account(Holder.JOB, "job-1"),
        phase=phase,
        energy_uj=energy_uj,
        reserved_cpu_s=float(workers),
        zone="DE",
        workers=workers,
        token=token,
    )
    return Balance.of(LedgerEntry(reading=reading, allocation=share))


def attempt(token: int, workers: int, first: int, last: int, start_h: float, end_h: float) -> Attempt:
    return replace(
        records.attempt("job-1", token, START + start_h * HOUR),
        workers=workers,
        started_wall=start_h,
        first_step=first,
        last_step=last,
        startup_wall_s=0.0,
        training_wall_s=end_h - start_h,
        ended_at=START + end_h * HOUR,
        ended_wall=end_h,
        outcome="succeeded" if token == 2 else "suspended",
    )


def event(hour: float, before: State | None, after: State, token: int) -> Event:
    return Event(
        job_id="job-1", at=START + hour * HOUR, wall=hour, before=before, after=after, token=token, detail=""
    )


EVENTS = [
    event(0, None, State.QUEUED, 0),
    event(0, State.QUEUED, State.STARTING, 1),
    event(1, State.SUSPENDING, State.SUSPENDED, 1),
    event(2, State.SUSPENDED, State.STARTING, 2),
    event(3, State.RUNNING, State.SUCCEEDED, 2),
]


def job(state: State = State.SUCCEEDED, *, name: str = "digits", deadline_h: float | None = 5.0) -> Job:
    function = FunctionSpec(name=name, kind=Kind.TRAINING, workers=WorkerRange(1, 2), shards=2)
    submission = replace(
        records.submission("job-1", function, Payload(form="source", path="digits.py", function=name), START),
        arguments={"lr": "0.1"},
        submitted_wall=0.0,
        deadline_at=None if deadline_h is None else START + deadline_h * HOUR,
    )
    return replace(
        Job.draft(submission),
        seq=1,
        state=state,
        token=2,
        steps_done=300,
        steps_reached=300,
        steps_total=300,
        loss=0.5,
        ended_at=START + 3 * HOUR if state is State.SUCCEEDED else None,
    )


def within(**signals: Signal) -> Conditions:
    """A site with a PUE of 1.5 in a grid that was so."""
    return Conditions(intensity=signals, factors=Factors(pue=replace(PUE, value=1.5, low=1.5, high=1.5)))


def record() -> Record:
    """One worker for an hour, then two for an hour; hour 1, in between, is left out.

    By hand: 100 steps and 10 J in hour 0, 200 steps, 20 J and 2 J of comm in hour 2, 1 J of checkpoint.
    """
    return Record(
        job=job(),
        attempts=[attempt(1, 1, 1, 100, 0, 1), attempt(2, 2, 101, 300, 2, 3)],
        events=EVENTS,
        balances=[
            entry(1, 1, Phase.COMPUTE, 10.0, 0),
            entry(1, 1, Phase.CHECKPOINT, 1.0, 0),
            entry(2, 2, Phase.COMPUTE, 20.0, 2),
            entry(2, 2, Phase.COMM, 2.0, 2),
        ],
        node_uj={
            Holder.JOB: 33_000_000,
            Holder.POOL: 1_234_567,
            Holder.PLATFORM: 500_000,
            Holder.UNALLOCATED: 31_265_433,
        },
        conditions=within(DE=grid(CLEAN, DIRTY, CLEAN, DIRTY, DIRTY)),
        progress=[(START + HOUR, 100, 1, 2.25), (START + 3 * HOUR, 300, 2, 0.5)],
        world=World(speed=3600.0, replayed=True, origin_at=START),
        grid_name="a test grid",
        plan_note="waits out the dirty hour",
        issued_at=START + 3 * HOUR,
        result={"accuracy": 0.97219},
    )


def renderings(receipt: Receipt) -> tuple[str, str, str]:
    return text.render(receipt), document.render(receipt), html.render(receipt)


class Page(HTMLParser):
    """The tags and the visible words of a page, and whatever it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self._hidden = False
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._hidden = tag in {"style", "script"}
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    @override
    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in {"style", "script"}

    @override
    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def prose(self) -> str:
        return " ".join("".join(self.words).split())


def test_energy_by_phase_and_by_workers_sums_to_the_total() -> None:
    energy = build(record()).energy
    assert energy.total_uj == 33_000_000
    assert energy.total_j.value == 33.0
    assert {part.key: part.energy_uj for part in energy.by_phase} == {
        "compute": 30_000_000,
        "comm": 2_000_000,
        "checkpoint": 1_000_000,
    }
    assert {part.key: part.energy_uj for part in energy.by_workers} == {"1": 11_000_000, "2": 22_000_000}
    assert energy.tier is Tier.COUNTER
    assert energy.meters == ("test meter",)


def test_the_accounts_sum_to_the_node() -> None:
    node = build(record()).energy.conservation
    assert node.node_uj == node.jobs_uj + node.pool_uj + node.platform_uj + node.unallocated_uj == 66_000_000


def test_carbon_is_energy_times_pue_times_intensity() -> None:
    impacts = build(record()).impacts
    assert impacts.operational is not None
    assert impacts.operational.amount.value == pytest.approx(33 * 1.5 * CLEAN / 3.6e6)
    assert impacts.operational.amount.high == pytest.approx(33 * 1.5 * CLEAN * 1.1 / 3.6e6)
    assert impacts.intensity == pytest.approx(CLEAN)


def test_the_saving_is_against_the_same_work_started_at_once() -> None:
    # one worker did 99 steps in the second after its first report, and 0.1 J a step: 300 steps take 3.03 h
    receipt = build(record())
    other, saved = receipt.counterfactual, receipt.saving
    assert isinstance(other, Counterfactual)
    assert isinstance(saved, Saving)
    assert other.end_at == pytest.approx(START + 300 / 99 * HOUR)
    assert other.energy_j.value == pytest.approx(30.0)
    hours = 300 / 99
    mean = (2 * CLEAN + (hours - 2) * DIRTY) / hours
    assert saved.operational_g.value == pytest.approx(1.5 / 3.6e6 * (30 * mean - 33 * CLEAN))
    assert saved.operational_g.value > 0


def test_how_the_job_ran_is_counted() -> None:
    running = build(record()).running
    assert (running.suspends, running.resumes, running.resizes, running.moves) == (1, 1, 1, 0)
    assert (running.failed, running.lost, running.stranded) == (0, 0, 0)
    assert running.real_s == pytest.approx(2.0)
    assert [(s.start_at, s.end_at, s.workers) for s in running.segments] == [
        (START, START + HOUR, 1),
        (START + 2 * HOUR, START + 3 * HOUR, 2),
    ]


@pytest.mark.parametrize(
    ("outcomes", "counts", "told"),
    [
        (("suspended", "succeeded"), (0, 0, 0), "1 change of worker count"),
        (("suspended", "cancelled"), (0, 0, 0), "1 change of worker count"),
        (("suspended", "failed"), (1, 0, 0), "1 change of worker count, 1 attempt failed"),
        (("lost", "lost"), (0, 2, 0), "1 change of worker count, 2 attempts lost"),
        (
            ("stranded", "failed"),
            (1, 0, 1),
            "1 change of worker count, 1 attempt failed, 1 attempt stranded",
        ),
    ],
)
def test_an_attempt_that_was_cut_short_is_told_by_what_cut_it(
    outcomes: tuple[str, str], counts: tuple[int, int, int], told: str
) -> None:
    started = record()
    ended = [replace(a, outcome=o) for a, o in zip(started.attempts, outcomes, strict=True)]
    plain, data, page = renderings(build(replace(started, attempts=ended, events=EVENTS[:1])))
    (line,) = re.findall(r"On the way +(.*(?:\n {6,}.*)*)", plain)
    assert " ".join(line.split()) == told
    assert f"<td>{told}</td>" in page
    ran = json.loads(data)["running"]
    assert (ran["failed"], ran["lost"], ran["stranded"]) == counts
    assert ran["losses"] == sum(counts)


@pytest.mark.parametrize(
    ("deadline_h", "kept", "told"),
    [(5.0, True, "kept, 2 h to spare"), (2.5, False, "missed by 30 min")],
)
def test_a_deadline_is_kept_or_missed(deadline_h: float, kept: bool, told: str) -> None:
    receipt = build(replace(record(), job=job(deadline_h=deadline_h)))
    assert receipt.deadline is not None
    assert receipt.deadline.kept is kept
    assert told in text.render(receipt)
    assert json.loads(document.render(receipt))["deadline"]["kept"] is kept


@pytest.mark.parametrize("deadline_h", [0.1, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("width", [384, 976])
def test_the_word_deadline_lies_on_no_other(deadline_h: float, width: int) -> None:
    drawn = chart.render(build(replace(record(), job=job(deadline_h=deadline_h))), width, "key")
    found = re.findall(r'<text class="([^"]*)" x="([^"]*)" y="([^"]*)">([^<]*)<', drawn)
    (title,) = [word for _, x, y, word in found if (float(x), float(y)) == (0, 14)]
    ((side, x, y),) = [(css, float(x), float(y)) for css, x, y, word in found if word == "deadline"]
    left = x - 8 * len("deadline") if side == "end" else x
    assert y > 14 + 12 or left > 8 * len(title) - 8
    assert left + 8 * len("deadline") < width


def test_why_a_job_that_failed_saved_nothing_is_told_in_words() -> None:
    failed = replace(job(), state=State.FAILED, ended_at=START + 3 * HOUR)
    broken = [replace(each, outcome="failed") for each in record().attempts[1:]]
    told = " ".join(text.render(build(replace(record(), job=failed, attempts=broken))).split())
    assert "because the job has failed, and a saving is told only of work that was finished" in told
    assert "1 attempt failed" in told


def test_a_result_that_names_a_file_in_other_bytes_than_utf_8_can_be_written(tmp_path: Path) -> None:
    odd = build(replace(record(), result={"path": "by\udcfftes"}))
    for name, made in (("receipt.html", html.render(odd)), ("receipt.json", document.render(odd))):
        write_file(tmp_path / name, made)
        assert "by\\udcfftes" in (tmp_path / name).read_text(encoding="utf-8")
    assert json.loads((tmp_path / "receipt.json").read_text())["result"] == {"path": "by\udcfftes"}


def test_what_was_returned_stands_together() -> None:
    several: dict[str, object] = {"slope": 3.0, "intercept": 1.0}
    words = Page(html.render(build(replace(record(), result=several)))).words
    assert words.index("intercept") - words.index("slope") < 6


def test_no_deadline_is_said_to_be_none() -> None:
    receipt = build(replace(record(), job=job(deadline_h=None)))
    assert receipt.deadline is None
    assert json.loads(document.render(receipt))["deadline"] is None


def test_every_renderer_tells_the_same_totals() -> None:
    receipt = build(record())
    plain, data, page = renderings(receipt)
    prose = Page(page).prose
    parsed = json.loads(data)

    assert parsed["schema"] == "tidewatt.receipt/1"
    assert parsed["energy_uj"] == 33_000_000
    assert parsed["energy_j"]["value"] == 33.0
    for told in ("33.0 J", "1.65 mg CO₂e", "33,000,000 µJ", "66,000,000 µJ", "0.9722", "a test grid (model)"):
        assert told in plain
        assert told in prose
    assert parsed["operational_gco2e"]["value"] == pytest.approx(1.65e-3)
    percent = f"{parsed['saving']['operational_percent']['value']:.0f} %"
    assert f"{percent} LESS CARBON" in plain
    assert f"{percent} less carbon" in prose
    assert sum(parsed["energy_by_phase_uj"].values()) == parsed["energy_uj"]
    assert parsed["node"]["energy_uj"] == sum(
        parsed["node"][k] for k in ("jobs_uj", "pool_uj", "platform_uj", "unallocated_uj")
    )


def test_a_job_under_way_gets_an_interim_receipt() -> None:
    started = record()
    open_attempt = replace(started.attempts[1], ended_at=None, ended_wall=None, outcome=None)
    receipt = build(
        replace(
            started,
            job=replace(job(State.RUNNING), steps_total=900),
            attempts=[started.attempts[0], open_attempt],
            result=None,
        )
    )
    plain, data, page = renderings(receipt)
    assert receipt.identity.interim
    assert receipt.deadline is not None
    assert receipt.deadline.kept is None
    assert receipt.running.real_s == pytest.approx(2.0)
    assert "interim receipt" in plain
    assert "has not ended" in plain
    assert "Interim receipt" in Page(page).prose
    assert json.loads(data)["interim"] is True
    assert json.loads(data)["ended_at"] is None


def test_a_job_that_has_not_begun_has_a_receipt_too() -> None:
    queued = replace(
        record(),
        job=replace(job(State.QUEUED), token=0, steps_reached=0, steps_done=0),
        attempts=[],
        events=EVENTS[:1],
        balances=[],
        progress=[],
        node_uj={},
        result=None,
    )
    receipt = build(queued)
    plain, data, page = renderings(receipt)
    assert isinstance(receipt.counterfactual, Unknown)
    assert "no attempt yet" in plain
    assert json.loads(data)["energy_uj"] == 0
    assert "saving not known" in Page(page).prose.lower()


def test_without_a_signal_carbon_is_not_known_rather_than_zero() -> None:
    receipt = build(replace(record(), conditions=within()))
    plain, data, page = renderings(receipt)
    parsed = json.loads(data)
    assert receipt.impacts.operational is None
    assert re.search(r"Carbon +not known", plain)
    assert "SAVING NOT KNOWN" in plain
    assert "no intensity for DE, where 100 % of the energy was drawn" in " ".join(plain.split())
    assert "0 g CO₂e" not in plain
    assert parsed["operational_gco2e"] is None
    assert parsed["operational_unpriced_zones"] == ["DE"]
    assert parsed["saving"] == {"known": False, "reason": "no carbon intensity is known for DE"}
    assert "Operational carbon not known" in Page(page).prose.replace("carbonnot", "carbon not")
    assert parsed["energy_uj"] == 33_000_000


def test_energy_that_no_meter_saw_is_not_known_rather_than_zero() -> None:
    plain, data, page = renderings(build(replace(record(), balances=[])))
    parsed = json.loads(data)
    assert re.search(r"Energy +not known", plain)
    assert re.search(r"Water +not known", plain)
    assert parsed["energy_j"] is None
    assert parsed["energy_uj"] is None
    assert parsed["operational_gco2e"] is None
    assert "not known" in Page(page).prose


def test_hours_without_data_are_told_with_their_share() -> None:
    receipt = build(replace(record(), conditions=within(DE=grid(CLEAN, DIRTY, None, DIRTY))))
    plain, data, page = renderings(receipt)
    assert json.loads(data)["operational_filled_share"] == pytest.approx(22 / 33)
    for told in (plain, Page(page).prose):
        assert "67 % of the energy was drawn in hours without data" in " ".join(told.split())
    assert "? no data for these hours" in plain


def test_a_negative_saving_is_told_as_plainly() -> None:
    receipt = build(replace(record(), conditions=within(DE=grid(CLEAN, CLEAN, DIRTY, CLEAN))))
    plain, data, page = renderings(receipt)
    saved = json.loads(data)["saving"]
    assert isinstance(receipt.saving, Saving)
    assert saved["operational_gco2e"]["value"] < 0
    share = f"{-saved['operational_percent']['value']:.0f} %"
    assert f"{share} MORE CARBON" in plain
    assert f"{share} more carbon" in Page(page).prose
    assert "verdict more" in page


def test_a_saving_whose_range_holds_zero_is_doubted() -> None:
    wide = Signal(
        "DE", tuple(replace(r, low=0.2 * r.value, high=3 * r.value) for r in grid(*[CLEAN] * 5).readings)
    )
    receipt = build(replace(record(), conditions=within(DE=wide)))
    plain, _, page = renderings(receipt)
    assert "The range holds zero" in plain
    assert "The range holds zero" in Page(page).prose
    assert "verdict level" in page


def test_hostile_names_are_shown_and_never_obeyed() -> None:
    hostile = record()
    submission = replace(
        hostile.job.submission,
        function=replace(hostile.job.function, name=HOSTILE),
        arguments={HOSTILE: HOSTILE},
        home_zone="DE",
    )
    receipt = build(
        replace(
            hostile,
            job=replace(hostile.job, submission=submission, error=HOSTILE),
            result={HOSTILE: HOSTILE},
            grid_name=HOSTILE,
            plan_note=HOSTILE,
        )
    )
    plain, data, page = renderings(receipt)
    read = Page(page)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert read.handlers == []
    assert "<script" not in page
    assert "alert('x')" in read.prose
    assert "\x1b" not in plain
    assert json.loads(data)["function"] == HOSTILE


def test_the_page_needs_nothing_from_outside() -> None:
    page = html.render(build(record()))
    read = Page(page)
    assert read.fetched == []
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_can_be_read_without_seeing_it() -> None:
    receipt = build(record())
    page = html.render(receipt)
    read = Page(page)
    assert page.startswith("<!doctype html>\n<html lang=")
    assert read.tags.count("h1") == 1
    assert read.tags.count("svg") - page.count('aria-hidden="true" fill') == read.tags.count("desc") == 2
    assert "The job ran with 1 worker in DE" in read.prose
    assert page.count("<table") <= page.count('scope="')
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_text_fits_a_terminal_of_eighty_columns() -> None:
    for made in (
        record(),
        replace(record(), conditions=within()),
        replace(record(), job=job(State.SUSPENDED)),
        replace(record(), job=job(name="a_function_" * 12), result={"a_key_" * 9: "a value " * 30}),
    ):
        lines = text.render(build(made)).splitlines()
        assert max(len(line) for line in lines) <= 80
        assert all(line == line.rstrip() for line in lines)


def test_a_world_in_real_time_says_so() -> None:
    receipt = build(replace(record(), world=World()))
    assert "Real time" in receipt.place.world
    assert "replay" in build(record()).place.world


def test_measured_intensity_is_not_called_a_model() -> None:
    receipt = build(
        replace(record(), conditions=within(DE=grid(CLEAN, DIRTY, CLEAN, DIRTY, quality=Quality.MEASURED)))
    )
    plain, data, page = renderings(receipt)
    assert json.loads(data)["grid"]["model"] is False
    assert "model" not in plain
    assert "model" not in Page(page).prose


def test_what_no_counter_told_is_said_with_its_share() -> None:
    def modelled(balance: Balance) -> Balance:
        return replace(balance, meter="model in place of log", tier=Tier.MODEL)

    counted = record()
    first, *rest = counted.balances
    share = first.energy_uj / sum(balance.energy_uj for balance in counted.balances)
    some = build(replace(counted, balances=[modelled(first), *rest])).notes
    every = build(replace(counted, balances=[modelled(balance) for balance in counted.balances])).notes

    assert f"{percent(share)} of the energy is modelled and not counted: by model in place of log." in some
    assert any(note.startswith("Energy is modelled from processor time") for note in every)
    assert not any("nergy is modelled" in note for note in build(counted).notes)


def test_only_the_factors_used_are_listed_and_each_with_its_source() -> None:
    receipt = build(record())
    plain, data, page = renderings(receipt)
    named = {factor["id"] for factor in json.loads(data)["factors"]}
    assert named == {factor.id for factor in receipt.factors}
    for factor in receipt.factors:
        assert factor.id in plain
        assert factor.source in Page(page).prose


def test_a_loss_that_is_not_a_number_still_makes_json() -> None:
    receipt = build(
        replace(
            record(),
            progress=[(START, 1, 1, float("nan"))],
            result={"accuracy": float("inf"), "per_class": [0.5, float("nan")]},
        )
    )
    parsed = json.loads(document.render(receipt), parse_constant=pytest.fail)
    assert parsed["last_loss"] is None
    assert parsed["result"] == {"accuracy": None, "per_class": [0.5, None]}


def test_a_job_that_moved_is_drawn_with_both_zones() -> None:
    moved = record()
    away = replace(moved.attempts[1], site="there", zone="FR")
    balances = [replace(b, zone="FR") if b.token == 2 else b for b in moved.balances]
    signals = {**moved.conditions.intensity, "FR": Signal("FR", grid(20, 20, 20, 20).readings)}
    receipt = build(
        replace(moved, attempts=[moved.attempts[0], away], balances=balances, conditions=within(**signals))
    )
    page = html.render(receipt)
    assert receipt.running.moves == 1
    assert receipt.impacts.operational is not None
    assert receipt.impacts.operational.amount.value == pytest.approx(1.5 / 3.6e6 * (11 * CLEAN + 22 * 20))
    assert "tide other" in page
    assert "2 FR" in Page(page).prose
    assert "2 workers in FR" in Page(page).prose


def test_a_figure_that_would_round_to_nothing_is_no_difference() -> None:
    made = record()
    even = replace(
        made, balances=made.balances[:1], attempts=made.attempts[:1], job=replace(job(), steps_total=100)
    )
    receipt = build(replace(even, conditions=within(DE=grid(*[CLEAN] * 5))))
    plain, _, page = renderings(receipt)
    assert "NO DIFFERENCE" in plain
    assert "verdict level" in page


def test_the_reference_names_every_key_of_the_json_receipt() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "accounting.md"
    written = page.read_text(encoding="utf-8").partition("## The JSON receipt")[2]
    missing = [key for key in document.document(build(record())) if f"`{key}`" not in written]
    assert missing == ["schema"]
    assert f'"schema": "{document.SCHEMA}"' in written

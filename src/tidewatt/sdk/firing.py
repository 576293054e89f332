"""Firing triggers: every occasion gets one job, whatever is killed in between.

A job is named for its occasion and committed together with it, so doing all of this again changes nothing.
An event from elsewhere, such as a request by HTTP, is one more kind of occasion for ``submit_each``.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import cloudpickle

from tidewatt import settings, waiting, wiring
from tidewatt.adapters import supervision
from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.job import Submission
from tidewatt.domain.trigger import Files, Occasion, Schedule, Trigger, at_time
from tidewatt.errors import Refused, StoreUnavailable, TidewattError, WorldConflict
from tidewatt.policy import due, ripe
from tidewatt.runtime.handover import ResultOf
from tidewatt.runtime.payload import ARGUMENTS
from tidewatt.sdk.client import Client, Draft, Options

_AT_ONCE = 256
"""Jobs in one transaction; the folders of so many may be left if it is killed, and are taken up again."""
_MOMENT_S = 0.01
_HELD_S = 60.0
"""Real seconds until the next look while jobs of a replay, or of another zone, hold the state folder."""


@dataclass(slots=True)
class Fired:
    """What a look came to."""

    jobs: list[str] = field(default_factory=list[str])
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Triggers that got no job for something, and why."""


@dataclass(frozen=True, slots=True)
class Case:
    """An occasion with what is handed over."""

    occasion: Occasion
    value: object
    told: str
    """The value, as shown to people."""


def folder_of(home: wiring.Home, trigger: Trigger) -> Path:
    """Where the code of a trigger lies, a folder for each version of it."""
    return waiting.folder(home) / trigger.name / trigger.payload.sha256[:16]


def fire(client: Client, *, stay: bool = False) -> Fired:
    """Look at all triggers, submit what is due, and say what to wait for next.

    With ``stay`` it looks again by itself at files that were changed just now, until they are finished.
    """
    fired = Fired()
    while True:
        with waiting.settling(client.home):
            agenda = waiting.Agenda()
            for trigger in client.triggers.all():
                _look_patiently(client, trigger, agenda, fired)
            settled_wall = agenda.settled_wall if stay else None
            if settled_wall is None and not waiting.begin(client.home, agenda):
                break
        if settled_wall is not None:
            Event().wait(max(_MOMENT_S, settled_wall - wiring.clock_of(None).wall()))
    if client.triggers.waiting() or fired.jobs:
        wiring.wake(client.home).close()
    return fired


def follow_up(home: wiring.Home) -> bool:
    """Submit the jobs that follow others which have succeeded; True if there are any.

    Raises:
        StoreUnavailable: it is to be tried again.
    """
    fired = Fired()
    with Client(home.path) as client:
        triggers = {trigger.name: trigger for trigger in client.triggers.all()}
        for occasion in client.triggers.waiting():
            if occasion.trigger in triggers:
                trigger = triggers[occasion.trigger]
                try:
                    submit_each(client, trigger, [_result_case(client, occasion)], fired)
                except StoreUnavailable:
                    raise
                except TidewattError as error:
                    fired.problems.append((trigger.name, f"{occasion.said}: held: {error}"))
    for name, why in fired.problems:
        sys.stderr.write(f"tidewatt: trigger {name}: {why}\n")
    return bool(fired.jobs)


def submit_each(client: Client, trigger: Trigger, cases: Sequence[Case], fired: Fired) -> None:
    """Submit the job of every case that has none yet; what admission refuses is noted with the reason.

    Raises:
        WorldConflict: the state folder lives in a replay or in another zone at the moment.
        TidewattError: the trigger's code is damaged, or its zone has no data.
    """
    at_once = 1 if trigger.function.deadline_s is not None else _AT_ONCE  # each is asked whether it fits in
    for first in range(0, len(cases), at_once):
        with supervision.submitting(client.home) as begin:
            some = cases[first : first + at_once]
            known = client.triggers.known(trigger.name, [case.occasion.key for case in some])
            fresh = [case for case in some if case.occasion.key not in known]
            if fresh:
                _submit(client, trigger, fresh, fired, begin)


def _look_patiently(client: Client, trigger: Trigger, agenda: waiting.Agenda, fired: Fired) -> None:
    """Look at one trigger; what stands in its way is told, tried again, and keeps no other from its job."""
    try:
        _look(client, trigger, agenda, fired)
    except TidewattError as error:
        agenda.look_by(wiring.clock_of(None).wall() + _HELD_S)
        fired.problems.append((trigger.name, f"held: {error}"))


def _look(client: Client, trigger: Trigger, agenda: waiting.Agenda, fired: Fired) -> None:
    cause, clock = trigger.cause, wiring.clock_of(None)
    if isinstance(cause, Schedule):
        now = clock.wall()
        agenda.look_by(*due.upcoming(cause, now, waiting.MOST_INSTANTS))
        instants = due.made_up(cause, min(trigger.reached_wall, now), now)
        submit_each(client, trigger, [_time_case(trigger, instant) for instant in instants], fired)
        client.triggers.reach(trigger.name, now)
    elif isinstance(cause, Files):
        if cause.look_every_s is not None:
            agenda.look_by(
                *(clock.wall() + cause.look_every_s * n for n in range(1, waiting.MOST_INSTANTS + 1))
            )
        finished = _finished(client, trigger, cause, agenda)
        submit_each(client, trigger, [_file_case(trigger, seen) for seen in finished], fired)


def _finished(
    client: Client, trigger: Trigger, cause: Files, agenda: waiting.Agenda
) -> tuple[ripe.Seen, ...]:
    """New files that are finished; the others are looked at again when they may be."""
    clock, before = wiring.clock_of(None), None
    while True:
        look = waiting.Look(cause.pattern)
        keys = {ripe.identity(seen): seen for seen in look.files}
        known = client.triggers.known(trigger.name, list(keys))
        new = [seen for key, seen in keys.items() if key not in known]
        verdict = ripe.judge(waiting.looked_into(new), clock.wall(), cause.settle_s, before)
        if not verdict.adrift or before is not None:
            break
        before = {seen.path: seen for seen in new}
        Event().wait(cause.settle_s)
    agenda.follow(look.folders, cause.settle_s)
    if verdict.again_wall is not None:
        agenda.settle_by(verdict.again_wall)
    return verdict.finished


def _time_case(trigger: Trigger, due_wall: float) -> Case:
    value = datetime.fromtimestamp(due_wall, UTC)
    return Case(at_time(trigger.name, due_wall), value, value.isoformat())


def _file_case(trigger: Trigger, seen: ripe.Seen) -> Case:
    return Case(ripe.arrival(trigger.name, seen), seen.path, repr(seen.path))


def _result_case(client: Client, occasion: Occasion) -> Case:
    before = client.job(occasion.key)
    return Case(
        occasion, ResultOf(client.folder(before) / (before.result or "")), f"<the result of {before.id}>"
    )


@dataclass(frozen=True, slots=True)
class _Deployed:
    """A function as the client wants it, whose code lies with its trigger."""

    spec: FunctionSpec
    body: Callable[..., Any]


def _submit(
    client: Client, trigger: Trigger, cases: Sequence[Case], fired: Fired, begin: Callable[[str], None]
) -> None:
    """Make the jobs from one draft, since they differ in their arguments alone."""
    wall = wiring.clock_of(None).wall()
    options = Options(zones=trigger.zones, payload=trigger.payload)
    draft = client.draft(_Deployed(trigger.function, len), {}, options)
    if draft.world.replayed:
        raise WorldConflict("open jobs that live in a replay", "real time, which triggers live in")
    try:
        _admit(client, draft)
        code = _code(folder_of(client.home, trigger), trigger)
    except Refused as error:
        for case in cases:
            client.triggers.refuse(case.occasion, str(error), wall=wall)
            fired.problems.append((trigger.name, f"{case.occasion.said}: {error}"))
        return
    drafted = replace(draft.job.submission, world=draft.world, grid=draft.grid.name)
    pairs = [(case.occasion, _drafted(drafted, trigger, case)) for case in cases]
    for case, (_, submission) in zip(cases, pairs, strict=True):
        begin(submission.id)
        _keep(client.home.jobs / submission.id, code, trigger, case)
    client.store.save_world(draft.world)
    fired.jobs += client.triggers.fire(pairs, wall=wall)


def _admit(client: Client, draft: Draft) -> None:
    """Refuse what cannot be done or paid for; other jobs matter where there is a deadline or a budget.

    Raises:
        Refused: no site is permitted or large enough, a deadline would be missed, or a budget is used up.
        UsageError: the budgets in force cannot be read.
    """
    alone = draft.job.function.deadline_s is None and not settings.budgets(client.home.path)().rules
    client.check(client.proposed(replace(draft, among=()) if alone else draft))


def _drafted(like: Submission, trigger: Trigger, case: Case) -> Submission:
    told = dict(trigger.arguments) | ({trigger.handed: case.told} if trigger.handed else {})
    tag = hashlib.sha256(f"{trigger.name}\0{case.occasion.key}".encode()).hexdigest()[:12]
    name = like.id.rpartition("-")[0]
    return replace(like, id=f"{name}-{tag}", arguments=told)


def _code(folder: Path, trigger: Trigger) -> bytes:
    """The code of a trigger.

    Raises:
        Refused: it is gone, or is not what was deployed.
    """
    try:
        data = (folder / trigger.payload.path).read_bytes()
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != trigger.payload.sha256:
        raise Refused(
            f"code of trigger {trigger.name} in {folder} that is gone or was changed",
            "what was deployed",
            "deploy it again: tidewatt triggers add FILE",
        )
    return data


def _keep(folder: Path, code: bytes, trigger: Trigger, case: Case) -> None:
    """Give a job its copy of the code, and its arguments."""
    arguments = {name: ast.literal_eval(text) for name, text in trigger.arguments}
    if trigger.handed:
        arguments[trigger.handed] = case.value
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / trigger.payload.path).write_bytes(code)
    (folder / ARGUMENTS).write_bytes(cloudpickle.dumps(arguments))

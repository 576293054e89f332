"""Deploying triggers: they outlive the shell, and keep the code that they were deployed with."""

import ast
import hashlib
import inspect
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cloudpickle

from tidewatt import waiting, wiring
from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.trigger import Cause, Files, Trigger, check_no_circle
from tidewatt.errors import UsageError, WorldConflict
from tidewatt.runtime.payload import describe
from tidewatt.runtime.secret import Secrets
from tidewatt.sdk.client import Client
from tidewatt.sdk.environments import furnish
from tidewatt.sdk.firing import folder_of


class Deployable(Protocol):
    """A decorated function, as far as its trigger needs it."""

    cause: Cause | None

    @property
    def spec(self) -> FunctionSpec:
        """Its name and needs."""
        ...

    @property
    def body(self) -> Callable[..., Any]:
        """What is called."""
        ...

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a submission fills."""
        ...

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name; refused if one does not fit."""
        ...


_LONGEST_NAME = 64
_NAMELESS = "-_"


def deploy(
    client: Client,
    handle: Deployable,
    arguments: Mapping[str, Any],
    *,
    source: Path | None = None,
    name: str = "",
    zones: tuple[str, ...] = (),
) -> Trigger:
    """Deploy the trigger of a function, in place of the one of its name; ``firing.fire`` then begins to wait.

    Args:
        client: of the state folder.
        handle: the function, decorated with what it waits for.
        arguments: further arguments of each job, as plain Python literals.
        source: the file that the function was loaded from, if a copy of it is to be kept.
        name: what to call the trigger; as the function unless given.
        zones: where its jobs run, the home zone first; as for a submission unless given.

    Raises:
        UsageError: the function waits for nothing, or something does not fit.
        NotBuilt: its environment cannot be built.
        WorldConflict: the state folder lives in a replay.
    """
    Secrets(client.home.secrets).check(handle.spec.secrets)
    furnish(handle.spec, by_value=source is None)
    code = source.read_bytes() if source is not None else cloudpickle.dumps(handle.body)
    with waiting.settling(client.home):
        others = tuple(client.triggers.all())
        before = next((t for t in others if t.name == (name or handle.spec.name)), None)
        draft = _draft(handle, arguments, source, wiring.clock_of(None).wall())
        keeps_on = before is not None and before.cause == draft.cause
        trigger = replace(
            draft,
            name=_checked_name(name or handle.spec.name),
            payload=replace(draft.payload, sha256=hashlib.sha256(code).hexdigest()),
            zones=client.zones(handle.spec, zones),
            reached_wall=before.reached_wall if before is not None and keeps_on else draft.reached_wall,
        )
        _refuse_replay(client)
        _refuse_other(before, trigger)
        check_no_circle(trigger, others)
        folder = folder_of(client.home, trigger)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / trigger.payload.path).write_bytes(code)
        client.triggers.deploy(trigger)
        for earlier in folder.parent.iterdir():  # every job has a copy of its own
            if earlier != folder:
                shutil.rmtree(earlier, ignore_errors=True)
    return trigger


def remove(client: Client, name: str) -> None:
    """Forget a trigger; its jobs stay, and files that it has seen stay seen if it is deployed again.

    Raises:
        UsageError: there is none of that name.
    """
    with waiting.settling(client.home):
        if not client.triggers.remove(name):
            there = ", ".join(t.name for t in client.triggers.all()) or "none"
            raise UsageError(f"no trigger {name!r}", f"one that is deployed: {there}")
        shutil.rmtree(waiting.folder(client.home) / name, ignore_errors=True)


def _draft(handle: Deployable, arguments: Mapping[str, Any], source: Path | None, wall: float) -> Trigger:
    """The trigger as its function and its arguments have it."""
    if handle.cause is None:
        raise UsageError(
            f"function {handle.spec.name}, which waits for nothing",
            "a trigger",
            "give its decorator schedule=, on= or after=",
        )
    cause = _located(handle.cause, source)
    return Trigger(
        name=handle.spec.name,
        cause=cause,
        function=handle.spec,
        payload=describe(source, handle.body, handle.spec.name),
        arguments=tuple((k, _literal(k, v)) for k, v in arguments.items()),
        handed=_handed(handle, arguments, cause),
        zones=(),
        deployed_wall=wall,
        reached_wall=wall,
    )


def _checked_name(name: str) -> str:
    if len(name) > _LONGEST_NAME or not all(c.isalnum() or c in _NAMELESS for c in name) or not name:
        raise UsageError(
            f"a trigger {name!r}", "a name of letters, digits, - and _", "choose one with --name"
        )
    return name


def _refuse_replay(client: Client) -> None:
    world = client.store.world()
    if world is not None and world.replayed and client.store.any_open():
        raise WorldConflict(
            "a state folder whose open jobs live in a replay",
            "real time, which triggers live in",
            "wait until they have ended, or use another state folder (--home)",
        )


def _refuse_other(before: Trigger | None, new: Trigger) -> None:
    if before is not None and before.payload.origin != new.payload.origin:
        raise UsageError(
            f"trigger {new.name} of {before.payload.origin or 'a function without a file'}",
            f"another name for that of {new.payload.origin or 'a function without a file'}",
            "choose one with --name, or remove the other first",
        )


def _located(cause: Cause, source: Path | None) -> Cause:
    """The cause with a whole path: a pattern is seen from the folder of the Python file."""
    if not isinstance(cause, Files):
        return cause
    base = Path.cwd() if source is None else source.resolve().parent
    pattern = str(base / Path(cause.pattern).expanduser())
    try:
        pattern.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"files {pattern!r}", "a pattern in UTF-8; the files' own names may be any"
        ) from None
    return replace(cause, pattern=pattern)


def _handed(handle: Deployable, given: Mapping[str, Any], cause: Cause) -> str:
    """The parameter that is given what happened: the one that nothing else fills."""
    plain = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    parameters = handle.parameters()
    handle.bind([], {name: None for name in parameters if parameters[name].kind in plain} | dict(given))
    open_ones = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in plain and parameter.default is parameter.empty and name not in given
    ]
    if len(open_ones) > 1 or (isinstance(cause, Files) and not open_ones):
        raise UsageError(
            f"{handle.spec.name} with {', '.join(open_ones) or 'no parameter'} to be filled",
            "one parameter without a default for what happened" if open_ones else "one for the path",
            "give the others with --arg, or as arguments of deploy",
        )
    return open_ones[0] if open_ones else ""


def _literal(name: str, value: object) -> str:
    """A value as Python writes it."""
    text = repr(value)
    try:
        same = bool(ast.literal_eval(text) == value)
    except (SyntaxError, ValueError):
        same = False
    if not same:
        raise UsageError(
            f"argument {name}={text:.60}",
            "a plain Python value, since it is kept as text",
            "make the object inside the function",
        )
    return text

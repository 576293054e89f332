"""The decorators: an ordinary function, with what it needs to run without a server."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Generic, ParamSpec, TypeVar

from tidewatt.domain.budget import Budget
from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.trigger import Cause, Files, Schedule
from tidewatt.domain.units import parse_bytes, parse_duration
from tidewatt.errors import UsageError
from tidewatt.sdk.causes import Decorated, cause_of

P = ParamSpec("P")
R = TypeVar("R")


class Handle(Generic[P, R]):
    """A decorated function: call it as ever, or submit it."""

    def __init__(self, body: Callable[P, R], spec: FunctionSpec, cause: Cause | None = None) -> None:
        self.body: Callable[P, R] = body
        self.spec: FunctionSpec = spec
        self.cause: Cause | None = cause
        """What its trigger waits for, once deployed."""
        self.__doc__ = body.__doc__
        self.__name__ = spec.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, in this process, without Tidewatt."""
        return self.body(*args, **kwargs)

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a submission fills; a training's ``run`` is not one of them."""
        parameters = dict(inspect.signature(self.body).parameters)
        if self.spec.kind is not Kind.FUNCTION:
            if not parameters:
                raise UsageError(
                    f"training {self.spec.name} without a parameter",
                    "run as its first one",
                    "def f(run): ...",
                )
            del parameters[next(iter(parameters))]
        return parameters

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name.

        Raises:
            UsageError: one is missing, or the function does not take it.
        """
        parameters = self.parameters()
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        for name in kwargs:
            if name not in parameters and not takes_any:
                close = get_close_matches(name, parameters, n=1)
                hint = f"did you mean {close[0]}?" if close else ""
                taken = ", ".join(parameters) or "no arguments"
                raise UsageError(f"argument {name!r} for {self.spec.name}", taken, hint)
        try:
            bound = inspect.Signature(list(parameters.values())).bind(*args, **kwargs)
        except TypeError as error:
            raise UsageError(
                f"arguments of {self.spec.name}: {error}", ", ".join(parameters) or "none"
            ) from None
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                raise UsageError(f"*{name} in {self.spec.name}", "arguments that have names", "name them")
            named.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        return named

    def submit(self, *args: Any, deadline: str | None = None, **kwargs: Any) -> "Call":  # noqa: ANN401 - the user's arguments
        """Queue the function durably; returns as soon as the submission is on disk.

        Args:
            *args: arguments of the function, after ``run`` for a training.
            deadline: when it is to be done, as a duration from now such as ``"6 h"``.
            **kwargs: further arguments.

        Raises:
            Refused: it cannot be done in time, or not where it is allowed to be.
            UsageError: an argument does not fit, or no zone is known.
        """
        from tidewatt.sdk.client import Client, Options  # noqa: PLC0415 - keeps `import tidewatt` light

        options = Options(deadline_s=None if deadline is None else parse_duration(deadline))
        with Client() as client:
            return Call(client.submit(self, self.bind(args, kwargs), options))

    def remote(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the user's arguments and result
        """Submit and wait for the result."""
        return self.submit(*args, **kwargs).result()

    def map(self, items: Iterable[Any]) -> list[Any]:
        """Submit once for each item and return all results in order."""
        calls = [self.submit(item) for item in items]
        return [call.result() for call in calls]

    def deploy(self, name: str = "", /, **arguments: Any) -> None:  # noqa: ANN401 - the user's arguments
        """Deploy the function's trigger: from now on it submits jobs by itself, until it is removed.

        Args:
            name: what to call the trigger; as the function unless given.
            **arguments: further arguments of each job, plain Python values.

        Raises:
            UsageError: the function waits for nothing, or an argument does not fit.
        """
        from tidewatt.sdk import deploying, firing  # noqa: PLC0415 - keeps `import tidewatt` light
        from tidewatt.sdk.client import Client  # noqa: PLC0415 - the same

        with Client() as client:
            deploying.deploy(client, self, arguments, name=name)
            firing.fire(client)


class Call:
    """One submission, wherever it is by now."""

    def __init__(self, job_id: str) -> None:
        self.id = job_id

    def result(self) -> Any:  # noqa: ANN401 - the user's result
        """Wait until it has ended and return what the function returned.

        Raises:
            JobFailed: it ended without a result.
        """
        from tidewatt.sdk.client import Client  # noqa: PLC0415 - keeps `import tidewatt` light

        with Client() as client:
            return client.result(self.id)

    def cancel(self) -> None:
        """End it, wherever it is."""
        from tidewatt.sdk.client import Client  # noqa: PLC0415 - keeps `import tidewatt` light

        with Client() as client:
            client.cancel(self.id)


def training(  # noqa: PLR0913 - each is one need of a training, given by name
    *,
    workers: int | tuple[int, int] = 1,
    shards: int | None = None,
    exact: bool = True,
    deadline: str | None = None,
    length: str | None = None,
    zones: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    cpus: int = 1,
    memory: str | None = None,
    timeout: str | None = None,
    retries: int = 0,
    budget: Budget | None = None,
    checkpoint_every: str = "10 s",
    grace: str = "30 s",
    storage: str = "",
    schedule: str | Schedule | None = None,
    on: Files | None = None,
    after: Decorated | None = None,
) -> Callable[[Callable[P, R]], Handle[P, R]]:
    """Make a function that takes a ``Run`` first a training: it can be suspended, moved and resized.

    Args:
        workers: a count, or the least and the most.
        shards: parts of each batch, fixed for the life of a job; the most workers unless given. The
            result depends on it and on nothing else that changes.
        exact: False for the fast mode: each worker takes one part of the batch and the parts are summed by
            an all-reduce. Then the result depends on the worker counts that it was trained with.
        deadline: as a duration from submission, ``"24 h"``; without one nothing is waited for.
        length: declared length with one worker, if known; it is learned otherwise.
        zones: grid zones that the work may run in; empty for anywhere.
        labels: what to call it by in reports, such as ``{"team": "vision", "cost_centre": "42"}``.
        cpus: processors for each worker.
        memory: upper bound for each worker, ``"2 GiB"``.
        timeout: real time that one attempt may take.
        retries: how often to try again after the function raised.
        budget: what the job may spend.
        checkpoint_every: real time between checkpoints while it runs.
        grace: real time that it is given to leave when it is asked to; then its workers are ended, and it
            goes on from its last checkpoint.
        storage: where copies of checkpoints are kept, as a folder or a URL such as ``"s3://bucket/models"``;
            ``$TIDEWATT_STORAGE`` unless given, else this machine alone keeps them.
        schedule: once deployed, when it submits jobs by itself: ``"0 3 * * *"`` in UTC, or ``tw.cron(...)``.
        on: the same for finished files, ``tw.files("inbox/*.mp4")``.
        after: the same for jobs of another function that have succeeded.

    Raises:
        UsageError: a value cannot be read, or they contradict each other.
    """
    least, most = (workers, workers) if isinstance(workers, int) else workers
    spec = FunctionSpec(
        name="",
        kind=Kind.TRAINING,
        workers=WorkerRange(least, most),
        shards=most if shards is None else shards,
        exact=exact,
        cpus=cpus,
        memory_bytes=None if memory is None else parse_bytes(memory),
        timeout_s=None if timeout is None else parse_duration(timeout),
        retries=retries,
        deadline_s=None if deadline is None else parse_duration(deadline),
        length_s=None if length is None else parse_duration(length),
        zones=tuple(zones),
        labels=tuple((labels or {}).items()),
        budget=budget,
        checkpoint_every_s=parse_duration(checkpoint_every),
        grace_s=parse_duration(grace),
        storage=storage,
    )
    return _decorator(spec, cause_of(schedule=schedule, on=on, after=after))


def function(  # noqa: PLR0913 - each is one need of a function, given by name
    *,
    cpus: int = 1,
    memory: str | None = None,
    timeout: str | None = None,
    retries: int = 0,
    deadline: str | None = None,
    length: str | None = None,
    zones: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    budget: Budget | None = None,
    schedule: str | Schedule | None = None,
    on: Files | None = None,
    after: Decorated | None = None,
) -> Callable[[Callable[P, R]], Handle[P, R]]:
    """Make an ordinary function one that can be submitted; once started it runs through.

    Args:
        cpus: processors for it.
        memory: upper bound, ``"1 GiB"``.
        timeout: real time that one attempt may take.
        retries: how often to try again after it raised.
        deadline: as a duration from submission; with ``length`` it is started in the cheapest time.
        length: declared length.
        zones: grid zones that it may run in; empty for anywhere.
        labels: what to call it by in reports, such as ``{"team": "vision", "cost_centre": "42"}``.
        budget: what it may spend.
        schedule: once deployed, when it submits jobs by itself: ``"0 3 * * *"`` in UTC, or ``tw.cron(...)``.
        on: the same for finished files, ``tw.files("inbox/*.mp4")``.
        after: the same for jobs of another function that have succeeded.

    Raises:
        UsageError: a value cannot be read.
    """
    spec = FunctionSpec(
        name="",
        kind=Kind.FUNCTION,
        cpus=cpus,
        memory_bytes=None if memory is None else parse_bytes(memory),
        timeout_s=None if timeout is None else parse_duration(timeout),
        retries=retries,
        deadline_s=None if deadline is None else parse_duration(deadline),
        length_s=None if length is None else parse_duration(length),
        zones=tuple(zones),
        labels=tuple((labels or {}).items()),
        budget=budget,
    )
    return _decorator(spec, cause_of(schedule=schedule, on=on, after=after))


def _decorator(spec: FunctionSpec, cause: Cause | None) -> Callable[[Callable[P, R]], Handle[P, R]]:
    def decorate(body: Callable[P, R]) -> Handle[P, R]:
        return Handle(body, replace(spec, name=body.__name__), cause)

    return decorate

"""The decorators: an ordinary function, with what it needs to run without a server."""

import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from tidewatt.domain.budget import Budget
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.domain.trigger import Cause, Files, Schedule
from tidewatt.domain.units import parse_bytes, parse_duration
from tidewatt.errors import UsageError
from tidewatt.sdk import needs
from tidewatt.sdk.causes import Decorated, cause_of
from tidewatt.sdk.environments import Env
from tidewatt.sdk.ways import Desk, Map, Remote, Submit

if TYPE_CHECKING:
    from tidewatt.sdk.calls import Caller

P = ParamSpec("P")
R = TypeVar("R")


class Handle(Generic[P, R]):
    """A decorated function: call it here as ever, have it called by a warm worker, or submit it."""

    def __init__(
        self, body: Callable[P, R], spec: FunctionSpec, cause: Cause | None = None, env: Env | None = None
    ) -> None:
        self.body: Callable[P, R] = body
        self._spec = spec
        self.env: Env | None = env
        """What it runs in, as it was written."""
        self.cause: Cause | None = cause
        """What its trigger waits for, once deployed."""
        self.__doc__ = body.__doc__
        self.__name__ = spec.name
        self._caller: Caller | None = None
        self._desk: Desk | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, in this process, without Tidewatt."""
        return self.body(*args, **kwargs)

    @property
    def spec(self) -> FunctionSpec:
        """Its name and needs; files that its environment names are read when this is first asked for.

        Raises:
            UsageError: one cannot be read or understood.
        """
        if self.env is not None and self._spec.environment is None:
            self._spec = replace(self._spec, environment=self.env.read(self.body))
        return self._spec

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that a submission fills; a training's ``run`` is not one of them."""
        parameters = dict(inspect.signature(self.body).parameters)
        if self._spec.kind is not Kind.FUNCTION:
            if not parameters:
                raise UsageError(
                    f"training {self._spec.name} without a parameter",
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
                raise UsageError(f"argument {name!r} for {self._spec.name}", taken, hint)
        try:
            bound = inspect.Signature(list(parameters.values())).bind(*args, **kwargs)
        except TypeError as error:
            raise UsageError(
                f"arguments of {self._spec.name}: {error}", ", ".join(parameters) or "none"
            ) from None
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                raise UsageError(f"*{name} in {self._spec.name}", "arguments that have names", "name them")
            if kind is inspect.Parameter.POSITIONAL_ONLY:
                raise UsageError(
                    f"{name} before / in {self._spec.name}", "arguments that have names", "leave the / out"
                )
            named.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        return named

    def local(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same, by a name that says so."""
        return self.body(*args, **kwargs)

    @property
    def remote(self) -> "Remote[P, R]":
        """Have a warm worker call it, and wait: ``f.remote(x)``, or ``await f.remote.aio(x)``."""
        return Remote(self._calls())

    @property
    def map(self) -> "Map[R]":
        """Have it called for each item: ``for y in f.map(items)``, or ``async for y in f.map.aio(items)``."""
        return Map(self._calls())

    @property
    def submit(self) -> "Submit":
        """Queue it durably: ``call = f.submit(x)``, or ``call = await f.submit.aio(x)``."""
        if self._desk is None:
            self._desk = Desk()
            weakref.finalize(self, self._desk.close)
        return Submit(self, self._desk)

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

    def __getstate__(self) -> dict[str, Any]:  # type: ignore[explicit-override]  # its module is slow to load
        """Without its lines to workers and to the store: those belong to this process."""
        return {**self.__dict__, "_caller": None, "_desk": None}

    def _calls(self) -> "Caller":
        """What makes direct calls; trainings have none, since they are given a run."""
        if self._spec.kind is not Kind.FUNCTION:
            raise UsageError(
                f"{self._spec.name}, a {self._spec.kind}, to be called directly",
                "a @tw.function",
                f"{self._spec.name}.submit(...).result() queues it and waits for it",
            )
        if self._caller is None:
            from tidewatt.sdk.calls import Caller  # noqa: PLC0415 - keeps `import tidewatt` light

            self._caller = Caller(self.body, self.spec)
            weakref.finalize(self, self._caller.close)
        return self._caller


def training(  # noqa: PLR0913 - each is one need of a training, given by name
    bare: None = None,
    /,
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
    secrets: Sequence[str] = (),
    budget: Budget | None = None,
    checkpoint_every: str = "10 s",
    grace: str = "30 s",
    storage: str = "",
    env: Env | None = None,
    schedule: str | Schedule | None = None,
    on: Files | None = None,
    after: Decorated | None = None,
) -> Callable[[Callable[P, R]], Handle[P, R]]:
    """Make a function that takes a ``Run`` first a training: it can be suspended, moved and resized.

    Args:
        bare: nothing; brackets that were left out would give it the function.
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
        secrets: names of secrets that its workers find in their environment, ``["HF_TOKEN"]``; what each is
            was told with ``tidewatt secrets set``.
        budget: what the job may spend.
        checkpoint_every: real time between checkpoints while it runs.
        grace: real time that it is given to leave when it is asked to; then its workers are ended, and it
            goes on from its last checkpoint.
        storage: where copies of checkpoints are kept, as a folder or a URL such as ``"s3://bucket/models"``;
            ``$TIDEWATT_STORAGE`` unless given, else this machine alone keeps them.
        env: packages and a Python of its own, ``tw.Env(requirements=[...])``; those of Tidewatt unless given.
        schedule: once deployed, when it submits jobs by itself: ``"0 3 * * *"`` in UTC, or ``tw.cron(...)``.
        on: the same for finished files, ``tw.files("inbox/*.mp4")``.
        after: the same for jobs of another function that have succeeded.

    Raises:
        UsageError: a value cannot be read, or they contradict each other.
    """
    counts = needs.workers(workers)
    spec = FunctionSpec(
        name="",
        kind=Kind.TRAINING,
        workers=counts,
        shards=counts.most if shards is None else needs.whole("shards", shards),
        exact=exact,
        cpus=needs.whole("cpus", cpus),
        memory_bytes=None if memory is None else parse_bytes(memory),
        timeout_s=None if timeout is None else parse_duration(timeout),
        retries=needs.whole("retries", retries),
        deadline_s=None if deadline is None else parse_duration(deadline),
        length_s=None if length is None else parse_duration(length),
        zones=needs.names("zones", zones),
        labels=needs.labels(labels),
        secrets=needs.names("secrets", secrets),
        budget=needs.budget(budget),
        checkpoint_every_s=parse_duration(checkpoint_every),
        grace_s=parse_duration(grace),
        storage=storage,
    )
    return _decorator(spec, cause_of(schedule=schedule, on=on, after=after), env, bare)


def function(  # noqa: PLR0913 - each is one need of a function, given by name
    bare: None = None,
    /,
    *,
    cpus: int = 1,
    memory: str | None = None,
    timeout: str | None = None,
    retries: int = 0,
    backoff: str = "1 s",
    priority: int = 0,
    concurrency: int | None = None,
    deadline: str | None = None,
    length: str | None = None,
    zones: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    budget: Budget | None = None,
    env: Env | None = None,
    schedule: str | Schedule | None = None,
    on: Files | None = None,
    after: Decorated | None = None,
) -> Callable[[Callable[P, R]], Handle[P, R]]:
    """Make an ordinary function one that can be submitted; once started it runs through.

    Args:
        bare: nothing; brackets that were left out would give it the function.
        cpus: processors for it.
        memory: upper bound, ``"1 GiB"``.
        timeout: real time that one attempt may take.
        retries: how often to try again after it raised, or its worker was lost.
        backoff: real time before the first retry, in the mean; doubled before each further one, and spread.
        priority: jobs of a higher one go first among those that wait for room and for nothing else.
        concurrency: the most workers at once for its calls, and for its jobs; as many as there is room for
            unless given.
        deadline: as a duration from submission; with ``length`` it is started in the cheapest time.
        length: declared length.
        zones: grid zones that it may run in; empty for anywhere.
        labels: what to call it by in reports, such as ``{"team": "vision", "cost_centre": "42"}``.
        secrets: names of secrets that its workers find in their environment, ``["HF_TOKEN"]``; what each is
            was told with ``tidewatt secrets set``.
        budget: what it may spend.
        env: packages and a Python of its own, ``tw.Env(requirements=[...])``; those of Tidewatt unless given.
        schedule: once deployed, when it submits jobs by itself: ``"0 3 * * *"`` in UTC, or ``tw.cron(...)``.
        on: the same for finished files, ``tw.files("inbox/*.mp4")``.
        after: the same for jobs of another function that have succeeded.

    Raises:
        UsageError: a value cannot be read.
    """
    spec = FunctionSpec(
        name="",
        kind=Kind.FUNCTION,
        cpus=needs.whole("cpus", cpus),
        memory_bytes=None if memory is None else parse_bytes(memory),
        timeout_s=None if timeout is None else parse_duration(timeout),
        retries=needs.whole("retries", retries),
        backoff_s=parse_duration(backoff),
        priority=needs.whole("priority", priority),
        concurrency=None if concurrency is None else needs.whole("concurrency", concurrency),
        deadline_s=None if deadline is None else parse_duration(deadline),
        length_s=None if length is None else parse_duration(length),
        zones=needs.names("zones", zones),
        labels=needs.labels(labels),
        secrets=needs.names("secrets", secrets),
        budget=needs.budget(budget),
    )
    return _decorator(spec, cause_of(schedule=schedule, on=on, after=after), env, bare)


def _decorator(
    spec: FunctionSpec, cause: Cause | None, env: Env | None, bare: object
) -> Callable[[Callable[P, R]], Handle[P, R]]:
    needs.check_brackets(bare, spec.kind)
    if env is not None and not hasattr(env, "read"):
        raise UsageError(f"env={env!r:.60}", "an environment", "write env=tw.Env(requirements=[...])")

    def decorate(body: Callable[P, R]) -> Handle[P, R]:
        needs.check_callable(body)
        return Handle(body, replace(spec, name=body.__name__), cause, env)

    return decorate

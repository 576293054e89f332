"""The ways to have a function called elsewhere, each to be waited for or awaited (``.aio``)."""

import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from tidewatt.domain.function import FunctionSpec
from tidewatt.domain.units import parse_duration

if TYPE_CHECKING:
    from tidewatt.sdk.calls import Caller
    from tidewatt.sdk.client import Client

P = ParamSpec("P")
R = TypeVar("R")
_OVER = object()


class Remote(Generic[P, R]):
    """A direct call, made by a warm worker now."""

    def __init__(self, caller: "Caller") -> None:
        self._caller = caller

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and return what it returns; nothing of it is kept if this process ends.

        Raises:
            TimeoutError: it took longer than its ``timeout``; its worker is ended.
            WorkerLost: its worker ended before it answered.
            UsageError: arguments or result cannot be pickled, or are too large.
            Refused: it may not run on this machine.
            Exception: whatever the function raised, its cause the traceback of the worker.
        """
        result: R = self._caller.call(args, kwargs)
        return result

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same, awaited; if the task is cancelled, the call is ended."""
        import asyncio  # noqa: PLC0415 - keeps `import tidewatt` light

        from tidewatt.sdk.awaiting import awaited  # noqa: PLC0415 - the same
        from tidewatt.sdk.lines import Stop  # noqa: PLC0415 - the same

        stop = Stop()
        try:
            result: R = await awaited(self._caller.call, args, kwargs, stop)
        except asyncio.CancelledError:
            stop.over()
            raise
        return result


class Map(Generic[R]):
    """Direct calls for many items."""

    def __init__(self, caller: "Caller") -> None:
        self._caller = caller

    def __call__(self, items: Iterable[Any], *, return_exceptions: bool = False) -> Iterator[R]:
        """Results in the order of the items, each as soon as it and all before it are there.

        Items are taken as they are needed, a few messages ahead of the results that are taken. Short calls
        travel several in a message, which is lost as a whole if its worker is.

        Args:
            items: the argument of each call; may be endless.
            return_exceptions: yield what a call raised in its place, as ``asyncio.gather`` does; else it is
                raised there, and the rest is not called.
        """
        arguments = (((item,), dict[str, Any]()) for item in items)
        return self._caller.stream(arguments, return_exceptions=return_exceptions)

    async def aio(self, items: Iterable[Any], *, return_exceptions: bool = False) -> AsyncIterator[R]:
        """The same, as an asynchronous iterator."""
        from tidewatt.sdk.awaiting import awaited  # noqa: PLC0415 - the same

        results = self(items, return_exceptions=return_exceptions)

        def following() -> object:
            return next(results, _OVER)

        while (result := await awaited(following)) is not _OVER:
            yield result  # type: ignore[misc]  # not the sentinel


class Desk:
    """A client that is kept from one submission for the next: opening a store takes longer than using it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._client: Client | None = None
        self._of: tuple[object, ...] = ()

    def client(self) -> "Client":
        """The client of this process and of the state folder and the store that the environment names."""
        from tidewatt.sdk.client import Client  # noqa: PLC0415 - keeps `import tidewatt` light

        of = (os.getpid(), *(os.environ.get(name) for name in ("TIDEWATT_HOME", "TIDEWATT_STORE")))
        with self._lock:
            if self._client is None or of != self._of:
                if self._client is not None and of[0] == self._of[0]:
                    self._client.close()
                self._client, self._of = Client(), of
            return self._client

    def close(self) -> None:
        """Let go of the store, unless it is that of another process."""
        with self._lock:
            if self._client is not None and self._of[0] == os.getpid():
                self._client.close()
            self._client = None


class _Submittable(Protocol):
    """A decorated function."""

    @property
    def spec(self) -> FunctionSpec: ...
    @property
    def body(self) -> Callable[..., Any]: ...
    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]: ...


class Submit:
    """A durable job."""

    def __init__(self, handle: _Submittable, desk: Desk) -> None:
        self._handle = handle
        self._desk = desk

    def __call__(
        self,
        *args: Any,  # noqa: ANN401 - the user's arguments
        deadline: str | None = None,
        idempotency_key: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> "Call":
        """Queue the function durably; returns as soon as the submission is on disk.

        Args:
            *args: arguments of the function, after ``run`` for a training.
            deadline: when it is to be done, as a duration from now such as ``"6 h"``.
            idempotency_key: names the submission: with a key that this function was submitted with before
                nothing is queued, and the call is the one from before, its result included.
            **kwargs: further arguments.

        Raises:
            Refused: it cannot be done in time, or not where it is allowed to be.
            UsageError: an argument does not fit, no zone is known, or the key stands for other arguments.
        """
        from tidewatt.sdk.client import Options  # noqa: PLC0415 - keeps `import tidewatt` light

        handle = self._handle
        options = Options(
            deadline_s=None if deadline is None else parse_duration(deadline), key=idempotency_key or ""
        )
        job_id = self._desk.client().submit(handle, handle.bind(args, kwargs), options)
        return Call(job_id, self._desk)

    async def aio(self, *args: Any, **kwargs: Any) -> "Call":  # noqa: ANN401 - the same
        """The same, awaited."""
        from functools import partial  # noqa: PLC0415 - the same

        from tidewatt.sdk.awaiting import awaited  # noqa: PLC0415 - the same

        return await awaited(partial(self, *args, **kwargs))


class Call:
    """One submission, wherever it is by now; ``await call`` waits for its result."""

    def __init__(self, job_id: str, desk: Desk | None = None) -> None:
        self.id = job_id
        self._desk = desk or Desk()

    def result(self, timeout: float | str | None = None) -> Any:  # noqa: ANN401 - the user's result
        """Wait until it has ended and return what the function returned.

        Args:
            timeout: how long to wait at most, in seconds or as ``"5 min"``; the job goes on after it.

        Raises:
            TimeoutError: it has not ended by then.
            JobFailed: it ended without a result, and without an exception that can be raised again.
            Exception: whatever the function raised, its cause the traceback of the worker.
        """
        timeout_s = parse_duration(timeout) if isinstance(timeout, str) else timeout
        return self._desk.client().result(self.id, timeout_s)

    def exception(self, timeout: float | str | None = None) -> Exception | None:
        """Wait until it has ended; what ``result`` would raise, or None if it has a result.

        Raises:
            TimeoutError: it has not ended by then.
        """
        try:
            self.result(timeout)
        except TimeoutError as error:
            if not self.done():
                raise
            return error
        except Exception as error:  # noqa: BLE001 - whatever the function raised
            return error
        return None

    def done(self) -> bool:
        """Whether it has ended, however."""
        from tidewatt.domain.lifecycle import ENDED  # noqa: PLC0415 - the same

        return self._desk.client().job(self.id).state in ENDED

    def cancel(self) -> None:
        """End it, wherever it is; a worker that is at it is ended."""
        self._desk.client().cancel(self.id)

    def __await__(self) -> Generator[Any, None, Any]:
        """Its result, awaited; if the task is cancelled, the job goes on."""
        return self._awaited().__await__()

    async def _awaited(self) -> Any:  # noqa: ANN401 - the user's result
        from tidewatt.sdk.awaiting import awaited  # noqa: PLC0415 - the same

        over = Event()
        try:
            return await awaited(lambda: self._desk.client().result(self.id, given_up=over.is_set))
        finally:
            over.set()

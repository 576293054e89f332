"""Direct calls of a function: not durable, and therefore fast."""

from collections.abc import Callable, Iterable, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any

from tidewatt.domain.function import FunctionSpec
from tidewatt.errors import Refused, UsageError
from tidewatt.policy.backoff import delay_s
from tidewatt.runtime.faults import unpacked
from tidewatt.sdk.lines import Arguments, Stop, Switchboard, pickled
from tidewatt.sdk.window import Window

if TYPE_CHECKING:
    from tidewatt.runtime.warm import Outcome


class Caller:
    """Makes the direct calls of one function, with its retries and its time-out."""

    def __init__(self, body: Callable[..., Any], spec: FunctionSpec) -> None:
        self._spec = spec
        self._board = Switchboard(body, spec)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], stop: Stop | None = None) -> Any:  # noqa: ANN401 - the user's
        """Call, and again after a failure as often as the function says."""
        return self._tried(pickled([(args, kwargs)], self._spec.name), 0, stop)

    def stream(self, items: Iterable[Arguments], *, return_exceptions: bool) -> Iterator[Any]:
        """Call for each item; results in order, as soon as they are there."""
        window = Window(self._board, self._spec, iter(items))
        try:
            for arguments, outcome in window.run():
                try:
                    result = self._settled(arguments, outcome)
                except Exception as error:
                    if not return_exceptions:
                        raise
                    result = error
                yield result
        finally:
            window.close()

    def close(self) -> None:
        """Hang up every line."""
        self._board.close()

    def _settled(self, arguments: Arguments, outcome: "Outcome | Exception") -> Any:  # noqa: ANN401 - the user's
        """The result of one call that was made, after as many further tries as the function says."""
        try:
            return self._result(outcome)
        except Exception:
            if not self._spec.retries:
                raise
        return self._tried(pickled([arguments], self._spec.name), 1, None)

    def _tried(self, sent: bytes, failures: int, stop: Stop | None) -> Any:  # noqa: ANN401 - the user's
        while True:
            if failures:
                Event().wait(delay_s(failures, self._spec.backoff_s, self._spec.name))
            try:
                return self._result(self._board.call(sent, self._spec.timeout_s, stop)[0])
            except (UsageError, Refused):
                raise
            except Exception:
                failures += 1
                if failures > self._spec.retries or (stop is not None and stop.is_over):
                    raise

    def _result(self, outcome: "Outcome | Exception") -> Any:  # noqa: ANN401 - the user's
        if isinstance(outcome, Exception):
            raise outcome
        returned, value = outcome
        if returned:
            return value
        raise unpacked(value, f"a call of {self._spec.name} that failed")

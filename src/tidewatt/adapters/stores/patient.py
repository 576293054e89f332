"""A store that waits: for room on its disk, and for whoever else has it locked."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tidewatt.adapters.stores.sql import SqlStore
from tidewatt.errors import StoreUnavailable
from tidewatt.ports import Store

P = ParamSpec("P")
R = TypeVar("R")


class Outage(Protocol):
    """A time in which the store cannot be used."""

    def pause(self, error: StoreUnavailable) -> None:
        """Wait a moment before the next try."""
        ...

    def over(self) -> None:
        """A try has succeeded."""
        ...


def patient(store: SqlStore, outage: Outage) -> Store:
    """The same store, whose methods wait rather than fail while it cannot be used for now.

    Every method is one transaction, and one that was refused has changed nothing: doing it again is the same
    as doing it once.
    """
    return cast("Store", _Patient(store, outage))


def patiently(call: Callable[P, R], outage: Outage) -> Callable[P, R]:
    """The same call, made again for as long as it finds the store to be of no use."""

    @wraps(call)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        waited = False
        while True:
            try:
                found = call(*args, **kwargs)
            except StoreUnavailable as error:
                waited = True
                outage.pause(error)
            else:
                break
        if waited:
            outage.over()
        return found

    return again


class _Patient:
    def __init__(self, store: SqlStore, outage: Outage) -> None:
        self._store = store
        self._made = partial(patiently, outage=outage)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - each method of a store
        asked = getattr(self._store, name)
        found = self._made(asked) if callable(asked) else asked
        setattr(self, name, found)
        return found

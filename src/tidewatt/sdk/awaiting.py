"""Awaiting what blocks, on threads of its own: those of an event loop are few, and there for other things."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any, TypeVar

R = TypeVar("R")
_MOST = 256
"""Of what is awaited at once; what is beyond that begins to wait when something else has come."""


async def awaited(call: Callable[..., R], *args: Any) -> R:  # noqa: ANN401 - those of the call
    """What a call returns or raises, made in another thread with the context of this one."""
    made = partial(copy_context().run, _awaitable, call, *args)
    return await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), made)


def _awaitable(call: Callable[..., R], *args: Any) -> R:  # noqa: ANN401 - the same
    """The same, but for the one exception that no future takes, and never ends for."""
    try:
        return call(*args)
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration, which cannot be awaited") from error


@lru_cache(maxsize=1)
def _threads(_process: int) -> ThreadPoolExecutor:
    """Those of this process: a fork has none of its parent's."""
    return ThreadPoolExecutor(_MOST, "tidewatt-awaiting")

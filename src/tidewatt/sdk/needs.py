"""What a decorator is given: read where it stands, and refused in words where it cannot be what was meant."""

import inspect
from collections.abc import Iterable, Mapping
from typing import cast

from tidewatt.domain.budget import Budget
from tidewatt.domain.function import WorkerRange
from tidewatt.errors import UsageError


def check_brackets(body: object, decorator: str) -> None:
    """Refuse a decorator that stands without its brackets, and is given the function itself.

    Raises:
        UsageError: it is.
    """
    if body is not None:
        name = getattr(body, "__name__", repr(body))
        raise UsageError(
            f"@tw.{decorator} without brackets before {name}",
            f"@tw.{decorator}()",
            "what it needs goes in there",
        )


def check_callable(body: object) -> None:
    """Refuse what cannot be called by its name to return one result.

    Raises:
        UsageError: it has no name, is asynchronous, or yields.
    """
    name = getattr(body, "__name__", "")
    if not callable(body) or not name:
        raise UsageError(f"{body!r:.60} decorated", "a function that has a name", "write def f(...): ...")
    if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        raise UsageError(
            f"async def {name}", "a plain def", "have it call asyncio.run(...) itself; callers await its .aio"
        )
    if inspect.isgeneratorfunction(body):
        raise UsageError(
            f"{name}, which yields", "a function that returns its result", "return a list of what it yields"
        )


def whole(name: str, given: object) -> int:
    """A count.

    Raises:
        UsageError: it is not a whole number.
    """
    if not isinstance(given, int) or isinstance(given, bool):
        raise UsageError(f"{name}={given!r}", "a whole number", f"for example {name}=2")
    return given


def workers(given: object) -> WorkerRange:
    """The least and the most workers, of one count or of two.

    Raises:
        UsageError: it is neither.
    """
    match given:
        case int():
            return WorkerRange(given, given)
        case (int(least), int(most)):
            return WorkerRange(least, most)
        case _:
            raise UsageError(f"workers={given!r}", "a count, or the least and the most", "workers=(1, 4)")


def names(name: str, given: object) -> tuple[str, ...]:
    """Several names; a text alone would be taken letter by letter.

    Raises:
        UsageError: it is a text alone, or holds something else than texts.
    """
    if isinstance(given, str):
        raise UsageError(f"{name}={given!r}", "a list", f"write {name}=[{given!r}]")
    each = tuple(cast("Iterable[object]", given)) if isinstance(given, Iterable) else (given,)
    texts = tuple(one for one in each if isinstance(one, str))
    if len(texts) < len(each):
        raise UsageError(f"{name}={given!r}", "a list of texts", f'for example {name}=["..."]')
    return texts


def labels(given: object) -> tuple[tuple[str, str], ...]:
    """What to call it by in reports.

    Raises:
        UsageError: it is not a text for each text.
    """
    pairs = list(cast("Mapping[object, object]", given).items()) if isinstance(given, Mapping) else []
    texts = tuple((key, text) for key, text in pairs if isinstance(key, str) and isinstance(text, str))
    if (given is not None and not isinstance(given, Mapping)) or len(texts) < len(pairs):
        raise UsageError(f"labels={given!r}", "a text for each text", 'for example labels={"team": "vision"}')
    return texts


def budget(given: object) -> Budget | None:
    """What it may spend.

    Raises:
        UsageError: it is not a budget.
    """
    if given is not None and not isinstance(given, Budget):
        raise UsageError(f"budget={given!r}", "a budget", 'for example budget=tw.Budget(carbon="2 kg")')
    return given

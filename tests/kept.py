"""How much our objects keep, for tests of what must not grow with the jobs that have ended."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from types import FunctionType, MethodType

_CONTAINERS = (dict, list, set, frozenset, tuple, deque, bytes, bytearray)


def sizes(root: object, apart: Collection[object] = ()) -> Counter[str]:
    """How many entries lie in the containers that an object leads to, summed by the way to them.

    It goes through objects of our own, containers and what functions have closed over, but not through what
    is ``apart``. A way is told by attributes, so that it is the same for each entry of a container.
    """
    found: Counter[str] = Counter()
    seen = {id(each) for each in apart}
    ahead: list[tuple[str, object]] = [(type(root).__name__, root)]
    while ahead:
        way, here = ahead.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, _CONTAINERS):
            found[way] += len(here)
        ahead += [(way + step, there) for step, there in _steps(here)]
    return found


def _steps(here: object) -> Iterator[tuple[str, object]]:
    """What an object leads to, and how."""
    if isinstance(here, dict):
        yield from ((".keys", key) for key in here)
        yield from ((".values", value) for value in here.values())
    elif isinstance(here, list | set | frozenset | tuple | deque):
        yield from (("[]", each) for each in here)
    elif isinstance(here, MethodType):
        yield "", here.__self__
    elif isinstance(here, FunctionType):
        yield from ((f"<{here.__name__}>", cell.cell_contents) for cell in here.__closure__ or ())
    elif type(here).__module__.startswith("tidewatt."):
        yield from ((f".{name}", value) for name, value in _attributes(here))


def _attributes(here: object) -> Iterator[tuple[str, object]]:
    yield from getattr(here, "__dict__", {}).items()
    for kind in type(here).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(here, name):
                yield name, getattr(here, name)

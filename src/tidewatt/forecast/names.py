"""The methods of forecasting by name."""

from collections.abc import Callable

from tidewatt.errors import UsageError
from tidewatt.forecast.blend import Blend
from tidewatt.forecast.boosting import Boosting
from tidewatt.forecast.hourly import Hourly
from tidewatt.forecast.persistence import Persistence
from tidewatt.forecast.series import Method

DEFAULT = "hourly"
METHODS: dict[str, Callable[[], Method]] = {
    DEFAULT: Hourly,
    "persistence": Persistence,
    "boosting": Boosting,
    "blend": lambda: Blend((Hourly(), Boosting())),
}


def named(name: str) -> Method:
    """A new method of that name; it keeps what it learns.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"forecast {name!r}", f"one of {', '.join(METHODS)}", "name one of these")
    return METHODS[name]()

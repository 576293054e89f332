"""What the environment says of how to plan, and where this machine is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tidewatt.accounting.stall import SHARE
from tidewatt.adapters.budgetfile import BudgetFile
from tidewatt.domain.objective import Objective, parse
from tidewatt.domain.signal import Series
from tidewatt.domain.units import parse_bytes
from tidewatt.errors import UsageError
from tidewatt.ports import Grid

if TYPE_CHECKING:
    from tidewatt.control.foresight import Foresight
    from tidewatt.policy.idle.names import AtPrice
    from tidewatt.policy.names import Policy

_CALL_LIMIT = "2 GiB"
_LOG_LIMIT = "20 MB"
_LEAST_LOG = 1 << 16
_SPILL = "64 KiB"
"""Two such messages fit into a Unix socket, so that both ends may write before they read."""


def policy() -> "Policy":
    """The policy that ``$TIDEWATT_POLICY`` names, or the default.

    Raises:
        UsageError: there is none of that name.
    """
    from tidewatt.policy.names import DEFAULT, named  # noqa: PLC0415 - numpy is slow to load, and commands that only look need none

    return named(os.environ.get("TIDEWATT_POLICY") or DEFAULT)


def idle_policy() -> "AtPrice | None":
    """The idle policy that ``$TIDEWATT_IDLE`` names, or the default.

    None where it says nothing and ``$TIDEWATT_LINGER_S`` does: whoever names a time means that time.

    Raises:
        UsageError: there is none of that name.
    """
    from tidewatt.policy.idle.names import DEFAULT, named  # noqa: PLC0415 - the same

    asked = os.environ.get("TIDEWATT_IDLE")
    if not asked and os.environ.get("TIDEWATT_LINGER_S"):
        return None
    return named(asked or DEFAULT)


def objective() -> Objective:
    """What ``$TIDEWATT_OBJECTIVE`` asks plans to make small; carbon if it says nothing.

    Raises:
        UsageError: it is no objective.
    """
    return parse(os.environ.get("TIDEWATT_OBJECTIVE") or "carbon")


def foresight(grid: Grid) -> "Foresight":
    """Forecasts by the method that ``$TIDEWATT_FORECAST`` names, or the default.

    Raises:
        UsageError: there is none of that name.
    """
    from tidewatt.control.foresight import by  # noqa: PLC0415 - the same
    from tidewatt.forecast.names import DEFAULT, named  # noqa: PLC0415 - the same

    return by(named(os.environ.get("TIDEWATT_FORECAST") or DEFAULT), grid)


def tariffs(prices: Grid) -> "Foresight":
    """What electricity will cost: day-ahead prices, and from there on the method for carbon."""
    from tidewatt.control.foresight import day_ahead  # noqa: PLC0415 - the same
    from tidewatt.forecast.names import DEFAULT, named  # noqa: PLC0415 - the same

    return day_ahead(named(os.environ.get("TIDEWATT_FORECAST") or DEFAULT), prices)


_SERIES = {
    Series.MARGINAL: "TIDEWATT_MARGINAL",
    Series.PRICE: "TIDEWATT_PRICES",
    Series.PUE: "TIDEWATT_PUE",
}


def series() -> dict[Series, str]:
    """The files of hours that the environment names."""
    return {each: name for each, key in _SERIES.items() if (name := os.environ.get(key))}


def environment() -> dict[str, str]:
    """The environment for a supervisor, which runs elsewhere: files are named in full."""
    keys = (*_SERIES.values(), "TIDEWATT_FACTORS", "TIDEWATT_BUDGET")
    files = {key: str(Path(name).absolute()) for key in keys if (name := os.environ.get(key))}
    return {**os.environ, **files}


def storage() -> str:
    """Where ``$TIDEWATT_STORAGE`` wants copies of checkpoints; empty if it says nothing."""
    return os.environ.get("TIDEWATT_STORAGE", "")


def stall_share() -> float:
    """The share of its processors below which ``$TIDEWATT_STALL_SHARE`` has a worker be stalled.

    Raises:
        UsageError: it is no share.
    """
    text = os.environ.get("TIDEWATT_STALL_SHARE") or str(SHARE)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"TIDEWATT_STALL_SHARE={text}", "a share from 0 to 1, such as 0.05")
    return share


def budgets(folder: Path) -> BudgetFile:
    """The budgets in force: in the file that ``$TIDEWATT_BUDGET`` names, else in the state folder's own."""
    named = os.environ.get("TIDEWATT_BUDGET")
    path = Path(named).absolute() if named else folder / "budget.toml"
    return BudgetFile(path, required=bool(named))


def meter_log() -> Path | None:
    """The log of a power meter that ``$TIDEWATT_METER_LOG`` names to be played, if it does.

    Raises:
        UsageError: it is not given whole; whoever reads it may stand in another folder.
    """
    named = os.environ.get("TIDEWATT_METER_LOG")
    if named and not Path(named).is_absolute():
        raise UsageError(f"TIDEWATT_METER_LOG={named}", "a whole path", f"set it to {Path(named).absolute()}")
    return Path(named) if named else None


def call_limit_bytes() -> int:
    """The most that ``$TIDEWATT_CALL_LIMIT`` lets the arguments or the results of calls be, as one pickle.

    Raises:
        UsageError: it is no size.
    """
    return parse_bytes(os.environ.get("TIDEWATT_CALL_LIMIT") or _CALL_LIMIT)


def spill_bytes() -> int:
    """From how many bytes on they go by a file, as ``$TIDEWATT_SPILL`` says it.

    Raises:
        UsageError: it is no size.
    """
    return parse_bytes(os.environ.get("TIDEWATT_SPILL") or _SPILL)


def log_limit_bytes() -> int:
    """How much of each log ``$TIDEWATT_LOG_LIMIT`` lets stay on disk before its older half is dropped.

    Raises:
        UsageError: it is no size, or too small for a log to tell anything.
    """
    text = os.environ.get("TIDEWATT_LOG_LIMIT") or _LOG_LIMIT
    limit = parse_bytes(text)
    if limit < _LEAST_LOG:
        raise UsageError(f"TIDEWATT_LOG_LIMIT={text}", "64 KiB or more")
    return limit


def zone() -> str | None:
    """The zone that ``$TIDEWATT_ZONE`` names, if it does."""
    return os.environ.get("TIDEWATT_ZONE") or None


def no_zone() -> UsageError:
    """The refusal of what needs a zone and was told none."""
    return UsageError(
        "no grid zone",
        "to know where the run will be",
        "add --zone, for example --zone DE, or set TIDEWATT_ZONE (`tidewatt grid` lists the zones)",
    )

"""Works out what another method of accounting would have said of a job."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tidewatt.accounting.factors import Impact
from tidewatt.report.contents import Impacts
from tidewatt.report.receipt import build
from tidewatt.report.record import Record

_FIGURES: tuple[tuple[str, Callable[[Impacts], Impact | None]], ...] = (
    ("operational_gco2e", lambda impacts: impacts.operational),
    ("embodied_gco2e", lambda impacts: impacts.embodied),
    ("water_l", lambda impacts: impacts.water),
    ("cost_usd", lambda impacts: impacts.cost),
)


@dataclass(frozen=True, slots=True)
class Restated:
    """One figure of a job by two methods; None is not known, and ``change`` is in the unit of both."""

    job_id: str
    name: str
    now: Impact | None
    then: Impact | None

    @property
    def change(self) -> float | None:
        """What the other method says more than the present one."""
        if self.now is None or self.then is None:
            return None
        return self.then.amount.value - self.now.amount.value


def restate(record: Record, method: int) -> tuple[Restated, ...]:
    """Every figure of a job by the present method and by another.

    Raises:
        UsageError: there is no method of that number.
    """
    other = replace(record, conditions=record.conditions.by_method(method))
    now, then = build(record).impacts, build(other).impacts
    return tuple(Restated(record.job.id, name, of(now), of(then)) for name, of in _FIGURES)

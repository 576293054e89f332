"""Saves readings with their allocations, and reads them one by one."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from tidewatt.adapters.stores import rows
from tidewatt.adapters.stores.tables import allocations, readings
from tidewatt.domain.ledger import Allocation, EnergyReading, LedgerEntry
from tidewatt.errors import TidewattError


def check_sum(reading: EnergyReading, shares: Sequence[Allocation]) -> None:
    """Refuse allocations that do not sum to their reading.

    Raises:
        TidewattError: they do not, in microjoules.
    """
    allocated_uj = sum(share.energy_uj for share in shares)
    if allocated_uj != reading.energy_uj:
        raise TidewattError(
            f"allocations of {allocated_uj} µJ", f"{reading.energy_uj} µJ, all that {reading.meter} read"
        )


def save(connection: Connection, reading: EnergyReading, shares: Sequence[Allocation]) -> None:
    """Save a reading and its allocations."""
    statement = insert(readings).values(rows.reading_values(reading))
    reading_id: int = connection.execute(statement.returning(readings.c.id)).scalar_one()
    values = [rows.allocation_values(share, reading_id) for share in shares]
    if values:
        connection.execute(insert(allocations), values)


def entries(connection: Connection, job_id: str | None) -> list[LedgerEntry]:
    """Entries of one job, or all of the node, in the order recorded."""
    of_shares = select(allocations).order_by(allocations.c.id)
    of_readings = select(readings)
    if job_id is not None:
        of_shares = of_shares.where(allocations.c.job_id == job_id)
        mine = select(allocations.c.reading_id).where(allocations.c.job_id == job_id)
        of_readings = of_readings.where(readings.c.id.in_(mine))
    # Shares first: where a reading is saved in between, it is then read along with all the others.
    found = connection.execute(of_shares).mappings().all()
    known = {row["id"]: rows.energy_reading_of(row) for row in connection.execute(of_readings).mappings()}
    return [rows.ledger_entry_of(share, known[share["reading_id"]]) for share in found]

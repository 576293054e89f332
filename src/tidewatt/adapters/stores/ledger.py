"""Saves readings with their allocations, and reads them one by one."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from tidewatt.adapters.stores import rows, tables
from tidewatt.adapters.stores.balances import PAGE, close_page
from tidewatt.adapters.stores.database import Database
from tidewatt.adapters.stores.prepared import drive, drive_all
from tidewatt.adapters.stores.tables import allocations, readings
from tidewatt.domain.ledger import Charge, LedgerEntry, check_sum


class Writer:
    """Saves readings with their allocations, and sums a page of them whenever one is full."""

    def __init__(self, database: Database) -> None:
        self._add_reading = database.insertion(tables.readings, rows.READING, returning="id")
        self._add_allocation = database.insertion(tables.allocations, rows.ALLOCATION)
        self._unpaged = 0
        """Readings saved since a page was closed last, as far as this process knows."""

    def save(self, connection: Connection, charges: Sequence[Charge]) -> None:
        """Save them all.

        Raises:
            TidewattError: the allocations of one do not sum to it, in microjoules; none is saved.
        """
        for charge in charges:
            check_sum(*charge)
        shares: list[tuple[object, ...]] = []
        for reading, of_reading in charges:
            values = rows.reading_row(reading)
            reading_id: int = drive(connection, self._add_reading, values).fetchone()[0]
            shares += [rows.allocation_row(allocation, reading_id) for allocation in of_reading]
        if shares:
            drive_all(connection, self._add_allocation, shares)
        self._unpaged += len(charges)
        if self._unpaged >= PAGE:
            close_page(connection)
            self._unpaged = 0


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

"""Statements that go straight to the driver come to the same as by the library."""

from collections.abc import Iterator
from enum import StrEnum

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Enum,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from tidewatt.adapters.stores.prepared import Prepared, drive
from tidewatt.adapters.stores.tables import Json, Words


class Colour(StrEnum):
    """What a boat is painted in."""

    RED = "red"
    BLUE = "blue"


BOATS = Table(
    "boats",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("colour", Enum(Colour, native_enum=False)),
    Column("crew", Json(list[str])),
    Column("length", Double),
    Column("said", Words),
)
COLUMNS = [column.name for column in BOATS.columns if column.name != "id"]
ADD = Prepared(insert(BOATS).returning(*BOATS.c), COLUMNS)
RED = Prepared(select(BOATS).where(BOATS.c.colour == Colour.RED, BOATS.c.length > bindparam("length")))
PAINT = Prepared(
    update(BOATS)
    .where(BOATS.c.name == bindparam("boat"))
    .values(colour=bindparam("colour"))
    .returning(*BOATS.c)
)
DORY = {
    "name": "Dory",
    "colour": Colour.RED,
    "crew": ["Ann", "Bo"],
    "length": 4.5,
    "said": "a\0b",
}


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        BOATS.create(connection)
        yield connection
    engine.dispose()


def test_rows_are_those_of_the_library(connection: Connection) -> None:
    added = ADD.first(connection, **DORY)
    by_library = [dict(row) for row in connection.execute(select(BOATS)).mappings()]
    assert [added] == by_library == RED.all(connection, length=4.0)
    assert by_library == [{**DORY, "id": 1, "said": "a\\x00b"}]
    assert RED.first(connection, length=5.0) is None


def test_values_of_an_update_are_handed_over_as_its_columns_want(connection: Connection) -> None:
    ADD.first(connection, **DORY)
    painted = PAINT.first(connection, boat="Dory", colour=Colour.BLUE)
    assert painted is not None
    assert painted["colour"] is Colour.BLUE
    assert RED.all(connection, length=0.0) == []


def test_a_value_that_is_missing_is_not_taken_for_nothing(connection: Connection) -> None:
    with pytest.raises(KeyError, match="length"):
        RED.all(connection)


def test_what_the_driver_refuses_is_told_as_the_library_tells_it(connection: Connection) -> None:
    ADD.first(connection, **DORY)
    with pytest.raises(IntegrityError, match=r"boats\.name"):
        ADD.first(connection, **DORY)
    with pytest.raises(OperationalError, match="no such table"):
        drive(connection, "SELECT * FROM ships")

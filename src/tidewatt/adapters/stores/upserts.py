"""Statements that replace a row or add it, in the SQL that both databases share and SQLAlchemy lacks."""

from sqlalchemy import bindparam, text

from tidewatt.adapters.stores import tables

KEEP_BETTER_READING = text(
    """
    INSERT INTO signals (grid, zone, observed_at, value, low, high, source, quality)
    VALUES (:grid, :zone, :observed_at, :value, :low, :high, :source, :quality)
    ON CONFLICT (grid, zone, observed_at) DO UPDATE
    SET value = excluded.value, low = excluded.low, high = excluded.high,
        source = excluded.source, quality = excluded.quality
    WHERE CASE excluded.quality WHEN 'measured' THEN 2 WHEN 'modelled' THEN 1 ELSE 0 END
       >= CASE signals.quality WHEN 'measured' THEN 2 WHEN 'modelled' THEN 1 ELSE 0 END
    """
)
"""Keep a reading of a grid, unless a better one is kept of the same hour."""

KEEP_WORLD = text(
    """
    INSERT INTO world (id, world) VALUES (1, :world)
    ON CONFLICT (id) DO UPDATE SET world = excluded.world
    """
).bindparams(bindparam("world", type_=tables.world.c.world.type))
"""Keep the one world of a store."""

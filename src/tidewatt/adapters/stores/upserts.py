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

CLAIM_OCCASION = text(
    """
    INSERT INTO occasions (trigger_name, key, said, wall, job_id, refused)
    VALUES (:trigger, :key, :said, :wall, :job_id, :refused)
    ON CONFLICT (trigger_name, key) DO UPDATE
    SET wall = excluded.wall, job_id = excluded.job_id, refused = excluded.refused
    WHERE occasions.job_id IS NULL AND occasions.refused = ''
    """
).bindparams(bindparam("said", type_=tables.Words()), bindparam("refused", type_=tables.Words()))
"""Give an occasion its job or its refusal, unless it has one; the count of rows tells which."""

NOTE_OCCASION = text(
    """
    INSERT INTO occasions (trigger_name, key, said, wall, job_id, refused)
    VALUES (:trigger, :key, :said, :wall, NULL, '')
    ON CONFLICT (trigger_name, key) DO NOTHING
    """
).bindparams(bindparam("said", type_=tables.Words()))
"""Let an occasion wait for its job, unless it is known."""

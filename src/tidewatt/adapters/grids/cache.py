"""Keeps the ended hours of a grid on disk, so that a source that fails does not take the past with it."""

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tidewatt.adapters.grids.hours import RANGES, whole_hours
from tidewatt.domain.signal import Quality, Reading, Signal
from tidewatt.domain.units import DAY_S, HOUR_S
from tidewatt.errors import SignalMissing, UsageError
from tidewatt.ports import Clock, Grid

SETTLED_S = 2 * DAY_S
"""Hours that ended longer ago than this when they were asked for are not asked for again."""


class _Kept(msgspec.Struct, frozen=True):
    """An hour as the source gave it at ``asked_at``; without a value, the source had none."""

    asked_at: float
    value: float | None = None
    low: float = 0.0
    high: float = 0.0
    quality: Quality = Quality.FILLED


_Month = dict[int, _Kept]
"""Kept hours by their start, UTC seconds."""


class CachedGrid:
    """A Grid that asks another one only for hours not yet settled, and serves what is kept when that fails.

    A measured hour is settled once it is kept; another, or an absent one, when it was last asked for two
    days after its end. If the source fails, kept hours that are not settled are served as filled, with a
    range at least that wide, and hours never seen stay absent.

    Args:
        source: the grid to keep.
        folder: where its files go: one for each grid, zone and month, readable by the user alone.
        clock: tells which hours have ended, by the real instant.
        forgiving: whether to go on with what is kept when the source refuses, too: a supervisor must.
    """

    def __init__(self, source: Grid, folder: Path, clock: Clock, *, forgiving: bool = False) -> None:
        self._source = source
        self._folder = folder / _file_name(source.name)
        self._clock = clock
        self._faults = (SignalMissing, UsageError) if forgiving else (SignalMissing,)
        self.failure = ""
        """Why the last answer came from disk alone; empty when the source answered or was not needed."""

    @property
    def name(self) -> str:
        """The name of the source: what is kept is its data."""
        return self._source.name

    def zones(self) -> tuple[str, ...]:
        """Every zone of the source; those with kept hours if it fails."""
        try:
            return self._source.zones()
        except self._faults as error:
            self.failure = str(error)
            return tuple(sorted(_spoken(p.name) for p in self._folder.glob("*") if p.is_dir()))

    def signal(self, zone: str, start_at: float, end_at: float) -> Signal:
        """The hours that overlap the interval, gCO2e/kWh; hours neither kept nor answered are absent.

        Raises:
            UsageError: the zone is unknown, or the source refuses the credentials, unless ``forgiving``.
        """
        first, last = whole_hours(start_at, end_at)
        kept = self._load(zone, first, last)
        hours = range(int(first), int(last), int(HOUR_S))
        open_hours = [at for at in hours if at not in kept or not _settled(at, kept[at])]
        self.failure = ""
        fresh: dict[int, Reading] = {}
        if open_hours:
            try:
                answer = self._source.signal(zone, open_hours[0], open_hours[-1] + HOUR_S)
            except self._faults as error:
                self.failure = str(error)
            else:
                fresh = {int(reading.observed_at): reading for reading in answer.readings}
                self._keep(zone, open_hours, fresh)
        served = (fresh.get(at) or self._kept(at, kept.get(at)) for at in hours)
        return Signal(zone, tuple(reading for reading in served if reading is not None))

    def _kept(self, at: int, kept: _Kept | None) -> Reading | None:
        if kept is None or kept.value is None:
            return None
        reading = Reading(float(at), kept.value, kept.low, kept.high, self.name, kept.quality)
        return reading if _settled(at, kept) else _stale(reading)

    def _keep(self, zone: str, asked: list[int], fresh: dict[int, Reading]) -> None:
        now = self._clock.wall()
        months: dict[str, _Month] = {}
        for at in asked:
            reading = fresh.get(at)
            if at + HOUR_S > now:
                continue
            kept = _Kept(now)
            if reading is not None:
                kept = _Kept(now, reading.value, reading.low, reading.high, reading.quality)
            elif not _settled(at, kept):
                continue
            months.setdefault(_month(at), {})[at] = kept
        for month, new in months.items():
            path = self._path(zone, month)
            # A disk that is full costs the copy, not the answer.
            with suppress(OSError):
                _write(path, {**_read(path), **new})

    def _load(self, zone: str, first: float, last: float) -> _Month:
        months = dict.fromkeys(_month(at) for at in range(int(first), int(last), int(HOUR_S)))
        return {at: kept for month in months for at, kept in _read(self._path(zone, month)).items()}

    def _path(self, zone: str, month: str) -> Path:
        return self._folder / _file_name(zone) / f"{month}.json"


def _settled(at: int, kept: _Kept) -> bool:
    measured = kept.value is not None and kept.quality is Quality.MEASURED
    return measured or kept.asked_at >= at + HOUR_S + SETTLED_S


def _stale(reading: Reading) -> Reading:
    width = RANGES[Quality.FILLED]
    return replace(
        reading,
        low=min(reading.low, reading.value * (1 - width)),
        high=max(reading.high, reading.value * (1 + width)),
        quality=Quality.FILLED,
    )


def _month(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m}"


def _file_name(text: str) -> str:
    """A name that is safe in every file system, and the same for no two zones of a source."""
    return re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", text)


def _spoken(file_name: str) -> str:
    """What a file name stands for."""
    return re.sub(r"_([0-9a-f]+)_", lambda found: chr(int(found[1], 16)), file_name)


def _read(path: Path) -> _Month:
    """Kept hours; a file that is absent or damaged keeps none, since the source can give them again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Month)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _write(path: Path, month: _Month) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(month))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)

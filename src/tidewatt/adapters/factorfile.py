"""Reads factors from a TOML file: what is known better of a site than published figures tell."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from tidewatt.accounting.factors import DEFAULTS, KINDS, OWN, UNITS, Factor, Factors
from tidewatt.errors import UsageError

_FIELDS = ("id", "value", "low", "high", "unit", "source", "valid", "licence")
_WANTED = "id, value and source, and low, high, valid and licence if they are known"


def read_factors(path: Path) -> Factors:
    """The defaults, with those of the file in place of them.

    ``[pue]`` is a factor for every zone, ``[ewif.DE]`` one for a zone.

    Raises:
        UsageError: the file cannot be read, or names what there is no factor for, in another unit, or with a
            range that does not hold its value.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}, which cannot be read ({error.strerror})", "a file of factors") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", "factors as TOML") from error
    general: dict[str, Factor] = {}
    local: dict[tuple[str, str], Factor] = {}
    for kind, table in tables.items():
        if kind not in KINDS:
            close = get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean [{close[0]}]?" if close else ""
            raise UsageError(f"[{kind}] in {path.name}", f"one of {', '.join(KINDS)}", hint)
        for where, values in _tables(kind, table, path):
            factor = _factor(kind, where, values, path)
            if where == kind:
                general[kind] = factor
            else:
                local[kind, where.removeprefix(f"{kind}.")] = factor
    return replace(DEFAULTS, **general, local=local)


def _tables(kind: str, table: object, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """The table of a kind, or those of its zones, each with its heading."""
    if not isinstance(table, dict) or not table:
        raise UsageError(f"{kind} = {table!r} in {path.name}", f"a table [{kind}] with {_WANTED}")
    values = cast(dict[str, Any], table)
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    found: list[tuple[str, Mapping[str, Any]]] = [(kind, plain)] if plain else []
    return found + [(f"{kind}.{zone}", values[zone]) for zone in values if zone not in plain]


def _factor(kind: str, where: str, values: Mapping[str, Any], path: Path) -> Factor:
    place = f"[{where}] in {path.name}"
    if unknown := [key for key in values if key not in _FIELDS]:
        raise UsageError(f"{unknown[0]} in {place}", f"one of {', '.join(_FIELDS)}")
    if missing := [key for key in ("id", "value", "source") if key not in values]:
        raise UsageError(f"{place} without {missing[0]}", _WANTED)
    unit = UNITS[kind]
    if values.get("unit", unit) != unit:
        raise UsageError(f"unit = {values['unit']!r} in {place}", f"{unit!r}")
    value, low, high = (
        _number(values.get(key, values["value"]), key, place) for key in ("value", "low", "high")
    )
    if not low <= value <= high:
        raise UsageError(f"{value:g} with a range of {low:g} to {high:g} in {place}", "a range that holds it")
    if kind == "pue" and low < 1:
        raise UsageError(f"a PUE of {low:g} in {place}", "1 or more: a site draws what its machines draw")
    if kind == "lifespan" and low <= 0:
        raise UsageError(f"a lifespan of {low:g} h in {place}", "more than 0 h")
    told = {key: str(values.get(key, "")) for key in ("id", "source", "valid")}
    return Factor(
        told["id"],
        value,
        low,
        high,
        unit,
        told["source"],
        told["valid"] or "not told",
        str(values.get("licence", OWN)),
    )


def _number(value: object, key: str, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError(f"{key} = {value!r} in {place}", "a number of 0 or more")
    return float(value)

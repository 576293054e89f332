"""Lists and removes environments for the commands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from tidewatt import wiring
from tidewatt.cli import words
from tidewatt.domain.units import format_duration, format_quantity, parse_duration
from tidewatt.errors import UsageError

if TYPE_CHECKING:
    from tidewatt.adapters.environments.cache import Kept

_LEFT = 3
_HALF_BUILT = "not built to its end"


def show_environments(*, json: bool) -> None:
    """Print what was built."""
    kept = wiring.environments().all()
    if json:
        words.print_json([_values(each) for each in kept])
        return
    screen = words.screen()
    if not kept:
        screen.print(
            "No environments; the first submission of a function with env=tw.Env(...) builds its own."
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("Environment", "Holds", "Python", "Size", "Last used"):
        table.add_column(heading, justify="right" if heading == "Size" else "left")
    for each in kept:
        table.add_row(
            Text(each.name, "bold"), words.printable(_told(each)), _python(each), _size(each), _last(each)
        )
    screen.print(table)


def findings() -> list[tuple[str, str, str]]:
    """A line for each, for the health of a machine."""
    return [
        ("environment", "ok", f"{each.name}: {_told(each)}; {_size(each)}, {_last(each)}")
        for each in wiring.environments().all()
    ]


def remove(names: Sequence[str], unused: str | None) -> int:
    """Remove those named, and those unused for so long; 3 if one was left since it is in use.

    Raises:
        UsageError: nothing is said to be removed, or no environment or more than one is meant by a name.
    """
    if not names and unused is None:
        raise UsageError("nothing to be removed", "a name, or --unused TIME", "for example --unused 30d")
    kept = wiring.environments().all()
    chosen = [_meant(name, kept) for name in names]
    if unused is not None:
        before_wall = wiring.clock_of(None).wall() - parse_duration(unused)
        idle = [each for each in kept if each.used_wall <= before_wall and not each.in_use]
        chosen += [each for each in idle if each not in chosen]
    removed = [each for each in chosen if wiring.environments().remove(each.name)]
    for each in chosen:
        typer.echo(f"{each.name} {'is removed' if each in removed else 'is in use, and left'}")
    if not chosen:
        typer.echo("none was unused for so long")
    return 0 if len(removed) == len(chosen) else _LEFT


def _meant(name: str, kept: Sequence["Kept"]) -> "Kept":
    found = [each for each in kept if each.name.startswith(name)]
    if len(found) != 1:
        there = ", ".join(each.name for each in found or kept) or "none"
        many = "several environments" if found else "no environment"
        raise UsageError(f"{many} {name!r}", f"one of: {there}")
    return found[0]


def _told(each: "Kept") -> str:
    return _HALF_BUILT if each.built is None else each.built.environment.told


def _python(each: "Kept") -> str:
    return "" if each.built is None else ".".join(map(str, each.built.version))


def _size(each: "Kept") -> str:
    return format_quantity(each.size_bytes, "B")


def _last(each: "Kept") -> str:
    if each.in_use:
        return "in use"
    return f"{format_duration(max(0.0, wiring.clock_of(None).wall() - each.used_wall))} ago"


def _values(each: "Kept") -> dict[str, object]:
    return {
        "environment": each.name,
        "requirements": None if each.built is None else list(each.built.environment.requirements),
        "python": _python(each) or None,
        "size_bytes": each.size_bytes,
        "last_used": words.iso(each.used_wall),
        "in_use": each.in_use,
    }

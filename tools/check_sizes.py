#!/usr/bin/env python3
"""Fail when a file or a function has grown too long to be read in one sitting."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src", "tests")
MOST_LINES_OF_FILE = 400
MOST_LINES_OF_FUNCTION = 40
Function = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: Function) -> int:
    """Lines from ``def`` to the end; the docstring and decorators are not counted."""
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) and first.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """All functions with their qualified names, in order."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{node.name}"
            if not isinstance(node, ast.ClassDef):
                yield name, node
            yield from functions(node, f"{name}.")
        else:
            yield from functions(node, prefix)


def too_long(root: Path) -> Iterator[tuple[str, int, int]]:
    """(what, lines found, lines wanted at most) of everything over the ceiling."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            where = path.relative_to(root).as_posix()
            lines = len(text.splitlines())
            if lines > MOST_LINES_OF_FILE:
                yield where, lines, MOST_LINES_OF_FILE
            for name, function in functions(ast.parse(text, where)):
                if length(function) > MOST_LINES_OF_FUNCTION:
                    yield f"{where}:{name}", length(function), MOST_LINES_OF_FUNCTION


def main() -> int:
    """Print what is too long, and exceptions that are not needed any more."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    excused: dict[str, str] = settings.get("tool", {}).get("tidewatt", {}).get("sizes", {})
    found = list(too_long(root))
    complaints = [
        f"found {what} with {lines} lines; wanted at most {most}; "
        f'split it, or give a reason in pyproject.toml: [tool.tidewatt.sizes] "{what}" = "..."'
        for what, lines, most in found
        if not excused.get(what, "").strip()
    ]
    complaints += [
        f"found an exception for {what}, which is short enough or gone; wanted none; "
        "remove it from [tool.tidewatt.sizes] in pyproject.toml"
        for what in sorted(excused.keys() - {what for what, _, _ in found})
    ]
    for complaint in complaints:
        sys.stderr.write(complaint + "\n")
    if not complaints:
        sys.stdout.write(f"Sizes: every file and function is short enough ({len(excused)} exceptions).\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Fail when a document points to something that is not there."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINKS = (
    re.compile(r"\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)"),
    re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE),
    re.compile(r"(?:href|src)=\"([^\"]+)\""),
)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
NAMED = re.compile(r"(?:id|name)=\"([^\"]+)\"")
TERM = re.compile(r"^(?:[-*|]\s+|#{2,4}\s+)?\*{1,2}([^*|\n]+?)\*{1,2}|^#{2,4}\s+([^*\n]+)$", re.MULTILINE)


def prose(text: str) -> str:
    """A document without its code, in which brackets are no links and ``#`` is no heading."""
    return CODE.sub("", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Fragments that a document answers to, as GitHub makes them from headings."""
    found: set[str] = set(NAMED.findall(text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        label = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", label).replace(" ", "-")
        repeated = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def documents(root: Path) -> list[Path]:
    """Markdown at the root and below docs/."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def broken_links(root: Path) -> Iterator[str]:
    """A line for each relative link without a target."""
    for document in documents(root):
        where = document.relative_to(root).as_posix()
        text = prose(document.read_text(encoding="utf-8"))
        for link in sorted({link for pattern in LINKS for link in pattern.findall(text)}):
            if ELSEWHERE.match(link):
                continue
            path, _, fragment = unquote(link).partition("#")
            target = document.parent / path if path else document
            if not target.exists() or not target.resolve().is_relative_to(root.resolve()):
                yield f"found a link to {link} in {where}; wanted a file of the project; mend the link"
            elif fragment and target.suffix == ".md":
                known = anchors(target.read_text(encoding="utf-8"))
                if fragment.lower() not in known:
                    headings = ", ".join(sorted(known)) or "no headings"
                    yield f"found a link to {link} in {where}; wanted one of: {headings}; mend the anchor"


def unlisted_decisions(root: Path) -> Iterator[str]:
    """A line for each decision record that the index of them does not link to."""
    folder = root / "docs" / "adr"
    index = folder / "README.md"
    listed = prose(index.read_text(encoding="utf-8")) if index.exists() else ""
    for record in sorted(folder.glob("[0-9][0-9][0-9][0-9]-*.md")):
        if f"({record.name})" not in listed:
            where = record.relative_to(root).as_posix()
            yield f"found {where} unlisted; wanted a link to it in docs/adr/README.md; add a line there"


def unused_words(root: Path) -> Iterator[str]:
    """A line for each word of the glossary that nothing else in the project uses.

    A word is what a line or a table row opens with in bold or italics, or a heading below the first.
    """
    glossary = root / "docs" / "glossary.md"
    if not glossary.exists():
        return
    terms = [
        bold or heading for bold, heading in TERM.findall(FENCE.sub("", glossary.read_text(encoding="utf-8")))
    ]
    if not terms:
        yield "found no words in docs/glossary.md; wanted lines that open with a **word**; write them so"
    used = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*sorted((root / "src").rglob("*.py")), *documents(root)]
        if path != glossary
    )
    for term in terms:
        words = re.findall(r"\w+", term)
        if not re.search(r"\b" + r"[\s_-]*".join(map(re.escape, words)), used, re.IGNORECASE):
            yield f"found the word {term!r} in docs/glossary.md alone; wanted it used; remove or correct it"


def main() -> int:
    """Print what is wrong with the documents."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    complaints = [*broken_links(root), *unlisted_decisions(root), *unused_words(root)]
    for complaint in complaints:
        sys.stderr.write(complaint + "\n")
    if not complaints:
        sys.stdout.write(f"Documents: every link in {len(documents(root))} files leads somewhere.\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

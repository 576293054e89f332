"""The documents hold: programs run, commands print what is shown beside them, links lead somewhere."""

import fcntl
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer import Typer

from tidewatt.cli.main import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md")))
TRAINING = ROOT / "docs" / "guide" / "training.md"
RUN = {"python", "console"}
SHOWN = {"diff", "text", "toml"}
MOST_MARKS = 2
"""Blocks that may stay unchecked; each has its reason beside it."""
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+?) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILE = re.compile(r"# (\w+\.(?:py|toml))\n")
EXIT_CODE = re.compile(r"# exit code (\d+)$")
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Block:
    """Code of a document, and why it is not run, if it is not."""

    document: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.document.name}:{self.line}"


def blocks() -> Iterator[Block]:
    """All code of the documents, in order."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start("text"))
            yield Block(document, line, found["language"], found["text"], found["reason"])


BLOCKS = tuple(blocks())


def of(language: str) -> list[Block]:
    """Blocks of a language that are to run."""
    return [block for block in BLOCKS if block.language == language and block.reason is None]


SETS = re.compile(r"[A-Z_]+=")


class Desk:
    """A folder with the examples, the files that a document names, and a state folder of its own."""

    def __init__(self, folder: Path, document: Path) -> None:
        self._folder = folder
        self._home = folder / "home"
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        for block in BLOCKS:
            named = FILE.match(block.text) if block.document == document else None
            if named is not None:
                (folder / named[1]).write_text(block.text, encoding="utf-8")

    def run(self, words: list[str]) -> tuple[int, str]:
        """Exit code and all output of a command, as a pipe sees it; variables may stand before it."""
        variables = dict(word.split("=", 1) for word in itertools.takewhile(SETS.match, words))
        command = words[len(variables) :]
        assert command[0] in {"tidewatt", "python", sys.executable}, words
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEWATT_", "COV_", "COVERAGE_"))}
        here = {"TIDEWATT_HOME": str(self._home), "TIDEWATT_LINGER_S": "0", "TIDEWATT_ZONE": "DE"}
        here["TIDEWATT_WAITER"] = "watcher"  # whoever runs the tests keeps a systemd without units of ours
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=self._folder,
            env={**kept, **here, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, done.stdout

    def clear(self) -> None:
        """Remove and cancel what a block that failed half-way left open."""
        for trigger in json.loads(self.run(["tidewatt", "triggers", "--json"])[1]):
            self.run(["tidewatt", "triggers", "remove", trigger["trigger"]])
        for job in json.loads(self.run(["tidewatt", "jobs", "--json"])[1]):
            if job["ended_at"] is None:
                self.run(["tidewatt", "cancel", job["job"]])

    def settle(self) -> None:
        """Wait until no watcher and no supervisor is left: each holds its lock until it is gone."""
        for lock in (self._home / "watcher.lock", self._home / "supervisor.lock"):
            if lock.exists():
                with lock.open("r+") as held:
                    fcntl.flock(held, fcntl.LOCK_EX)
        assert not (self._home / "supervisor.sock").exists()


@contextmanager
def desk(folder: Path, document: Path) -> Iterator[Desk]:
    """A desk that is left with nothing running, whatever happens there."""
    laid = Desk(folder, document)
    try:
        yield laid
    except BaseException:
        laid.clear()
        raise
    finally:
        laid.settle()


def commands(text: str) -> Iterator[tuple[str, str]]:
    """(command, expected output) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def matches(expected: str, actual: str) -> bool:
    """Whether an output is the one printed; ``...`` stands for anything, and ends of lines may be blank."""
    wanted, got = (re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip() for text in (expected, actual))
    pattern = ".*".join(re.escape(piece) for piece in wanted.split("..."))
    return re.fullmatch(pattern, got, re.DOTALL) is not None


@pytest.mark.parametrize("block", of("python"), ids=lambda b: b.place)
def test_a_program_of_the_documents_runs(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.text, encoding="utf-8")
    with desk(tmp_path, block.document) as laid:
        code, output = laid.run([sys.executable, str(program)])
        assert code == 0, output


@pytest.mark.parametrize("block", of("console"), ids=lambda b: b.place)
def test_commands_of_the_documents_print_what_is_printed_there(block: Block, tmp_path: Path) -> None:
    listed = list(commands(block.text))
    assert listed, "a console block without a command"
    with desk(tmp_path, block.document) as laid:
        for command, expected in listed:
            wanted = EXIT_CODE.search(command)
            code, output = laid.run(shlex.split(command, comments=True))
            assert code == (int(wanted[1]) if wanted else 0), f"$ {command}\n{output}"
            assert matches(expected, output), f"$ {command}\n{output}\n--- wanted\n{expected}"


def test_what_is_not_run_is_little_and_says_why() -> None:
    unknown = [block.place for block in BLOCKS if block.language not in RUN | SHOWN]
    assert unknown == []
    marked = [block for block in BLOCKS if block.reason is not None]
    assert len(marked) <= MOST_MARKS
    assert all(block.language in RUN for block in marked)


DIFFS = [block for block in BLOCKS if block.document == TRAINING and block.language == "diff"]
PLAIN = {
    "digits.py": "digits(epochs=4)['accuracy'] > 0.9",
    "intents_huggingface.py": "intents(epochs=6)['right'] > 0.2",
    "digits_lightning.py": "digits(epochs=4)['accuracy'] > 0.9",
}
"""What each example does as the plain program that it was."""


@pytest.mark.parametrize(("name", "diff"), [*zip(PLAIN, DIFFS, strict=True)], ids=PLAIN)
def test_the_diff_leads_from_a_plain_loop_to_the_example(tmp_path: Path, name: str, diff: Block) -> None:
    """Undone on the example, it gives a program that knows nothing of us and trains as well."""
    example = ROOT / "examples" / name
    program = example.read_text(encoding="utf-8")
    for hunk in re.split(r"^@@.*\n", diff.text, flags=re.MULTILINE)[1:]:
        lines = hunk.splitlines(keepends=True)
        after = "".join(line[1:] for line in lines if line[0] != "-")
        before = "".join(line[1:] for line in lines if line[0] != "+")
        assert program.count(after) == 1, after
        program = program.replace(after, before)
    assert not re.search("tidewatt|tw[.]", re.sub(r'""".*?"""', "", program, flags=re.DOTALL))
    plain = tmp_path / "plain.py"
    plain.write_text(f"{program}\n\nassert {PLAIN[name]}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(plain)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(example.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("diff", DIFFS, ids=PLAIN)
def test_five_lines_are_new_besides_imports(diff: Block) -> None:
    lines = diff.text.splitlines()
    before = {line[1:].strip() for line in lines if line.startswith("-")}
    after = {line[1:].strip() for line in lines if line.startswith("+")}
    new = {line for line in after - before - {""} if not re.match("import |from ", line)}
    assert len(new) == 5


def test_every_command_has_a_section() -> None:
    guide = (ROOT / "docs" / "guide" / "commands.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## `tidewatt (\w+)`", guide, re.MULTILINE))
    assert sections == names(app)


def names(of_app: Typer) -> set[str]:
    """The commands of an application, those that have commands of their own included."""
    single = {
        command.name or command.callback.__name__
        for command in of_app.registered_commands
        if command.callback is not None
    }
    return single | {str(group.name) for group in of_app.registered_groups}


def test_links_decisions_and_words_hold() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_docs.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

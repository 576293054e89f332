"""What an environment is told as: requirements in one spelling, and nothing in them that must not be."""

import dataclasses
import os
from pathlib import Path

import msgspec
import pytest

import tidewatt as tw
from tidewatt.adapters.environments import pipsettings
from tidewatt.adapters.environments.local import hash_of
from tidewatt.domain.environment import Environment, lines_of, local_path, normalised, redacted
from tidewatt.domain.function import FunctionSpec, Kind
from tidewatt.errors import UsageError
from tidewatt.runtime.payload import version_of


def environment(*requirements: str, python: str = "") -> Environment:
    return Environment(requirements=normalised(requirements), python=python)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Pillow == 11.3.0", "pillow==11.3.0"),
        ("zope.interface", "zope-interface"),
        ("torch_geometric [full]>=2", "torch-geometric[full]>=2"),
        ("tomli ; python_version < '3.11'", "tomli ; python_version < '3.11'"),
        ("six==1.17.0 --hash=sha256:ab --hash=sha256:cd", "six==1.17.0 --hash=sha256:ab --hash=sha256:cd"),
        ("./lib[fast]", "./lib[fast]"),
    ],
)
def test_a_requirement_has_one_spelling(written: str, same: str) -> None:
    assert normalised([written]) == (same,)


def test_order_and_repetition_make_no_other_environment() -> None:
    assert environment("b", "a", "B").digest == environment("a", "b").digest


@pytest.mark.parametrize(
    "other", [environment("a==2"), environment("a==1", "b"), environment("a==1", python="3.12")]
)
def test_what_differs_is_another_environment(other: Environment) -> None:
    assert other.digest != environment("a==1").digest


def test_files_that_are_named_by_path_are_part_of_it(tmp_path: Path) -> None:
    package = tmp_path / "lib"
    package.mkdir()
    (package / "lib.py").write_text("one")
    before = hash_of([str(package)])
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "lib.pyc").write_text("made")
    assert hash_of([str(package)]) == before
    (package / "lib.py").write_text("two")
    assert hash_of([str(package)]) != before
    assert hash_of(["six==1.17.0"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "-e .",
        "--index-url https://example.org",
        "-r more.txt",
        "six\n--index-url https://example.org",
        "six --global-option=x",
        "",
        "tidewatt==0.1",
        "???",
    ],
)
def test_options_and_nonsense_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        tw.Env(requirements=[text])


@pytest.mark.parametrize(
    "text", ["lib @ https://me:secret@example.org/lib.whl", "git+https://secret@example.org/lib"]
)
def test_a_login_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        tw.Env(requirements=[text])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["lib @ https://${NAME}:${TOKEN}@example.org/lib.whl", "git+ssh://git@example.org/lib"]
)
def test_a_login_that_is_only_named_is_none(text: str) -> None:
    assert len(normalised([text])) == 1


def test_addresses_are_told_without_logins() -> None:
    assert redacted("see https://me:secret@example.org/a") == "see https://***@example.org/a"


@pytest.mark.parametrize("python", ["3.10", "2.7", "three", ">=3.12", "3"])
def test_a_python_that_cannot_be_is_refused_at_once(python: str) -> None:
    with pytest.raises(UsageError):
        tw.Env(python=python)


def test_tidewatt_itself_is_always_there_and_left_out() -> None:
    assert normalised(["tidewatt[train]", "six"]) == ("six",)


def test_a_file_is_read_without_comments_and_with_continued_lines() -> None:
    text = "# mine\nsix==1.17.0 \\\n    --hash=sha256:ab # why\n\nlib @ https://example.org/x#egg=lib\n"
    assert lines_of(text) == ["six==1.17.0      --hash=sha256:ab", "lib @ https://example.org/x#egg=lib"]


@pytest.mark.parametrize(
    ("requirement", "path"),
    [
        ("./lib[x]", "./lib"),
        ("lib @ file:///srv/lib", "/srv/lib"),
        ("dist/a.whl", "dist/a.whl"),
        ("six", None),
        ("lib @ https://example.org/lib.whl", None),
        ("git+ssh://git@example.org/lib", None),
    ],
)
def test_a_path_is_told_from_a_name_and_an_address(requirement: str, path: str | None) -> None:
    found = local_path(requirement)
    assert (None if found is None else found[1]) == path


def test_a_function_is_kept_with_its_environment_and_without_one_as_ever() -> None:
    spec = FunctionSpec(name="f", kind=Kind.FUNCTION, environment=environment("six"))
    told = msgspec.json.encode(spec)
    assert msgspec.json.decode(told, type=FunctionSpec) == spec
    older = msgspec.json.decode(told)
    del older["environment"]
    assert msgspec.convert(older, FunctionSpec) == dataclasses.replace(spec, environment=None)


def test_workers_of_one_environment_do_not_serve_another() -> None:
    plain = FunctionSpec(name="f", kind=Kind.FUNCTION)
    within = [dataclasses.replace(plain, environment=environment(f"six=={n}")) for n in (1, 2)]
    assert len({version_of("code", spec, "", ()) for spec in (plain, *within)}) == 3


def test_a_file_of_requirements_is_seen_from_the_file_of_the_function(tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text("six\n./lib\n")
    (tmp_path / "lib").mkdir()
    source = tmp_path / "job.py"
    source.write_text("def f():\n    pass\n")
    module: dict[str, object] = {}
    exec(compile(source.read_bytes(), str(source), "exec"), module)  # noqa: S102 - as a user's file is run
    body = module["f"]
    assert callable(body)
    read = tw.Env(requirements="needs.txt").read(body)
    assert read.requirements == (f"{tmp_path}/lib", "six")
    with pytest.raises(UsageError, match=r"missing\.txt"):
        tw.Env(requirements=Path("missing.txt")).read(body)


def test_what_is_no_environment_is_refused_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="env="):
        tw.function(env=["six"])  # type: ignore[arg-type]


def test_a_file_is_read_when_something_is_submitted_and_not_by_who_only_imports() -> None:
    @tw.function(env=tw.Env(requirements="not/there.txt"))
    def first() -> None:
        """Never called."""

    @tw.function(after=first)
    def second(result: object) -> None:
        """The same."""

    assert second.spec.environment is None
    with pytest.raises(UsageError, match="not/there"):
        _ = first.spec


def test_pips_settings_are_said_to_uv(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://one.example\nfind-links = /a\n [install]\n"
        "extra_index_url =\n  https://two.example\n  https://three.example\n"
    )
    told = pipsettings.for_uv({"PIP_FIND_LINKS": "/b /c", "PIP_CERT": "/ca.pem"}, (settings,))
    assert told == {
        "UV_DEFAULT_INDEX": "https://one.example",
        "UV_INDEX": "https://two.example https://three.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/b,/c",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_what_uv_was_told_itself_goes_before_pips_settings() -> None:
    said = {"PIP_INDEX_URL": "https://one.example", "UV_INDEX_URL": "https://two.example"}
    assert pipsettings.for_uv(said, ()) == {}
    assert pipsettings.without_index({"PIP_NO_INDEX": "1"}, ())
    assert not pipsettings.without_index({"PIP_CONFIG_FILE": os.devnull})


def test_broken_settings_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url\n")
    with pytest.raises(UsageError, match=r"pip\.conf"):
        pipsettings.for_uv({}, (tmp_path / "pip.conf",))

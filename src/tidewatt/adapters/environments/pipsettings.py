"""What pip was told of indexes, said to uv in uv's own words; uv does not read pip's settings."""

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tidewatt.errors import UsageError

_SECTIONS = ("global", "install")
_TRUE = {"1", "true", "yes", "on"}
_SAME = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}
_OLDER_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def for_uv(environment: Mapping[str, str], files: "tuple[Path, ...] | None" = None) -> dict[str, str]:
    """Variables for uv by which it looks where pip would look; what uv was told itself goes before that.

    All indexes count alike, as they do for pip: where there are several, the best version of any is taken.

    Raises:
        UsageError: a file of pip's settings cannot be understood.
    """
    known = _settings(environment, _files(environment) if files is None else files)
    said = {name: " ".join(known[key].split()) for key, name in _SAME.items() if known.get(key)}
    if known.get("find-links"):
        said["UV_FIND_LINKS"] = ",".join(known["find-links"].split())
    if known.get("pre", "").lower() in _TRUE:
        said["UV_PRERELEASE"] = "allow"
    if "UV_INDEX" in said:
        said["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {
        name: value
        for name, value in said.items()
        if name not in environment and _OLDER_NAMES.get(name, name) not in environment
    }


def without_index(environment: Mapping[str, str], files: "tuple[Path, ...] | None" = None) -> bool:
    """Whether pip was told to ask no index; uv has no variable for that."""
    known = _settings(environment, _files(environment) if files is None else files)
    return known.get("no-index", "").lower() in _TRUE


def _settings(environment: Mapping[str, str], files: tuple[Path, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}", "settings as pip reads them") from error
        for section in _SECTIONS:
            if parser.has_section(section):
                found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in environment.items():
        if name.startswith("PIP_"):
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return found


def _files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where pip on Linux and macOS looks for settings, the later before the earlier ones."""
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    home = Path(environment.get("HOME") or Path.home())
    shared = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return (
        *(Path(folder) / "pip" / "pip.conf" for folder in shared),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        own / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        *((Path(named),) if named else ()),
    )

"""A state folder: where everything lies that outlives a process."""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tidewatt.errors import NewerState, UsageError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FORMAT = 1
"""Of the state folder as a whole; the database numbers its own schema."""


@dataclass(frozen=True, slots=True)
class Home:
    """A state folder: everything that outlives a process lies in it, readable by its owner alone."""

    path: Path

    @classmethod
    def default(cls) -> "Home":
        """``$TIDEWATT_HOME``, or the platform's folder for a user's state."""
        named = os.environ.get("TIDEWATT_HOME")
        return cls(Path(named).absolute() if named else Path(platformdirs.user_state_dir("tidewatt")))

    @property
    def jobs(self) -> Path:
        """Each job has its folder in here."""
        return self.path / "jobs"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens while there is one."""
        return self.path / "supervisor.sock"

    @property
    def door(self) -> Path:
        """Where the supervisor listens for those who call functions."""
        return self.path / "functions.sock"

    @property
    def lock(self) -> Path:
        """Held by the supervisor; the kernel lets go of it however that ends."""
        return self.path / "supervisor.lock"

    @property
    def submitting(self) -> Path:
        """Locked while a submission settles on a world, so that two at once agree on it."""
        return self.path / "submit.lock"

    @property
    def secrets(self) -> Path:
        """What functions are given by name: one file for each secret."""
        return self.path / "secrets"

    @property
    def calibrations(self) -> Path:
        """What this machine was found to draw, one file for each time that it was measured."""
        return self.path / "calibrations"

    @property
    def log(self) -> Path:
        """What supervisor and zygote have to say when something goes wrong."""
        return self.path / "supervisor.log"

    @property
    def store_url(self) -> str:
        """``$TIDEWATT_STORE``, or a SQLite file in the folder."""
        return os.environ.get("TIDEWATT_STORE") or f"sqlite:///{self.path / 'state.db'}"

    def prepare(self) -> None:
        """Make the folder if there is none, and see that it is ours alone and that this version can read it.

        A folder that others may enter is closed to them. One that they may have written into is refused:
        what lies in it is run.

        Raises:
            NewerState: a newer version wrote it; nothing is touched.
            UsageError: it cannot be made, or somebody else owns it or something in it.
        """
        mark = self.path / "format"
        self._close_to_others()
        if mark.exists():
            self._check(mark)
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.jobs.mkdir(mode=0o700, exist_ok=True)
            mark.write_text(f"{_FORMAT}\n")
        except OSError as error:
            raise self._unusable(error) from error

    def _close_to_others(self) -> None:
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error
        mode, foreign = stat.S_IMODE(about.st_mode), about.st_uid != os.getuid()
        if mode & _OTHERS_WRITE and not foreign:
            foreign = any(each.lstat().st_uid != os.getuid() for each in self.path.iterdir())
        if foreign:
            raise UsageError(
                f"state folder {self.path}, which another user owns, or something in it",
                "one that is all your own, because what lies in it is run",
                "use another one (--home), or look at what it holds and take it over with chown",
            )
        if mode & _OTHERS:
            try:
                self.path.chmod(mode & ~_OTHERS)
            except OSError as error:
                raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(
            f"state folder {self.path}, which cannot be used ({error.strerror})",
            "a folder that can be written to",
            "set TIDEWATT_HOME or use --home",
        )

    def _check(self, mark: Path) -> None:
        text = mark.read_text().strip()
        if not text.isdigit() or int(text) > _FORMAT:
            raise NewerState(
                f"state folder {self.path} of format {text or 'unknown'}",
                f"format {_FORMAT} or older",
                "upgrade tidewatt, or use another state folder (--home)",
            )


def fresh_name(begins: str, folder: Path) -> str:
    """A name that begins so, short enough to be typed, and that nothing in a folder has."""
    while (folder / (name := f"{begins}-{secrets.token_hex(3)}")).exists():
        pass
    return name

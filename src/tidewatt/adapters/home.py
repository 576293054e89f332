"""A state folder: where everything lies that outlives a process."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tidewatt.errors import NewerState, UsageError

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
    def lock(self) -> Path:
        """Held by the supervisor; the kernel lets go of it however that ends."""
        return self.path / "supervisor.lock"

    @property
    def submitting(self) -> Path:
        """Locked while a submission settles on a world, so that two at once agree on it."""
        return self.path / "submit.lock"

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
        """Make the folder if there is none, and see that this version can read it.

        Raises:
            NewerState: a newer version wrote it; nothing is touched.
            UsageError: it cannot be made.
        """
        mark = self.path / "format"
        if mark.exists():
            self._check(mark)
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.jobs.mkdir(mode=0o700, exist_ok=True)
            mark.write_text(f"{_FORMAT}\n")
        except OSError as error:
            raise UsageError(
                f"state folder {self.path}, which cannot be used ({error.strerror})",
                "a folder that can be written to",
                "set TIDEWATT_HOME or use --home",
            ) from error

    def _check(self, mark: Path) -> None:
        text = mark.read_text().strip()
        if not text.isdigit() or int(text) > _FORMAT:
            raise NewerState(
                f"state folder {self.path} of format {text or 'unknown'}",
                f"format {_FORMAT} or older",
                "upgrade tidewatt, or use another state folder (--home)",
            )

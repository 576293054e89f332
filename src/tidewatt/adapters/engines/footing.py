"""What an engine stands on: it can be there, and its zygote loading, before anything else of a supervisor."""

from tidewatt.adapters.cgroup import Groups
from tidewatt.adapters.engines.nursery import Nursery, Room, shared
from tidewatt.adapters.home import Home
from tidewatt.adapters.limiting import limiting


class Footing:
    """The control groups of workers, what all zygotes are told, and the zygote of no environment."""

    def __init__(self, trainer: str, home: Home | None) -> None:
        """Make what is needed to start a zygote, and start none.

        Args:
            trainer: what makes a training's ``Run``, as ``module:attribute``.
            home: the state folder, None for a test of workers alone.
        """
        self.groups = limiting() or Groups.below_own()
        self.told = shared(trainer, home, self.groups.limits if self.groups is not None else "")
        self.common = Nursery(self.told, Room())

    def close(self) -> None:
        """End the zygote at once and remove the groups; for one on which no engine was built."""
        self.common.end("nobody needed it")
        self.common.discard()
        if self.groups is not None:
            self.groups.close()

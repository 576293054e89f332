"""Jobs as somebody once ran them, to be simulated."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedJob:
    """One job of a trace; what it does not say is None, or empty, and a scenario's to say.

    ``arrival_s`` counts from the start of the trace and ``deadline_s`` from the arrival; ``length_s`` is what
    one worker needs, ``cpus`` what each worker occupies, and ``most`` the widest it can use.
    """

    name: str
    arrival_s: float
    length_s: float
    cpus: int = 1
    most: int | None = None
    deadline_s: float | None = None
    zones: tuple[str, ...] = ()

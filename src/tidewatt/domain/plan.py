"""What is to run where, when and on how many workers."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job on a site with a worker count, from ``start_at`` until ``end_at`` (UTC seconds)."""

    job_id: str
    site: str
    workers: int
    start_at: float
    end_at: float


@dataclass(frozen=True, slots=True)
class Note:
    """Why a job was planned as it was, in words for people."""

    job_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer of a policy to one snapshot; assignments of a job do not overlap."""

    policy: str
    issued_at: float
    assignments: tuple[Assignment, ...]
    notes: tuple[Note, ...] = ()

    def current(self, job_id: str, instant: float) -> Assignment | None:
        """What the job should be doing at ``instant``; None means nothing."""
        for assignment in self.assignments:
            if assignment.job_id == job_id and assignment.start_at <= instant < assignment.end_at:
                return assignment
        return None

    def about(self, job_ids: AbstractSet[str]) -> "Plan":
        """What it says of these jobs alone."""
        return replace(
            self,
            assignments=tuple(a for a in self.assignments if a.job_id in job_ids),
            notes=tuple(n for n in self.notes if n.job_id in job_ids),
        )

    def joined(self, newer: "Plan") -> "Plan":
        """The newer plan, about other jobs, with this one before it."""
        return replace(
            newer,
            assignments=self.assignments + newer.assignments,
            notes=self.notes + newer.notes,
        )

    def of(self, job_id: str) -> tuple[Assignment, ...]:
        """All assignments of a job, in order of time."""
        return tuple(sorted((a for a in self.assignments if a.job_id == job_id), key=lambda a: a.start_at))

    def note(self, job_id: str) -> str:
        """The reason given for a job, empty if none was."""
        return next((n.text for n in self.notes if n.job_id == job_id), "")

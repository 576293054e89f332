"""A trace of jobs made into arrivals: what the trace leaves open is said here."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidewatt.domain.function import FunctionSpec, Kind, WorkerRange
from tidewatt.domain.job import Submission
from tidewatt.domain.site import Site
from tidewatt.domain.trace import TracedJob
from tidewatt.simulation.engine import Workload
from tidewatt.simulation.world import NO_CODE, Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Jobs, where they may run, and what running costs in time.

    A job without a deadline of its own has ``slack_s`` on top of its length; one that does not say how wide
    it can be, ``workers``, with speed growing as ``workers ** scaling``.
    """

    jobs: Sequence[TracedJob]
    sites: tuple[Site, ...]
    start_at: float
    """UTC seconds, when the trace begins."""
    slack_s: float
    workers: int = 1
    scaling: float = 0.9
    startup_s: float = 0.0
    checkpoint_s: float = 0.0
    checkpoint_every_s: float = 600.0
    move_j: float = 0.0
    """Network energy to bring a job's state to another site."""
    mean_life_s: float = float("inf")
    """In the mean an attempt dies after so long."""
    seed: int = 0

    def speedup(self, job: TracedJob) -> tuple[float, ...]:
        """Throughput with 1, 2, ... workers over that with one."""
        return tuple(float(n) ** self.scaling for n in range(1, (job.most or self.workers) + 1))

    def arrival_at(self, job: TracedJob) -> float:
        """When it comes, UTC seconds."""
        return self.start_at + job.arrival_s

    def deadline_at(self, job: TracedJob) -> float:
        """When it has to be done, UTC seconds."""
        due_s = job.length_s + self.slack_s if job.deadline_s is None else job.deadline_s
        return self.arrival_at(job) + due_s

    @property
    def end_at(self) -> float:
        """The last deadline."""
        return max(self.deadline_at(job) for job in self.jobs)

    def arrivals(self) -> list[Arrival]:
        """What comes in, with the truth about each."""
        return [self._arrival(place, job) for place, job in enumerate(self.jobs)]

    def _arrival(self, place: int, job: TracedJob) -> Arrival:
        speedup, at = self.speedup(job), self.arrival_at(job)
        deadline_at = self.deadline_at(job)
        function = FunctionSpec(
            name=job.name,
            kind=Kind.TRAINING,
            workers=WorkerRange(1, len(speedup)),
            shards=len(speedup),
            cpus=job.cpus,
            length_s=job.length_s,
            deadline_s=deadline_at - at,
            zones=job.zones,
        )
        submission = Submission(
            id=f"job-{place:07}",
            function=function,
            payload=NO_CODE,
            arguments={"place": str(place)},
            submitted_at=at,
            submitted_wall=at,
            deadline_at=deadline_at,
            home_zone=self.sites[0].zone,
        )
        workload = Workload(
            job.length_s,
            speedup,
            startup_s=self.startup_s,
            checkpoint_s=self.checkpoint_s,
            checkpoint_every_s=self.checkpoint_every_s,
            mean_life_s=self.mean_life_s,
            seed=self.seed,
        )
        return Arrival(submission, workload)

"""Records made by hand, the same in all that a test says nothing of; ``replace`` changes what it does."""

from tidewatt.domain.estimate import Tier
from tidewatt.domain.function import FunctionSpec, Kind, Payload
from tidewatt.domain.job import Attempt, Submission
from tidewatt.domain.ledger import EnergyReading
from tidewatt.simulation.world import NO_CODE

PLAIN = FunctionSpec(name="f", kind=Kind.FUNCTION)


def submission(
    job_id: str, function: FunctionSpec = PLAIN, payload: Payload = NO_CODE, at: float = 0.0
) -> Submission:
    """A job for Germany without arguments and without a deadline, submitted at an instant of both clocks."""
    return Submission(
        id=job_id,
        function=function,
        payload=payload,
        arguments={},
        submitted_at=at,
        submitted_wall=at,
        deadline_at=None,
        home_zone="DE",
    )


def attempt(job_id: str, token: int = 1, at: float = 0.0) -> Attempt:
    """One that has begun on one worker, at an instant of both clocks."""
    return Attempt(
        job_id=job_id,
        token=token,
        site="here",
        zone="DE",
        workers=1,
        started_at=at,
        started_wall=at,
    )


def reading(
    energy_uj: int,
    *,
    start_at: float = 0.0,
    wall_s: float = 1.0,
    static_uj: int = 0,
    busy_cpu_s: float = 0.0,
    cpus: int = 1,
) -> EnergyReading:
    """What a counter without a range told, in a world that runs as fast as the real one."""
    return EnergyReading(
        meter="test",
        tier=Tier.COUNTER,
        start_at=start_at,
        end_at=start_at + wall_s,
        wall_s=wall_s,
        energy_uj=energy_uj,
        static_uj=static_uj,
        low_uj=energy_uj,
        high_uj=energy_uj,
        busy_cpu_s=busy_cpu_s,
        cpus=cpus,
    )

"""Keeping everything warm for the same time after its last call."""

from dataclasses import dataclass

from tidewatt.policy.idle.calls import Calls, Mask, ages, last_warm


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many minutes, whatever was seen; published services were found to keep 10 (AWS) and 20 (Azure).

    Source: Shahrad et al., "Serverless in the Wild", USENIX ATC 2020, section 4.
    """

    minutes: float

    def __call__(self, calls: Calls) -> Mask:
        """Warm until the time is over."""
        idle = ages(calls.busy)
        return (idle >= 0) & (idle <= self.minutes)

    def stay_min(self, calls: Calls, now: int) -> int:
        """What is left of the time."""
        return last_warm(self(calls), now)

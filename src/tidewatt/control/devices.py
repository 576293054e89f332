"""Who used a device: its processes, as far as they belong to attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tidewatt.accounting.allocate import allocate
from tidewatt.domain.ledger import Account, Allocation, Charge, Holder, Phase, Usage
from tidewatt.ports import DeviceReading, DeviceUse, WorkerUsage

Attempt = tuple[str, int]
"""A job and the token of the attempt."""


def owned(uses: Sequence[DeviceUse], attempts: Sequence[WorkerUsage]) -> dict[Attempt, DeviceUse]:
    """What each attempt used and held of a device: all processes that its workers started, at any distance.

    What belongs to none is left out; its energy will be nobody's.
    """
    owners = {pid: (attempt.job_id, attempt.token) for attempt in attempts for pid in attempt.processes}
    found: dict[Attempt, DeviceUse] = {}
    for use in uses:
        owner = next((owners[pid] for pid in use.ancestry if pid in owners), None)
        if owner is not None:
            before = found.get(owner, DeviceUse(ancestry=(), busy_s=0.0, held_s=0.0))
            found[owner] = replace(
                before, busy_s=before.busy_s + use.busy_s, held_s=before.held_s + use.held_s
            )
    return found


def charged(
    device: DeviceReading, attempts: Sequence[WorkerUsage], phases: Mapping[Attempt, Phase]
) -> Charge:
    """A reading of a device, and its allocations.

    Static energy goes to those who hold the device, dynamic energy to those who have it compute. The
    allocations hold no processors: the time of the machine was told with the reading of its processors.
    """
    uses = owned(device.uses, attempts)
    usages = [
        Usage(
            account=Account(Holder.JOB, attempt.job_id),
            phase=phases.get((attempt.job_id, attempt.token), attempt.phase),
            cpu_s=use.busy_s,
            reserved_cpu_s=use.held_s,
            zone=attempt.zone,
            workers=attempt.workers,
            token=attempt.token,
        )
        for attempt in attempts
        if (use := uses.get((attempt.job_id, attempt.token))) is not None
    ]
    return device.reading, tuple(_unheld(share) for share in allocate(device.reading, usages))


def _unheld(allocation: Allocation) -> Allocation:
    return replace(allocation, reserved_cpu_s=0.0)

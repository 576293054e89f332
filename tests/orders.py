"""Orders of an attempt, for tests that give them to an engine themselves."""

from collections.abc import Mapping
from pathlib import Path

from tidewatt.domain.function import FunctionSpec, Payload
from tidewatt.ports import Order
from tidewatt.runtime import payload
from tidewatt.sdk.load import load


def order(function: FunctionSpec, code: Payload, folder: Path, job_id: str = "job", token: int = 1) -> Order:
    """One worker from the beginning; ``replace`` changes what is to be otherwise."""
    return Order(
        job_id=job_id,
        token=token,
        function=function,
        payload=code,
        folder=str(folder),
        site="here",
        zone="DE",
        workers=1,
        checkpoint=None,
        reached=0,
    )


def order_of(file: Path, folder: Path, arguments: Mapping[str, object] | None = None) -> Order:
    """The same of the only function in a file, whose payload is saved in the folder."""
    path, handle = load(str(file))
    payload.save(folder, path, handle.body, dict(arguments or {}))
    return order(handle.spec, payload.describe(path, handle.body, handle.spec.name), folder)

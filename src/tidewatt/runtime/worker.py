"""One worker: a process that runs the user's function for one rank of an attempt."""

import importlib
import io
import json
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import cloudpickle
import msgspec
from typing_extensions import Buffer, override

from tidewatt.domain.function import Kind
from tidewatt.domain.text import printable
from tidewatt.errors import CommandFailed
from tidewatt.ports import Order
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import is_full, write_atomically
from tidewatt.runtime.child import ForksEndHere
from tidewatt.runtime.context import Run
from tidewatt.runtime.faults import packed, unpicklable
from tidewatt.runtime.frames import too_large
from tidewatt.runtime.journal import log_name
from tidewatt.runtime.payload import load, settle
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.secret import Veil, check_given

OK, FAILED = 0, 1
_LONGEST_SHOWN = 10_000
"""Of each figure of a result, in bytes of JSON."""
_ROOM_S = 1.0
"""How long to wait before it is tried again whether a full disk has room."""
MakeRun = Callable[[Order, int, Reporter], Run]


class Suspended(BaseException):
    """Unwinds the user's function after its state is safe; no ``except Exception`` swallows it."""


class PeerLost(BaseException):
    """Another worker of the attempt is gone, so that this one cannot go on; nobody's code is to blame."""


def main(order: Order, rank: int, channel: Channel, trainer: str) -> int:
    """Run the function of an order and say how it ended; the exit code is for the zygote.

    ``trainer`` names the factory of a ``Run`` as ``module:attribute``: this room does not import torch.
    """
    redirect_output(f"{order.folder}/{log_name(order.token, rank)}", Veil(order.function.secrets))
    if order.function.kind is not Kind.COMMAND:
        _settle_for(order)
    random.seed(0)
    return _run(order, rank, Reporter(channel, order.token), lambda r: _call(order, rank, r, trainer), None)


def _settle_for(order: Order) -> None:
    """Be where a job was submitted, with its modules."""
    apart = order.function.environment is not None
    settle(order.payload.folder, order.payload.beside, apart=apart)


def run_order(order: Order, channel: Channel, most_bytes: int) -> None:
    """Run one job in a worker that has run others and will run more; a result has a size that it may have."""
    redirect_output(f"{order.folder}/{log_name(order.token)}", Veil(order.function.secrets))
    _settle_for(order)
    random.seed(0)
    reporter = Reporter(channel, order.token, began_s=time.process_time())
    _run(order, 0, reporter, lambda r: _call(order, 0, r, ""), most_bytes)


def _run(
    order: Order, rank: int, reporter: Reporter, call: Callable[[Reporter], object], most_bytes: int | None
) -> int:
    folder = Path(order.folder)
    try:
        with ForksEndHere():
            value = call(reporter)
        result = _save_result(folder, reporter, value, most_bytes) if rank == 0 else None
    except Suspended:
        reporter.done("suspended")
    except PeerLost as error:
        reporter.done("lost", error=printable(str(error)))
        return FAILED
    except CommandFailed as error:
        reporter.done("failed", error=printable(str(error)))
        return FAILED
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises ends the attempt
        fault = packed(error, Veil(order.function.secrets))
        complain(fault.text)
        _write(reporter, folder / fault_name(order.token), cloudpickle.dumps(fault))
        reporter.done("failed", error=fault.text)
        return FAILED
    else:
        reporter.done("succeeded", result=result)
    finally:
        flush()
    return OK


def _call(order: Order, rank: int, reporter: Reporter, trainer: str) -> object:
    check_given(order.function.secrets)
    body, arguments = load(Path(order.folder), order.payload)
    if order.function.kind is Kind.FUNCTION:
        reporter.begin()
        return body(**arguments)
    if order.function.kind is Kind.COMMAND:
        return body(reporter, secrets=order.function.secrets, **arguments)
    module, _, attribute = trainer.partition(":")
    make: MakeRun = getattr(importlib.import_module(module), attribute)
    return body(make(order, rank, reporter), **arguments)


def flush() -> None:
    """Write what is held back of what was printed, as far as the user's code has left a place for it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or another object by now
            stream.flush()


def complain(text: str) -> None:
    """Say something in the log, if there still is one."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)


def redirect_output(path: str, veil: Veil) -> None:
    """Send what the user prints to a log; what was held back of a line goes where it was meant to go."""
    flush()
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:  # no room for it, or no folder yet: work goes before words
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout, sys.stderr = veil.over(_lossy(1)), veil.over(_lossy(2))


class _Lossy(io.FileIO):
    """A log that drops what there is no room for: a full disk must not make a job's own code fail."""

    @override
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if not is_full(error):
                raise
            return memoryview(data).nbytes


def _lossy(descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Lossy(descriptor, "w", closefd=False)),
        encoding="utf-8",  # as the log is read, whatever the locale
        errors="backslashreplace",  # names of files may be any bytes
        line_buffering=True,
    )


def _save_result(folder: Path, reporter: Reporter, value: object, most_bytes: int | None) -> str:
    """Keep the result so that it can be read back, and as JSON where it is plain enough.

    Raises:
        UsageError: it cannot be pickled, or is larger than allowed.
    """
    name = result_name(reporter.token)
    try:
        data: bytes = cloudpickle.dumps({"value": value, "shown": shown(value)})
    except Exception as error:  # noqa: BLE001 - whatever a user's class does when it is pickled
        raise unpicklable(value, error) from None
    if most_bytes is not None and len(data) > most_bytes:
        raise too_large("a result", len(data), most_bytes)
    _write(reporter, folder / name, data)
    return name


def _write(reporter: Reporter, target: Path, data: bytes) -> None:
    """Write what a job came to; while the disk is full, wait: the work is done and must not be lost for it.

    Raises:
        PeerLost: nobody is left who would take it; another attempt will come to the same.
    """
    said = False
    while True:
        try:
            write_atomically(target, data)
        except OSError as error:
            if not is_full(error):
                raise
            if not said:
                said = True
                complain(f"tidewatt: no room for {target.name} ({error.strerror}); waiting\n")
            reporter.wait(_ROOM_S)
            if reporter.alone:
                raise PeerLost("no room for what it came to, and nobody to wait for it") from None
        else:
            return


def shown(value: object) -> Any:  # noqa: ANN401 - the user's result
    """A result in plain values, each short enough for a receipt."""
    try:
        plain: object = msgspec.to_builtins(value)
    except Exception:  # noqa: BLE001 - what it is made of may be the user's own, or hold itself
        return _brief(_repr(value), type(value).__name__)
    if isinstance(plain, dict):
        each = cast("dict[object, object]", plain).items()
        return {_key(name): _brief(value, type(value).__name__) for name, value in each}
    return _brief(plain, type(value).__name__)


def _key(name: object) -> object:
    return name if name is None or isinstance(name, str | int | float) else _repr(name)


def _brief(plain: object, kind: str) -> object:
    try:
        size = len(json.dumps(plain))
    except (TypeError, ValueError):  # it holds itself, or what JSON has no word for
        text = _repr(plain)
        plain, size = text, len(text)
    return plain if size <= _LONGEST_SHOWN else f"{kind}, too long to be shown"


def _repr(value: object) -> str:
    try:
        return printable(repr(value))
    except Exception:  # noqa: BLE001 - the same
        return f"<{type(value).__name__}>"


def result_name(token: int) -> str:
    """The file that holds the result of an attempt, inside the job's folder."""
    return f"result-{token}.pkl"


def fault_name(token: int) -> str:
    """The file that holds what an attempt raised, inside the job's folder."""
    return f"fault-{token}.pkl"

"""One worker: a process that runs the user's function for one rank of an attempt."""

import importlib
import os
import random
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import msgspec

from tidewatt.domain.function import Kind
from tidewatt.errors import CommandFailed
from tidewatt.ports import Order
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.checkpoint import write_atomically
from tidewatt.runtime.context import Run
from tidewatt.runtime.payload import load
from tidewatt.runtime.reporter import Reporter

OK, FAILED = 0, 1
MakeRun = Callable[[Order, int, Reporter], Run]


class Suspended(BaseException):
    """Unwinds the user's function after its state is safe; no ``except Exception`` swallows it."""


class PeerLost(BaseException):
    """Another worker of the attempt is gone, so that this one cannot go on; nobody's code is to blame."""


def main(order: Order, rank: int, channel: Channel, trainer: str) -> int:
    """Run the function of an order and say how it ended; the exit code is for the zygote.

    ``trainer`` names the factory of a ``Run`` as ``module:attribute``: this room does not import torch.
    """
    folder = Path(order.folder)
    _redirect_output(folder, order.token, rank)
    _limit_memory(order.function.memory_bytes)
    random.seed(0)
    reporter = Reporter(channel, order.token)
    try:
        value = _call(order, rank, reporter, trainer)
    except Suspended:
        reporter.done("suspended")
    except PeerLost as error:
        reporter.done("lost", error=str(error))
        return FAILED
    except CommandFailed as error:
        reporter.done("failed", error=str(error))
        return FAILED
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises ends the attempt
        shown = _traceback(error)
        sys.stderr.write(shown)
        reporter.done("failed", error=shown)
        return FAILED
    else:
        reporter.done("succeeded", result=_save_result(folder, reporter.token, value) if rank == 0 else None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return OK


def _call(order: Order, rank: int, reporter: Reporter, trainer: str) -> object:
    body, arguments = load(Path(order.folder), order.payload)
    if order.function.kind is Kind.FUNCTION:
        reporter.begin()
        return body(**arguments)
    if order.function.kind is Kind.COMMAND:
        return body(reporter, **arguments)
    module, _, attribute = trainer.partition(":")
    make: MakeRun = getattr(importlib.import_module(module), attribute)
    return body(make(order, rank, reporter), **arguments)


def _redirect_output(folder: Path, token: int, rank: int) -> None:
    """Send what the user prints to the attempt's log."""
    suffix = "" if rank == 0 else f".rank{rank}"
    log = os.open(folder / f"attempt-{token}{suffix}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _limit_memory(memory_bytes: int | None) -> None:
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _traceback(error: BaseException) -> str:
    """The traceback from the user's first frame on."""
    trace = error.__traceback__
    ours = Path(__file__).parent.parent
    while trace and trace.tb_next and ours in Path(trace.tb_frame.f_code.co_filename).parents:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _save_result(folder: Path, token: int, value: object) -> str:
    """Keep the result so that it can be read back, and as JSON where it is plain enough."""
    name = result_name(token)
    write_atomically(folder / name, cloudpickle.dumps({"value": value, "shown": _shown(value)}))
    return name


def _shown(value: Any) -> Any:  # noqa: ANN401 - the user's result
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return repr(value)


def result_name(token: int) -> str:
    """The file that holds the result of an attempt, inside the job's folder."""
    return f"result-{token}.pkl"

"""Exceptions on their way from a worker to its caller: as themselves where they can be pickled."""

import pickle
import traceback
from dataclasses import dataclass
from pathlib import Path

import cloudpickle

from tidewatt.domain.text import printable
from tidewatt.errors import JobFailed, RemoteTraceback, UsageError
from tidewatt.runtime.allowance import note_excess
from tidewatt.runtime.secret import NO_VEIL, Veil


@dataclass(frozen=True, slots=True)
class Fault:
    """What was raised, as text and, where that can be done, as a pickle."""

    text: str
    pickled: bytes | None = None


def shown(error: BaseException) -> str:
    """The traceback from the user's first frame on; where there is none, what was said alone."""
    trace = error.__traceback__
    ours = Path(__file__).parent.parent
    while trace and ours in Path(trace.tb_frame.f_code.co_filename).parents:
        trace = trace.tb_next
    if trace is None:
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, trace))


def packed(error: BaseException, veil: Veil = NO_VEIL) -> Fault:
    """An exception, ready to be sent.

    What would end the caller, such as ``SystemExit``, what holds a secret, and what does not come back from a
    pickle are told as text alone.
    """
    note_excess(error)
    text = printable(veil.text(shown(error)))
    if not isinstance(error, Exception):
        return Fault(text)
    try:
        pickled: bytes = cloudpickle.dumps(error)
        came_back = pickle.loads(pickled)  # noqa: S301 - written the line before
    except Exception:  # noqa: BLE001 - whatever a user's class does when it is pickled
        return Fault(text)
    whole = isinstance(came_back, type(error)) and not veil.shows(pickled)
    return Fault(text, pickled if whole else None)


def unpacked(fault: Fault, what: str) -> Exception:
    """The exception to raise for a fault of ``what``; the worker's traceback is its cause.

    Only called on what comes from a worker of the same user.
    """
    error: Exception | None = None
    if fault.pickled is not None:
        try:
            error = pickle.loads(fault.pickled)  # noqa: S301 - the same user's worker wrote it
        except Exception:  # noqa: BLE001 - a class that this process does not have
            error = None
    if error is None:
        return JobFailed(what, "a result", fault.text)
    error.__cause__ = RemoteTraceback(f"\n{fault.text}")
    return error


def unpicklable(value: object, error: Exception) -> UsageError:
    """What to tell whoever waits for a result that cannot be sent."""
    return UsageError(
        f"a result of type {type(value).__name__}, which cannot be pickled ({error})",
        "a result that cloudpickle can pickle",
        "return plain data, such as the figures that you need of it",
    )

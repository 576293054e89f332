"""A command that was not written for Tidewatt, run by a worker as it would run in a shell."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from tidewatt.errors import CommandFailed
from tidewatt.runtime.child import ONE_THREAD, die_with_parent, signal_tree
from tidewatt.runtime.messages import Suspend
from tidewatt.runtime.reporter import Reporter

_LOOK_S = 0.05
"""How often to look whether it has ended, where the kernel does not tell."""


def run(reporter: Reporter, argv: Sequence[str], folder: str, *, path: str) -> dict[str, int]:
    """Run a command to its end; what it prints goes where the worker's output goes.

    Args:
        reporter: tells the supervisor, and hears when to stand still and when to go on.
        argv: the command and its arguments.
        folder: to run it in.
        path: where it looks for other commands, as ``$PATH`` says it.

    Raises:
        CommandFailed: it cannot be started, or ends with another status than 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    try:
        child = subprocess.Popen(  # noqa: S603 - running the user's command is what was asked for
            argv,
            cwd=folder,
            env=environment | {"PATH": path},
            stdin=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - a worker that runs a command has one thread
        )
    except OSError as error:
        raise CommandFailed(
            f"command {argv[0]}, which cannot be started ({error.strerror})",
            "one that is still there",
            "check the path and the folder it was submitted from",
        ) from error
    reporter.begin()
    status = _attend(reporter, child)
    if status:
        raise CommandFailed(f"{_said(status)} from {argv[0]}", "exit status 0", "read its log")
    return {"exit_status": 0}


def _attend(reporter: Reporter, child: "subprocess.Popen[bytes]") -> int:
    """Stop and continue a command with all that it started, as asked, until it has ended."""
    ended = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") else None
    sources: list[Reporter | int] = [reporter] if ended is None else [reporter, ended]
    paused = False
    while (status := child.poll()) is None:
        select.select(sources, [], [], _LOOK_S if ended is None else None)
        for message in reporter.told():
            paused = isinstance(message, Suspend)
            signal_tree(child.pid, signal.SIGSTOP if paused else signal.SIGCONT)
            if isinstance(message, Suspend):
                reporter.paused()
            else:
                reporter.begin(message.token)
        if reporter.alone and reporter in sources:
            sources.remove(reporter)
            if paused:  # nobody is left who could let it go on
                signal_tree(child.pid, signal.SIGKILL)
    if ended is not None:
        os.close(ended)
    return status


def _said(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"an end by {signal.Signals(-status).name}"
    return f"an end by signal {-status}"

"""A command that was not written for Tidewatt, run by a worker as it would run in a shell."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from tidewatt.errors import CommandFailed
from tidewatt.runtime.checkpoint import is_full
from tidewatt.runtime.child import ONE_THREAD, die_with_parent, signal_tree
from tidewatt.runtime.messages import Suspend
from tidewatt.runtime.reporter import Reporter
from tidewatt.runtime.secret import Veil

_LOOK_S = 0.05
"""How often to look whether it has ended, where the kernel does not tell."""
_OUTPUT = 1
_CHUNK = 1 << 20
"""More than a pipe holds, so that one read empties it."""
_LONGEST_LINE = 1 << 20
"""Of a line that is longer than so many bytes, the beginning is written before its end has come."""


def run(
    reporter: Reporter, argv: Sequence[str], folder: str, *, path: str, secrets: Sequence[str] = ()
) -> dict[str, int]:
    """Run a command to its end; what it prints goes where the worker's output goes.

    Args:
        reporter: tells the supervisor, and hears when to stand still and when to go on.
        argv: the command and its arguments.
        folder: to run it in.
        path: where it looks for other commands, as ``$PATH`` says it.
        secrets: names of what it is given, whatever else would have such a name in its environment; what it
            prints of them is veiled. Without any it writes into the log by itself.

    Raises:
        CommandFailed: it cannot be started, or ends with another status than 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    given = {name: os.environ[name] for name in secrets}
    veil = Veil(secrets)
    output = _Output(veil) if veil else None
    try:
        child = subprocess.Popen(  # noqa: S603 - running the user's command is what was asked for
            argv,
            cwd=folder,
            env=environment | {"PATH": path} | given,
            stdin=subprocess.DEVNULL,
            stdout=None if output is None else output.entry,
            stderr=None if output is None else subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - a worker that runs a command has one thread
        )
    except OSError as error:
        raise CommandFailed(
            f"command {argv[0]}, which cannot be started ({error.strerror})",
            "one that is still there",
            "check the path and the folder it was submitted from",
        ) from error
    reporter.begin()
    status = _attend(reporter, child, output)
    if status:
        raise CommandFailed(f"{_said(status)} from {argv[0]}", "exit status 0", "read its log")
    return {"exit_status": 0}


class _Output:
    """What a command prints, on its way through this process: veiled, line by line."""

    def __init__(self, veil: Veil) -> None:
        self._veil = veil
        self._exit, self.entry = os.pipe()
        os.set_blocking(self._exit, False)
        self._held = b""

    def fileno(self) -> int:
        """For selectors."""
        return self._exit

    def begin(self) -> None:
        """The command has its end of it; from now on nobody else has."""
        os.close(self.entry)

    def pass_on(self) -> bool:
        """Write what has come in, but for the line that is being printed; False if no more can come."""
        try:
            data = os.read(self._exit, _CHUNK)
        except BlockingIOError:
            return True
        said = self._held + data
        end = max(said.rfind(b"\n"), said.rfind(b"\r")) + 1
        if not end and len(said) > _LONGEST_LINE:
            said = self._veil.data(said)
            end = max(0, len(said) - self._veil.longest)
        _write(self._veil.data(said[:end]))
        self._held = said[end:]
        return bool(data)

    def finish(self) -> None:
        """The command has ended: write what is left; what it has left behind has nobody to print to."""
        self.pass_on()
        _write(self._veil.data(self._held))
        os.close(self._exit)


def _write(data: bytes) -> None:
    """Write into the log; a full disk costs what was printed, and not the command."""
    while data:
        try:
            data = data[os.write(_OUTPUT, data) :]
        except OSError as error:
            if not is_full(error):
                raise
            return


def _attend(reporter: Reporter, child: "subprocess.Popen[bytes]", output: _Output | None) -> int:
    """Stop and continue a command with all that it started, as asked, until it has ended."""
    ended = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") else None
    sources: list[Reporter | _Output | int] = [reporter] if ended is None else [reporter, ended]
    if output is not None:
        output.begin()
        sources.append(output)
    paused = False
    while (status := child.poll()) is None:
        ready, _, _ = select.select(sources, [], [], _LOOK_S if ended is None else None)
        if output is not None and output in ready and not output.pass_on():
            sources.remove(output)
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
    if output is not None:
        output.finish()
    return status


def _said(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"an end by {signal.Signals(-status).name}"
    return f"an end by signal {-status}"

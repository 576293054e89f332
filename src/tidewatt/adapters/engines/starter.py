"""Becomes the zygote of an environment that is not there, after building it."""

import argparse
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import msgspec

from tidewatt.adapters.engines.nursery import command
from tidewatt.adapters.environments.cache import Built, Environments
from tidewatt.domain.environment import Environment
from tidewatt.errors import TidewattError
from tidewatt.runtime.channel import Channel
from tidewatt.runtime.messages import Furnished

_FAILED = 1


def main() -> None:
    """Build, say how that went, and be the zygote from there on; orders wait in its socket meanwhile."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--environment", type=_environment, required=True)
    parser.add_argument("--training", action="store_true")
    parser.add_argument("--fd", type=int, required=True)
    told, others = parser.parse_known_args()  # those of the zygote
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=os.dup(told.fd)))
    try:
        built, lock = _furnished(Environments(told.cache, tied=True), told.environment)
    except TidewattError as error:
        _say(f"tidewatt: {error}")
        channel.send(Furnished(_children_cpu_s(), str(error)))
        sys.exit(_FAILED)
    channel.send(Furnished(_children_cpu_s()))
    os.set_inheritable(lock, True)
    os.set_inheritable(told.fd, True)
    words = command(built, ["--fd", str(told.fd), *others], training=told.training)
    os.execve(built.interpreter, words, built.variables())  # noqa: S606 - no shell is wanted


def _environment(text: str) -> Environment:
    return msgspec.json.decode(text, type=Environment)


def _furnished(cache: Environments, environment: Environment) -> tuple[Built, int]:
    while True:
        cache.ensure(environment, lambda said: _say(f"tidewatt: {said}"))
        entered = cache.enter(environment)
        if entered is not None:  # else somebody has removed it in between
            return entered


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()

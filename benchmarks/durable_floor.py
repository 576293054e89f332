"""What the disk and the kernel take of a durable call: three synchronised commits and three processes.

A call is durable when it is saved before `submit` returns, before a worker begins and when it has ended. Here
each of that is one row of SQLite that is written with synchronous FULL and nothing else; one process submits,
one keeps the books and one is the worker.
"""

import json
import os
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

_ROW = b"x" * 600


def opened(file: Path) -> sqlite3.Connection:
    """A connection whose commits wait for the disk."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def work(line: socket.socket) -> None:
    """Give back what comes in, until nobody is left."""
    while said := line.recv(64):
        line.send(said)


def keep(file: Path, client: socket.socket, worker: socket.socket) -> None:
    """Save that each call begins, have it done, and save that it has ended."""
    connection = opened(file)
    while said := client.recv(64):
        connection.execute("UPDATE calls SET state = 'begun' WHERE number = ?", (int(said),))
        worker.send(said)
        worker.recv(64)
        connection.execute("UPDATE calls SET state = 'ended' WHERE number = ?", (int(said),))
        client.send(said)


def called(file: Path, repeats: int) -> list[float]:
    """Milliseconds that each call takes."""
    connection = opened(file)
    connection.execute("CREATE TABLE calls (number INTEGER PRIMARY KEY, state TEXT, body BLOB)")
    to_keeper, from_client = socket.socketpair()
    if os.fork() == 0:
        to_keeper.close()
        to_worker, from_keeper = socket.socketpair()
        if os.fork() == 0:
            to_worker.close()
            work(from_keeper)
        else:
            from_keeper.close()
            keep(file, from_client, to_worker)
        os._exit(0)
    took: list[float] = []
    for number in range(repeats):
        began = time.perf_counter()
        connection.execute("INSERT INTO calls VALUES (?, 'queued', ?)", (number, _ROW))
        to_keeper.send(str(number).encode())
        to_keeper.recv(64)
        took.append(1000 * (time.perf_counter() - began))
    to_keeper.close()
    os.wait()
    return took


def main() -> None:
    """Print the floor as one line of JSON; the calls beside it have their state in the same folder."""
    repeats, folder = int(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        took = called(Path(place) / "calls.db", repeats)
    sys.stdout.write(json.dumps({"durable_floor_ms": statistics.median(took)}) + "\n")


if __name__ == "__main__":
    main()

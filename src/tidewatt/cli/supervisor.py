"""The supervisor's process: the control loop of one state folder, gone when there is nothing to do."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidewatt.wiring import Home


def main() -> None:
    """Supervise the folder named first; the second argument is a descriptor to write to when ready.

    A third is one on which it hears whether a supervisor is wanted; a zygote loads meanwhile.

    Whoever starts it is let go at once and need not wait for it: the work is done by a child that nobody
    is the parent of.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads, for matrices it never has
    from tidewatt.wiring import Home, supervise  # noqa: PLC0415 - after the fork, which should be quick

    begin = int(sys.argv[3]) if len(sys.argv) > 3 else None
    supervise(Home(Path(sys.argv[1])), int(sys.argv[2]), _follow_up, begin)


def _follow_up(home: "Home") -> bool:
    from tidewatt.sdk.firing import follow_up  # noqa: PLC0415 - few supervisors have a trigger to follow

    return follow_up(home)


if __name__ == "__main__":
    main()

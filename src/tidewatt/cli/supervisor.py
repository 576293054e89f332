"""The supervisor's process: the control loop of one state folder, gone when there is nothing to do."""

import sys
from pathlib import Path

from tidewatt.wiring import Home, supervise


def main() -> None:
    """Supervise the folder named first; the second argument is a descriptor to write to when ready."""
    supervise(Home(Path(sys.argv[1])), int(sys.argv[2]))


if __name__ == "__main__":
    main()

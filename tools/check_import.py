#!/usr/bin/env python3
"""Fail when ``import tidewatt`` brings in a heavy library or has become slow."""

import re
import subprocess
import sys

HEAVY = ("numpy", "pandas", "ray", "sqlalchemy", "torch")
MOST_MS = 150.0
TRIES = 5
LINE = re.compile(r"^import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)$", re.MULTILINE)


def imported() -> tuple[float, set[str]]:
    """Milliseconds that the import took in a new interpreter, and the names of all modules it loaded."""
    command = [sys.executable, "-X", "importtime", "-c", "import tidewatt"]
    # The command is this interpreter with constants; nothing of it comes from outside.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        reason = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))
        sys.exit(f"found that 'import tidewatt' fails; wanted it to work:\n{reason}")
    costs_us = {name: int(cost) for cost, name in LINE.findall(done.stderr)}
    return costs_us["tidewatt"] / 1000, set(costs_us)


def main() -> int:
    """Print what makes the import too heavy."""
    tries = [imported() for _ in range(TRIES)]
    best_ms = min(took_ms for took_ms, _ in tries)
    heavy = sorted({name.partition(".")[0] for name in tries[0][1]} & set(HEAVY))
    if heavy:
        sys.stderr.write(
            f"found {', '.join(heavy)} imported by 'import tidewatt'; wanted none of {', '.join(HEAVY)}; "
            "import it where it is used: 'python -X importtime -c \"import tidewatt\"' shows from where\n"
        )
    if best_ms > MOST_MS:
        sys.stderr.write(
            f"found {best_ms:.0f} ms for 'import tidewatt', the best of {TRIES}; wanted {MOST_MS:.0f}; "
            "'python -X importtime -c \"import tidewatt\"' shows what takes so long\n"
        )
    if heavy or best_ms > MOST_MS:
        return 1
    sys.stdout.write(f"Import: {best_ms:.0f} ms, the best of {TRIES}, and nothing heavy.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The other peer: what Ray Train's elastic restart costs when a second node joins."""

import os
import subprocess
from itertools import pairwise
from pathlib import Path

_SCRIPT = Path(__file__).with_name("ray_script.py")
_PATIENCE_S = 180.0
COMMAND = "ray.train ScalingConfig(num_workers=(1, 2), elastic_resize_monitor_interval_s=0.5)"


def lost_to_growth(python: Path, folder: Path) -> float:
    """Seconds between the last step of one worker and the first step of two.

    Args:
        python: an interpreter that has ray and torch.
        folder: does not exist yet.

    Raises:
        RuntimeError: Ray did not grow.
    """
    folder.mkdir()
    stamps = folder / "stamps"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_TRAIN_V2_ENABLED": "1"}
    with (folder / "ray.log").open("ab") as log:
        subprocess.run(  # noqa: S603 - our own script in the interpreter that was asked for
            [python, _SCRIPT, stamps, folder / "storage"],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            timeout=_PATIENCE_S,
            check=False,
        )
    steps = [line.split() for line in stamps.read_text().splitlines()] if stamps.exists() else []
    for (before, workers), (after, workers_after) in pairwise(steps):
        if (workers, workers_after) == ("1", "2"):
            return float(after) - float(before)
    raise RuntimeError("Ray did not grow:\n" + (folder / "ray.log").read_text()[-2000:])

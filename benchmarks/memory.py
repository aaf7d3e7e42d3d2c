"""Peak memory of a training, measured in a process of its own: python -m benchmarks.memory FOLDER|paper."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.data import open_data
from vae_ref.config import DEFAULTS
from vae_ref.trainer import Trainer

MINUTES = 0.5  # with validation and a checkpoint in it; memory stops growing after the first steps


def main() -> None:
    """Train the reference with its defaults and print the largest resident set, bytes, before and after."""
    data = open_data(sys.argv[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        Trainer(DEFAULTS[data.name], data, Path(folder)).train(minutes=MINUTES)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB
    print(json.dumps({"imports_and_data_bytes": 1024 * before, "training_bytes": 1024 * after}))


if __name__ == "__main__":
    main()

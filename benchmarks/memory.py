"""Peak memory of a training, measured in a process of its own: python -m benchmarks.memory FOLDER|paper MODEL."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.data import open_data
from vae_ref.config import default_config
from vae_ref.trainer import Trainer

MODELS = ("vae", "two-level")
MINUTES = 0.5  # with validation and a checkpoint in it; memory stops growing after the first steps


def peak() -> int:
    """Largest resident set of this process so far, bytes.

    Not getrusage's: what that reports outlives exec, so a small program started by a large one would be called large.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None  # Linux has written this line since 2.6
    return 1024 * int(found.group(1))


def main() -> None:
    """Train the reference with its defaults and print the largest resident set, bytes, before and after."""
    data = open_data(sys.argv[1])
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        Trainer(default_config(data.name, sys.argv[2]), data, Path(folder)).train(minutes=MINUTES)
    print(json.dumps({"imports_and_data_bytes": before, "training_bytes": peak()}))


if __name__ == "__main__":
    main()

"""Python below /home or /tmp, which every kernel has for itself: there most people have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

# shows this environment a second time, in a mount namespace that ends with the program
SCRIPT = """
set -e
place=$1 prefix=$2; shift 2
mount -t tmpfs -o mode=0755 tmpfs "$place"
mkdir -p "$place/teacher/venv"
mount --bind "$prefix" "$place/teacher/venv"
exec "$place/teacher/venv/bin/python" "$@"
"""
PROGRAM = """
import sys
from autograder.wall import Limits
from autograder.wall.kernel import WalledKernel
from autograder.wall.lane import Lane
with Lane(2) as lane:
    for learner in range(2):
        with WalledKernel(lane.take()) as kernel:
            (output,) = kernel.run(sys.argv[1]).outputs
            print(lane.slow or "forked", output.get("text", output))
"""
CELL = """
import IPython.core.debugger, os, sklearn.linear_model, sys
writable = []
for path in (sys.prefix, os.path.dirname(sklearn.__file__)):
    try:
        open(path + "/x", "w").close()
        writable.append(path)
    except OSError:
        pass
print(sys.prefix, writable, os.listdir(os.path.dirname(sys.prefix)), os.path.exists(REPOSITORY + "/solutions"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to show the environment in another place")
@pytest.mark.parametrize("place", ["/home", "/tmp"])
def test_forks_find_their_libraries_and_cannot_change_them(place: str, repository: Path) -> None:
    cell = CELL.replace("REPOSITORY", repr(str(repository)))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", place, sys.prefix, "-c", PROGRAM, cell],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(repository), "TMPDIR": "/var/tmp"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    expected = f"forked {place}/teacher/venv [] ['venv'] False\n\n"
    assert done.stdout == 2 * expected, done.stdout + done.stderr

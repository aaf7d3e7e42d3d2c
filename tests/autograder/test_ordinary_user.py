"""The wall as an ordinary user has it; the other tests show it as the user who runs them has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

NOBODY = "65534"
# Python itself may lie in root's home, which nobody else may enter: show it there in a tree that all may read.
SCRIPT = """
set -e
prefix=$1 home=$2 user=$3; shift 3
if [ "$(stat -c %a /root)" = 700 ] && [ "${prefix#/root/}" != "$prefix" ]; then
    mount --bind "$prefix" "$home"
    mount -t tmpfs -o mode=0755 tmpfs /root
    mkdir -p "$prefix"
    mount --bind "$home" "$prefix"
    umount "$home"
fi
exec setpriv --reuid="$user" --regid="$user" --clear-groups env HOME=/nonexistent "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become an ordinary user")
def test_an_ordinary_user_can_grade_and_fork_kernels(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-m", "autograder", "doctor"]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", sys.base_prefix, tmp_path, NOBODY, *command],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "started by an ordinary user" in done.stdout
    assert "✓ fast lane: each further one in" in done.stdout

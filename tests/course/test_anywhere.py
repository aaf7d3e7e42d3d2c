"""What learners need runs where there is no wall: Windows and macOS lack some of Python's modules for Unix."""

from __future__ import annotations

import subprocess
import sys

import pytest

MISSING = ("fcntl", "resource", "pwd", "grp", "termios", "posix_ipc")
SCRIPT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None  # an import of it fails
{code}
"""
CHECKS = """
from autograder import check
from vae_ref.bound import kl_divergence
assert check(kl_divergence).verdict.passed
def kl_divergence(mu, logvar): return mu
assert not check(kl_divergence, hint=1).verdict.passed
"""
EVERYTHING = """
import autograder.cli, vae_ref.cli
import vae_ref.dogs, vae_ref.training, vae_ref.generation, vae_ref.latents
import vae_ref.clinic, vae_ref.tighter, vae_ref.sharper
from vae_ref.weights import load_weights
load_weights("paper")
"""


@pytest.mark.parametrize("code", [CHECKS, EVERYTHING], ids=["checks", "modules"])
def test_learners_need_nothing_that_only_unix_has(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(missing=MISSING, code=code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]

"""Whether this machine can grade, asked before a class hands in and not at midnight."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from autograder.assignments import RELEASED
from autograder.both_sides.target import Call, Value
from autograder.wall import Lane, WallError, require_wall
from autograder.wall.kernel import WalledKernel
from autograder.wall.limits import Limits
from autograder.wall.places import FOLDERS

ROOM = 2**30  # bytes: hand-ins, their figures and pages


@dataclass(frozen=True)
class Finding:
    """One thing that grading needs.

    Attributes:
        what: its name.
        good: whether it is there.
        said: what was found, and the remedy if it is not good.
    """

    what: str
    good: bool
    said: str


def examine() -> Iterator[Finding]:
    """Look at everything, each finding as soon as it is known; a kernel is started behind the wall."""
    yield _nbgrader()
    yield _memory()
    yield _room()
    try:
        bwrap = require_wall()
    except WallError as error:
        yield Finding("wall", False, str(error))
        return
    who = "root, who becomes another user for each hand-in" if os.geteuid() == 0 else "an ordinary user"
    yield Finding("wall", True, f"{bwrap}, started by {who}")
    yield from _kernels()


def _nbgrader() -> Finding:
    if importlib.util.find_spec("nbgrader") is None:
        return Finding("nbgrader", False, "not installed; pip install 'vae-course[grade]'")
    return Finding("nbgrader", True, "installed")


def _memory() -> Finding:
    wanted, there = Limits().all_memory_bytes, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = f"{there / 2**30:.1f} GiB; a hand-in may use {wanted / 2**30:.0f}"
    if there < wanted:
        said += ": one that does slows or stops this machine; grade on a larger one"
    return Finding("memory", there >= wanted, said)


def _room() -> Finding:
    there = shutil.disk_usage(FOLDERS).free
    said = f"{there / 2**30:.1f} GiB free in {FOLDERS}"
    if there < ROOM:
        said += f"; free at least {ROOM / 2**30:.0f}"
    return Finding("disk", there >= ROOM, said)


def _kernels() -> Iterator[Finding]:
    """Whether kernels answer, and whether they can be forked, which makes a class quick."""
    seconds = []
    with Lane(RELEASED[0].number) as lane:
        for _ in range(2):  # the first one waits for the imports that the second one shares
            started = time.perf_counter()
            try:
                with WalledKernel(lane.take()) as kernel:
                    kernel.run("import torch\ndef double(x): return 2 * x")
                    reply = kernel.call("double", Call((torch.ones(2),)))
            except WallError as error:
                yield Finding("kernel", False, str(error))
                return
            if not (isinstance(reply, Value) and torch.equal(reply.result, torch.full((2,), 2.0))):
                yield Finding(
                    "kernel", False, f"no right answer came through the wall: {kernel.gone or reply}"
                )
                return
            seconds.append(time.perf_counter() - started)
        yield Finding("kernel", True, f"the first one started, asked and stopped in {seconds[0]:.1f} s")
        said = f"each further one in {seconds[1]:.1f} s"
        yield Finding("fast lane", True, f"not here ({lane.slow}); {said}, as safe" if lane.slow else said)

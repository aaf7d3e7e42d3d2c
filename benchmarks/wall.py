"""What the wall costs: start, a cell, a small call, ten million numbers, beside the same calls without a wall.

Every figure is the median of several runs in this one process, with the smallest and largest.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from autograder.both_sides.target import Call, LocalTarget, Target
from autograder.wall import Lane, Limits, OwnSandbox
from autograder.wall.kernel import WalledKernel

SOURCE = "import torch\ndef f(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)"


def timed(action: Callable[[], object], runs: int) -> dict[str, float]:
    """Milliseconds of ``action``: median, smallest and largest of ``runs``."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - started))
    return {"median": statistics.median(times), "min": min(times), "max": max(times)}


def calls(target: Target) -> dict[str, dict[str, float]]:
    """A small call and one with ten million numbers."""
    small = Call((torch.randn(8, 16), torch.randn(8, 16)))
    large = Call((torch.randn(1000, 5000), torch.randn(1000, 5000)))
    for call in (small, large):
        target.call("f", call)
    return {
        "small_call_ms": timed(lambda: target.call("f", small), 100),
        "ten_million_floats_ms": timed(lambda: target.call("f", large), 10),
    }


def start() -> None:
    """A sandbox with one kernel, up and down again."""
    with WalledKernel(OwnSandbox(2, Limits())):
        pass


def fork(lane: Lane) -> None:
    """A forked kernel, up and down again."""
    with WalledKernel(lane.take()):
        pass


def measure() -> dict[str, object]:
    """Measure everything; times in milliseconds."""
    namespace: dict[str, object] = {}
    exec(SOURCE, namespace)
    with WalledKernel(OwnSandbox(2, Limits())) as kernel:
        first_cell = timed(lambda: kernel.run(SOURCE), 1)
        walled = {"cell_ms": timed(lambda: kernel.run("1 + 1"), 30), **calls(kernel)}
    local = calls(LocalTarget(namespace))
    with Lane(2) as lane:
        fork(lane)  # the first one waits for the imports
        forked = timed(lambda: fork(lane), 20)
    return {
        "start_and_stop_ms": timed(start, 5),
        "fork_and_stop_ms": forked,
        "import_torch_cell_ms": first_cell["median"],
        "behind_the_wall": walled,
        "in_this_process": local,
        "small_call_overhead_ms": walled["small_call_ms"]["median"] - local["small_call_ms"]["median"],
    }

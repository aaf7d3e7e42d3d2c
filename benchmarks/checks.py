"""How long a learner waits for a check: right answers and known mistakes, in a process like that of a notebook.

A notebook asks the same questions each time. The first call of a check draws them and loads what it needs, and the
first failing one finds out what the known mistakes make of them; these two are reported on their own. All others are
summarised. Processor time says what a check costs where the machine is busy.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from autograder.assignments import ASSIGNMENTS
from autograder.both_sides.target import LocalTarget
from autograder.checks import checks_of
from autograder.judge.checking import judge
from autograder.judge.verdict import as_html
from autograder.learner.notebook import NOTEBOOK_SEED
from vae_ref.errors import CourseError

THREADS = 2
PASSING_RUNS = 15
FAILING_RUNS = 2  # of each known mistake


def measure() -> dict[str, Any]:
    """Times of all checks, an assignment a process; by the name of what they check."""
    found: dict[str, Any] = {}
    for assignment in ASSIGNMENTS:
        command = [sys.executable, "-m", "benchmarks.checks", assignment.slug]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise CourseError(f"measuring the checks of {assignment.slug} ended with {done.returncode}")
        found |= json.loads(done.stdout)
    return found


def measure_check(slug: str, name: str) -> dict[str, Any]:
    """Milliseconds of one check.

    Returns:
        For ``passing`` and ``failing``: the ``first`` call, then of all others the ``median`` and ``p95``, and
        ``processor``, the median of processor time.
    """
    check = checks_of(slug)[name]

    def run(function: Callable[..., Any]) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        as_html(judge(check, LocalTarget({name: function}), 1, NOTEBOOK_SEED), hint=0)
        return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)

    def summary(functions: list[Callable[..., Any]]) -> dict[str, float]:
        (first, _), *times = [run(function) for function in functions]
        walls, processors = zip(*times, strict=True)
        return {
            "first": first,
            "median": statistics.median(walls),
            "p95": statistics.quantiles(walls, n=20)[-1],
            "processor": statistics.median(processors),
        }

    variants = [misconception.variant for misconception in check.misconceptions]
    # the first round fails for the first time in each part, and is no more than its first call says
    cold = [run(variant)[0] for variant in variants]
    failing = summary(variants * FAILING_RUNS)
    return {
        "passing": summary([check.equivalents[0]] * PASSING_RUNS),
        "failing": failing | {"first": max(cold)},
        "mistakes": len(variants),
    }


def main() -> None:
    """Print the times of an assignment's checks as JSON."""
    torch.set_num_threads(THREADS)
    slug = sys.argv[1]
    print(json.dumps({name: measure_check(slug, name) for name in checks_of(slug)}))


if __name__ == "__main__":
    main()

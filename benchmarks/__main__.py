"""Measure the wall, speed, memory and quality, and write results.json and RESULTS.md: python -m benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import checks, false_failures, grading, machine, memory, quality, throughput, wall
from benchmarks.data import open_data
from benchmarks.table import render
from vae_ref.errors import CourseError
from vae_ref.files import write_text

HERE = Path(__file__).parent
PARTS = ("throughput", "memory", "quality", "wall", "checks", "false-failures", "grading", "class")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument(
        "--data", default="paper", metavar="FOLDER", help="Stanford Dogs' three archives; default: drawn dogs"
    )
    parser.add_argument("--cpu-seconds", type=float, default=120, help="training time of a run; default: 120")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each contestant; default: 3")
    parser.add_argument("--rounds", type=int, default=7, help="turns at measuring speed; default: 7")
    parser.add_argument("--turn", type=float, default=1.0, help="seconds of a turn; default: 1")
    parser.add_argument(
        "--judgements",
        type=int,
        default=1000,
        help="of each right answer; default: 1000; 10000 take half an hour",
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results; default: this one")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("build/benchmarks"),
        help="keeps finished runs; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    if min(options.cpu_seconds, options.seeds, options.rounds, options.turn, options.judgements) <= 0:
        parser.error("--cpu-seconds, --seeds, --rounds, --turn and --judgements must be above 0")
    return options


def measure_memory(data: str) -> object:
    """Peak memory of a training of each kind of model, in a new process each."""
    found = {}
    for model in memory.MODELS:
        command = [sys.executable, "-m", "benchmarks.memory", data, model]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise CourseError(f"the training whose memory is measured ended with exit code {done.returncode}")
        found[model] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure the parts asked for; the others keep what an earlier run found. Returns the exit code."""
    options = parse()
    file = options.out / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    measures: dict[str, Callable[[], object]] = {
        "wall": wall.measure,
        "checks": checks.measure,
        "grading": lambda: grading.measure(rounds=options.seeds),
        "class": grading.scale,
        "false-failures": lambda: false_failures.measure(options.judgements),
        "throughput": lambda: throughput.measure(open_data(options.data), options.rounds, options.turn),
        "memory": lambda: measure_memory(options.data),
        "quality": lambda: quality.measure(options.data, options.cpu_seconds, options.seeds, options.runs),
    }
    try:
        for part in options.parts or PARTS:
            load = os.getloadavg()[0]
            print(f"{part}: load {load:.1f} on {os.cpu_count()} cores", flush=True)
            found = measures[part]()
            name = "stanford" if options.data != "paper" else "paper"
            results[part] = {"machine": machine.describe(), "load_before": load, "data": name, "found": found}
            write_text(file, json.dumps(results, indent=2) + "\n")
            write_text(options.out / "RESULTS.md", render(results))
    except CourseError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: stopped; finished parts and runs are kept", file=sys.stderr)
        return 130
    print(f"written: {file} and {options.out / 'RESULTS.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

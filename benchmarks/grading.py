"""How long a class takes: this grader beside stock nbgrader and otter-grader, and how it goes on to a large course.

Everybody grades the same hand-ins of assignment 02, copies of the solution, as whole commands in processes of their
own, in turns. In the two others the checks run beside the learner's code, as their tests do; only here there is a wall.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook
from tqdm.auto import tqdm

from autograder.authoring.sample_class import SLUG, make_sample_class
from autograder.both_sides.target import LocalTarget
from autograder.checks import checks_of
from vae_ref.errors import CourseError

SOURCES = Path(__file__).parent.parent / "solutions"
STOCK_CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "vae"\n'
OTTER = """
import sys
from otter.api import grade_submission

for path in sys.argv[2:]:
    result = grade_submission(path, sys.argv[1], quiet=True)
    assert result.total == result.possible, result.total
"""
OTTER_TEST = """OK_FORMAT = True
test = {{
    "name": {name!r},
    "points": {points},
    "suites": [{{
        "cases": [{{"code": ">>> from autograder import check\\n>>> check({name}).verdict.passed\\nTrue"}}],
        "scored": True, "setup": "", "teardown": "", "type": "doctest",
    }}],
}}
"""
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Contestant:
    """Somebody who grades a course.

    Attributes:
        title: for the table.
        command: what to run in the course's folder.
    """

    title: str
    command: list[str]


def measure(hand_ins: int = 32, rounds: int = 3) -> dict[str, object]:
    """Seconds a hand-in of everybody, medians over rounds, and of the cells' and checks' own work.

    Args:
        hand_ins: size of the class.
        rounds: how often everybody grades it.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        course = make_class(folder / "course", hand_ins)
        contestants = _contestants(folder, course)
        seconds: dict[str, list[float]] = {contestant.title: [] for contestant in contestants}
        for _ in tqdm(range(rounds), desc="rounds", unit="round"):
            for contestant in contestants:
                seconds[contestant.title].append(_grade_copy(folder, course, contestant) / hand_ins)
        own = _own_work(course)
    return {
        "hand_ins": hand_ins,
        "seconds_a_hand_in": {
            title: {"median": statistics.median(times), "min": min(times), "max": max(times)}
            for title, times in seconds.items()
        },
        "own_work_seconds": own,
    }


def make_class(course: Path, hand_ins: int) -> Path:
    """A course whose learners have all handed in the solution."""
    make_sample_class(course, SOURCES)
    whole = course / "submitted"
    solution = whole.rename(course / "others") / "solution"
    for number in range(hand_ins):
        shutil.copytree(solution, whole / f"learner-{number:06}")
    shutil.rmtree(course / "others")
    return course


def _contestants(folder: Path, course: Path) -> list[Contestant]:
    programs = Path(sys.executable).parent
    package = _otter_package(folder, course)
    (folder / "with_otter.py").write_text(OTTER)
    notebooks = [str(path) for path in _otter_notebooks(folder / "otter", course)]
    ours = [str(programs / "autograder"), "grade", SLUG, "--workers"]
    return [
        Contestant("nbgrader", [str(programs / "nbgrader"), "autograde", SLUG]),
        Contestant("otter-grader", [sys.executable, str(folder / "with_otter.py"), str(package), *notebooks]),
        Contestant("one worker", [*ours, "1"]),
        Contestant("two workers", [*ours, "2"]),
    ]


def _otter_notebooks(folder: Path, course: Path) -> Iterator[Path]:
    """The same hand-ins without the cells of the checks, which are otter-grader's tests."""
    folder.mkdir()
    for path in sorted(course.glob("submitted/*/*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]
        copy = folder / f"{path.parts[-3]}.ipynb"
        nbformat.write(notebook, copy)
        yield copy


def _otter_package(folder: Path, course: Path) -> Path:
    """The same checks as tests of otter-grader."""
    tests, package, config = folder / "tests", folder / "otter.zip", folder / "otter.json"
    tests.mkdir()
    for name in checks_of(SLUG):
        (tests / f"{name}.py").write_text(OTTER_TEST.format(name=name, points=1))
    config.write_text("{}")
    command = [sys.executable, "-m", "otter", "generate", "-t", tests, "-o", package, "-c", config]
    _run([*map(str, command), "--no-requirements", "--no-environment"], course)
    return package


def _grade_copy(folder: Path, course: Path, contestant: Contestant) -> float:
    """Seconds that the command takes on a copy of the course which nobody has graded."""
    copy = folder / "copy"
    shutil.copytree(course, copy)
    if contestant.title == "nbgrader":
        (copy / "nbgrader_config.py").write_text(STOCK_CONFIG)
    started = time.perf_counter()
    _run(contestant.command, copy)
    seconds = time.perf_counter() - started
    shutil.rmtree(copy)
    return seconds


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise CourseError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-500:]}")


def _own_work(course: Path) -> float:
    """Seconds that the cells and the checks take by themselves: in one process, which has imported everything."""
    script = (
        "import sys; from benchmarks.grading import own_work; print(own_work(sys.argv[1]))",
        str(next(course.glob("submitted/*/*/*.ipynb"))),
    )
    done = subprocess.run([sys.executable, "-c", *script], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def own_work(notebook: str) -> float:
    """Seconds of a second run of the notebook's cells and checks in this process."""
    import matplotlib
    import torch

    from autograder.judge.checking import judge

    matplotlib.use("agg")
    torch.set_num_threads(1)
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    seconds = 0.0
    for run in range(2):
        namespace: dict[str, object] = {"__name__": "notebook"}
        started = time.perf_counter()
        for cell in cells:
            if not cell.metadata.get("nbgrader", {}).get("grade"):
                exec(cell.source, namespace)
        for check in checks_of(SLUG).values():
            judge(check, LocalTarget(namespace), 1, run)
        seconds = time.perf_counter() - started
    return seconds


def scale(hand_ins: int = 1000, workers: int = 2) -> dict[str, object]:
    """Grade one large class: when each tenth was done, the driver's memory, and how many the gradebook has.

    Args:
        hand_ins: size of the class.
        workers: graded at a time.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        course = make_class(Path(name) / "course", hand_ins)
        command = [
            str(Path(sys.executable).parent / "autograder"),
            "grade",
            SLUG,
            "--workers",
            str(workers),
        ]
        started = time.perf_counter()
        driver = subprocess.Popen(command, cwd=course, stdout=subprocess.DEVNULL)
        samples: list[dict[str, float]] = []
        watcher = threading.Thread(target=lambda: samples.extend(_samples(driver, course, started)))
        watcher.start()
        code = driver.wait()
        seconds = time.perf_counter() - started
        watcher.join()
        if code != 0:
            raise CourseError(f"autograder grade ended with {code}")
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "vae") as gradebook:
            scores = [submission.score for submission in gradebook.assignment_submissions(SLUG)]
    return {
        "hand_ins": hand_ins,
        "workers": workers,
        "seconds": seconds,
        "in_gradebook": len(scores),
        "full_marks": sum(score == max(scores) for score in scores),
        "driver_private_bytes": max(sample["private"] for sample in samples),
        "driver_resident_bytes": max(sample["resident"] for sample in samples),
        "driver_processor_seconds": max(sample["processor"] for sample in samples),
        "tenths": _tenths(samples, hand_ins),
    }


def _samples(driver: subprocess.Popen[bytes], course: Path, started: float) -> Iterator[dict[str, float]]:
    """Time, memory and work of the driver, and how many hand-ins are in the gradebook so far, until it ends."""
    process = psutil.Process(driver.pid)
    while driver.poll() is None:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            return
        yield {
            "seconds": time.perf_counter() - started,
            "private": memory.uss,
            "resident": memory.rss,
            "processor": process.cpu_times().user + process.cpu_times().system,
            "recorded": sum(1 for _ in course.glob(f"autograded/*/{SLUG}/*.ipynb")),
        }
        time.sleep(max(SAMPLE_SECONDS, 0.002 * len(list(course.glob("submitted/*")))))


def _tenths(samples: list[dict[str, float]], hand_ins: int) -> list[float]:
    """Seconds after which each tenth of the class was graded and in the gradebook."""
    return [
        next((sample["seconds"] for sample in samples if sample["recorded"] >= hand_ins * tenth / 10), -1.0)
        for tenth in range(1, 11)
    ]

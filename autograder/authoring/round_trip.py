"""The way of every assignment, from its text to grades and back: does the course hold what it promises learners?

A class is graded in which one learner hands in the solution, one nothing, and each of the others the solution with one
known mistake in it. The solution must get full marks, the empty hand-in 0; a mistake must cost points for its own item
and for no other, and must be called by its name. And the solution is run from clean, as a learner would.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import os
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import nbformat
import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm.auto import tqdm

from autograder.assignments import Assignment
from autograder.authoring.pictures import QUIETLY
from autograder.authoring.release import notebook_of
from autograder.authoring.sample_class import filled, written_in
from autograder.checks import checks_of
from autograder.grading.batch import Task, on_this_machine, task_of
from autograder.grading.graded import verdict_record
from autograder.grading.intake import take_in
from autograder.judge.definitions import Misconception
from autograder.wall.sandbox import modules_inside

SOLUTION, UNTOUCHED = "solution", "untouched"
CELL_SECONDS = 300
SAMPLE_SECONDS = 0.1
# a mistake comes as data: what it is made of cannot be imported where learners' code runs
MISTAKE = """\
import base64, cloudpickle, zlib
{name} = cloudpickle.loads(zlib.decompress(base64.b85decode({data!r})))
"""


@dataclass(frozen=True)
class Run:
    """A solution run from clean.

    Attributes:
        seconds: wall time.
        memory_bytes: most that its kernel had in memory.
        problems: cells that failed, and checks that were not content.
    """

    seconds: float
    memory_bytes: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoundTrip:
    """How the class of an assignment fared.

    Attributes:
        slug: name of the assignment.
        points: it is worth, without what a person grades.
        solution, untouched: points of these two hand-ins.
        mistakes: how many hand-ins had a mistake.
        killed: for how many the mistake cost points, of its own item only.
        named: how many got its name and no other.
        run: of the solution from clean.
        problems: a line on everything that is not as it should be.
    """

    slug: str
    points: int
    solution: float
    untouched: float
    mistakes: int
    killed: int
    named: int
    run: Run
    problems: tuple[str, ...]


def round_trip(
    assignment: Assignment, text_file: Path, released: Path, workers: int, each: int | None = None
) -> RoundTrip:
    """Take an assignment all the way.

    Args:
        assignment: which one.
        text_file: its source.
        released: the notebook that learners get.
        workers: hand-ins that are graded at a time.
        each: how many mistakes to try for each thing to write; None means all.

    Raises:
        CourseError: there is no wall here, or the source is at odds with the table.
    """
    solution = notebook_of(assignment, text_file.read_text(encoding="utf-8"))
    run = run_from_clean(solution)
    skeleton = nbformat.read(released, as_version=4)
    tasks = [*_class(assignment, solution, skeleton, each)]
    records = {}
    executor = on_this_machine(workers)
    with tqdm(total=len(tasks), desc=assignment.slug, unit="hand-in") as bar:
        for task, graded in executor(tasks):
            records[task.student] = verdict_record(graded)
            bar.update()
    scores = {
        student: {verdict["name"]: verdict["score"] for verdict in record["verdicts"]}
        for student, record in records.items()
    }
    problems = [*run.problems]
    full = {name: float(points) for name, points in assignment.points_of.items()}
    for student, wanted in ((SOLUTION, full), (UNTOUCHED, dict.fromkeys(full, 0.0))):
        said = records[student]["refused"] or "; ".join(records[student]["stopped"])
        if scores[student] != wanted or said:
            problems.append(f"{student}: {scores[student]} {said}".strip())
    killed = named = mistakes = 0
    for name, check in checks_of(assignment.slug).items():
        for mistake in check.misconceptions[:each]:
            mistakes += 1
            got = scores[mistake.name]
            others = {other: points for other, points in got.items() if other != name}
            expected = {other: points for other, points in full.items() if other != name}
            if got.get(name, full[name]) < full[name] and others == expected:
                killed += 1
            else:
                problems.append(f"{mistake.name}: {got} {records[mistake.name]['refused']}".strip())
            called = {v["name"]: v["misconceptions"] for v in records[mistake.name]["verdicts"]}.get(name)
            if called == [mistake.name]:
                named += 1
            else:
                problems.append(f"{mistake.name} is called {called}")
    return RoundTrip(
        assignment.slug,
        sum(assignment.points_of.values()),
        sum(scores[SOLUTION].values()),
        sum(scores[UNTOUCHED].values()),
        mistakes,
        killed,
        named,
        run,
        tuple(problems),
    )


def _class(
    assignment: Assignment, solution: NotebookNode, skeleton: NotebookNode, each: int | None
) -> Iterator[Task]:
    written = written_in(solution)
    yield _handed_in(assignment, SOLUTION, filled(skeleton, written), skeleton)
    yield _handed_in(assignment, UNTOUCHED, copy.deepcopy(skeleton), skeleton)
    for name, check in checks_of(assignment.slug).items():
        for mistake in check.misconceptions[:each]:
            wrong = {**written, name: mistake_source(assignment, name, mistake)}
            yield _handed_in(assignment, mistake.name, filled(skeleton, wrong), skeleton)


def mistake_source(assignment: Assignment, name: str, mistake: Misconception) -> str:
    """A cell that holds a known mistake in place of what learners write under ``name``."""
    with _by_value(assignment.number):
        data = base64.b85encode(zlib.compress(cloudpickle.dumps(mistake.variant), 9)).decode()
    return MISTAKE.format(name=name, data=data)


@contextlib.contextmanager
def _by_value(chapter: int) -> Iterator[None]:
    """Have what cannot be imported behind the wall pickled as what it is, not as a name."""
    package = "autograder.both_sides"
    seen = {package, *(f"{package}.{Path(name).stem}" for name in modules_inside(chapter))}
    hidden = [
        module
        for name, module in [*sys.modules.items()]
        if name.partition(".")[0] in ("autograder", "vae_ref") and "." in name and name not in seen
    ]
    for module in hidden:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in hidden:
            cloudpickle.unregister_pickle_by_value(module)


def _handed_in(assignment: Assignment, student: str, notebook: NotebookNode, skeleton: NotebookNode) -> Task:
    """The task that comes of a hand-in once intake has rebuilt it."""
    name = f"{assignment.slug}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder) / name)
        taken = take_in(Path(folder), skeleton, name).notebook
    return task_of(taken, assignment.slug, student)


def run_from_clean(solution: NotebookNode) -> Run:
    """Run all cells of a solution in a new kernel, the long ones as well.

    Args:
        solution: the notebook; it is left as it is.
    """
    notebook = copy.deepcopy(solution)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=True)
    peak, done = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(client, peak, done))
    started = time.monotonic()
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            client.execute(cwd=folder, env={**os.environ, **QUIETLY})
    finally:
        done.set()
        watcher.join()
    return Run(time.monotonic() - started, peak[0], tuple(_failed_cells(notebook)))


def _watch(client: NotebookClient, peak: list[int], done: threading.Event) -> None:
    while not done.wait(SAMPLE_SECONDS):
        provisioner = getattr(client.km, "provisioner", None)
        pid = getattr(provisioner, "pid", None)
        try:
            peak[0] = max(peak[0], psutil.Process(pid).memory_info().rss if pid else 0)
        except psutil.Error:
            continue


def _failed_cells(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        first = cell.source.partition("\n")[0][:60]
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield f"run from clean: {output.ename} ({output.evalue[:200]}) in the cell {first!r}"
        if cell.source.startswith("check("):
            said = " ".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
            if " is right: " not in said:
                yield f"run from clean: {first} says {said[:200]!r}"


TABLE_HEAD = """\
| assignment | solution | untouched | mistakes killed | named | minutes | peak memory |
| --- | --- | --- | --- | --- | --- | --- |"""


def as_row(trip: RoundTrip) -> str:
    """A row of the table, in Markdown."""
    cells = (
        trip.slug,
        f"{trip.solution:g} of {trip.points}",
        f"{trip.untouched:g}",
        f"{trip.killed} of {trip.mistakes}",
        f"{trip.named} of {trip.mistakes}",
        f"{trip.run.seconds / 60:.1f}",
        f"{trip.run.memory_bytes / 2**30:.1f} GiB",
    )
    return f"| {' | '.join(cells)} |"

"""Grade many hand-ins at once, and none twice.

Every graded notebook is kept in the course's folder under a name that depends on all that decides its grades. So a
batch that was stopped goes on where it was, and a hand-in is graded again only when it, or the grader, has changed.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode
from tqdm.auto import tqdm

from autograder.assignments import assignment_named
from autograder.grading.graded import fill_in_reason, was_refused
from autograder.grading.grader_version import ROOTS, grader_of
from autograder.grading.intake import record_of
from autograder.wall import Lane, Limits
from vae_ref.files import write_text

if TYPE_CHECKING:
    from autograder.grading.apart import Grading

FOLDER = ".graded"  # in the course's folder, which nobody behind the wall can see


@dataclass(frozen=True)
class Task:
    """A hand-in to be graded.

    Attributes:
        slug: name of the assignment.
        student: whose it is.
        text: the notebook that intake rebuilt, as a file has it.
        limits: what the hand-in may use.
    """

    slug: str
    student: str
    text: str
    limits: Limits = field(default_factory=Limits)

    @property
    def notebook(self) -> NotebookNode:
        """The notebook, read anew each time: a large class would not fit into memory as objects."""
        return nbformat.reads(self.text, as_version=4)

    @functools.cached_property
    def refused(self) -> str:
        """Why intake refused it; empty if it did not."""
        return record_of(self.notebook)[0]

    @functools.cached_property
    def key(self) -> str:
        """A short name for all that decides the grades."""
        notebook = self.notebook
        cells = [[cell.cell_type, _grade_id(cell), cell.source] for cell in notebook.cells]
        parts = [
            self.slug,
            self.student,
            record_of(notebook),
            cells,
            asdict(self.limits),
            grader_of(self.slug),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def task_of(notebook: NotebookNode, slug: str, student: str, limits: Limits | None = None) -> Task:
    """The task of grading a notebook that intake rebuilt, without the pictures in its texts.

    Nobody looks at them while it is graded, and those of a large class would fill the memory.
    """
    lean = copy.deepcopy(notebook)
    for cell in lean.cells:
        cell.pop("attachments", None)
    return Task(slug, student, nbformat.writes(lean), limits or Limits())


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


@functools.cache
def grader_version() -> str:
    """A short name for all the code, the reference included, by which machines see that they have the same."""
    digest = hashlib.sha256()
    for package in ROOTS.values():
        for path in sorted(package.rglob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Store:
    """Graded notebooks of an assignment, one for each learner and notebook.

    Args:
        course: the course's folder.
        slug: name of the assignment.
    """

    def __init__(self, course: Path, slug: str) -> None:
        self._folder = course / FOLDER / slug

    def has(self, task: Task) -> bool:
        """Whether this hand-in was graded by this grader already."""
        return self._path(task).is_file()

    def load(self, task: Task) -> NotebookNode | None:
        """The graded notebook if there is one."""
        return nbformat.read(self._path(task), as_version=4) if self.has(task) else None

    def save(self, task: Task, graded: NotebookNode) -> None:
        """Keep a graded notebook in place of what the learner handed in before."""
        path = self._path(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, nbformat.writes(graded))
        for other in path.parent.iterdir():
            if other != path:
                other.unlink()

    def _path(self, task: Task) -> Path:
        return self._folder / folder_of(task.student) / f"{task.key}.ipynb"


def folder_of(student: str) -> str:
    """The folder of a learner in the store of an assignment: a name may be as long as a file's name can be."""
    return hashlib.sha256(student.encode()).hexdigest()[:16]


# Grades tasks, in any order and wherever it likes, and yields each with its graded notebook as soon as that is there.
# Closing the iterator ends what is still being graded. Here on_this_machine makes one, cluster.py another.
Executor = Callable[[Sequence[Task]], Generator[tuple[Task, NotebookNode], None, None]]


def grade_all(tasks: Sequence[Task], store: Store, executor: Executor) -> Generator[Task, None, None]:
    """Grade hand-ins, several at a time, and keep each as soon as it is graded.

    Args:
        tasks: what to grade; what ``store`` has already is not graded again.
        store: gets the graded notebooks.
        executor: grades them; it goes on with those it has begun while the caller looks after one that is there.

    Yields:
        Each task once ``store`` has it.

    Raises:
        CourseError: nothing can be graded here, whoever hands in.
    """
    done, wanted, failed = [], [], 0
    for task in tasks:
        if store.has(task):
            done.append(task)
        elif task.refused:
            store.save(task, fill_in_reason(task.notebook, task.refused))
            done.append(task)
            failed += 1
        else:
            wanted.append(task)
    with (
        contextlib.closing(executor(wanted)) as results,
        tqdm(total=len(tasks), desc="grading", unit="hand-in") as bar,
    ):
        for task in done:
            yield task
            bar.update()
        for task, graded in results:
            store.save(task, graded)
            failed += was_refused(graded)
            bar.set_postfix_str(f"{failed} without grades" if failed else "", refresh=False)
            yield task
            bar.update()


def on_this_machine(workers: int, hidden: tuple[Path, ...] = ()) -> Executor:
    """Grades in processes of this machine.

    Args:
        workers: how many hand-ins are graded at the same time.
        hidden: folders that must not be visible behind the wall.
    """
    return functools.partial(_in_parallel, workers=workers, hidden=hidden)


def _in_parallel(
    tasks: Sequence[Task], workers: int, hidden: tuple[Path, ...]
) -> Generator[tuple[Task, NotebookNode], None, None]:
    if not tasks:
        return
    from autograder.grading.apart import Grading, prepare  # with torch, for which no other command may wait

    waiting = list(reversed(tasks))
    running: list[tuple[Task, Grading]] = []
    with Lane(assignment_named(tasks[0].slug).number, tasks[0].limits, hidden) as lane:
        lane.warm_up()
        prepare(tasks[0].slug)
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    task = waiting.pop()
                    running.append((task, Grading(task.notebook, task.slug, task.student, lane.take())))
                seconds = max(0.0, min(grading.deadline for _, grading in running) - time.monotonic())
                ready = wait([grading.receiver for _, grading in running], seconds)
                for pair in [*running]:
                    if pair[1].receiver in ready or pair[1].deadline <= time.monotonic():
                        running.remove(pair)
                        yield pair[0], pair[1].finish()
        finally:  # stopped in the middle: nobody goes on behind our back
            for _, grading in running:
                grading.stop()


def default_workers() -> int:
    """One for each processor that this process may use."""
    return len(os.sched_getaffinity(0))

"""Grade all hand-ins of an assignment: several at a time, and each into the gradebook as soon as it is graded."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import nbformat
import nbgrader.api
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError

from autograder.course.moves import (
    FOLDER,
    Move,
    keep_moves,
    keep_settled,
    move_of_penalty,
    moves_between,
    standing,
    told,
)
from autograder.grading.autograde import Autograde, Judge
from autograder.grading.batch import Executor, Store, Task, grade_all, task_of
from autograder.grading.gradebook import course_config
from autograder.grading.late import settle
from vae_ref.errors import CourseError


class BatchAutograde(Autograde):
    """nbgrader's Autograde, with the gradebook written while the next hand-ins are graded.

    What is in the gradebook already is left as it is unless the hand-in or the grader has changed.
    """

    executor: Executor
    unchanged = 0
    moves: list[Move]  # of scores that there were before
    assignments: dict[str, list[str]]  # folder of each hand-in → its notebooks

    def _require_wall(self) -> None:
        pass  # the machines that grade need one, and say so; this one may be none of them

    def convert_notebooks(self) -> None:
        store = Store(Path(self.coursedir.root), self.coursedir.assignment_id)
        tasks = {folder: self._tasks(notebooks) for folder, notebooks in self.assignments.items()}
        times = self._times()
        changed = {
            folder: self.assignments[folder] for folder in tasks if self._changed(store, tasks[folder], times)
        }
        self.unchanged = len(tasks) - len(changed)
        self.force = True  # those that are left replace what was there
        wanted = [task for folder in changed for task in tasks[folder]]
        folders = {task.student: folder for folder in changed for task in tasks[folder]}
        left = Counter(task.student for task in wanted)
        failures: list[NbGraderException] = []
        self.moves = []
        Judge.store = store
        try:
            with _one_engine(), contextlib.closing(grade_all(wanted, store, self.executor)) as graded:
                for task in graded:
                    left[task.student] -= 1
                    if left[task.student] == 0:
                        folder = folders[task.student]
                        self.assignments = {folder: changed[folder]}
                        failures += self._record(task.slug, task.student)
        finally:
            Judge.store, self.assignments = None, changed
        if failures:
            raise failures[0]

    def _record(self, slug: str, student: str) -> list[NbGraderException]:
        """Put the present hand-in into the gradebook; what went wrong with it must not stop the others."""
        before = standing(self.coursedir, slug, student)
        try:
            super().convert_notebooks()
        except NbGraderException as error:
            if isinstance(error.__context__, OperationalError):
                raise  # the gradebook is out of reach, for the others too
            return [error]
        after = standing(self.coursedir, slug, student) if before is not None else None
        if before is not None and after is not None:
            keep_settled(self.coursedir, slug, student, before, after)
            self._tell(slug, [*moves_between(student, before, after)])
        return []

    def _tell(self, slug: str, moves: list[Move]) -> None:
        # at once: who is stopped and goes on later has all of them in the file
        keep_moves(Path(self.coursedir.root), slug, moves)
        self.moves += moves

    def _tasks(self, notebooks: list[str]) -> list[Task]:
        tasks, limits = [], Judge(config=self.config).limits
        for name in notebooks:
            about = self.init_single_notebook_resources(name)["nbgrader"]
            notebook = nbformat.read(name, as_version=4)
            tasks.append(task_of(notebook, about["assignment"], about["student"], limits))
        return tasks

    def _changed(self, store: Store, tasks: list[Task], times: Mapping[str, datetime | None]) -> bool:
        slug, student = tasks[0].slug, tasks[0].student
        there = Path(self._format_dest(slug, student)).is_dir()
        # with another time of hand-in it is entered again, without being graded
        time = self.coursedir.get_existing_timestamp(self._format_source(slug, student))
        return (
            not there
            or any(not store.has(task) for task in tasks)
            or (student not in times or times[student] != time)
        )

    def _times(self) -> dict[str, datetime | None]:
        """When those in the gradebook have handed in."""
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            found = gradebook.assignment_submissions(self.coursedir.assignment_id)
            return {str(submission.student_id): submission.timestamp for submission in found}


@contextlib.contextmanager
def _one_engine() -> Iterator[None]:
    """nbgrader opens the gradebook a dozen times for each hand-in; with one engine its queries are compiled once."""
    own = nbgrader.api.create_engine
    nbgrader.api.create_engine = functools.cache(own)
    try:
        yield
    finally:
        nbgrader.api.create_engine = own


def grade_assignment(course: Path, slug: str, executor: Executor) -> str:
    """Grade all hand-ins of an assignment that are new or have changed.

    Args:
        course: an nbgrader course.
        slug: name of the assignment.
        executor: grades them; nobody behind its wall needs to see the course's folder.

    Returns:
        What was done: the scores that moved, if there were any before, and one line.

    Raises:
        CourseError: there is no course, no release, no hand-in or no wall, or the gradebook cannot be used.
    """
    course = course.resolve()
    config = course_config(course)
    app = BatchAutograde(
        coursedir=CourseDirectory(config=config, root=str(course), assignment_id=slug), config=config
    )
    app.create_student, app.executor = True, executor
    app.log.setLevel(logging.ERROR)
    try:
        app.start()
    except NbGraderException as error:
        raise CourseError(str(error)) from None
    app._tell(slug, [move_of_penalty(one) for one in settle(app.coursedir, config, slug)])
    done = f"{len(app.assignments)} graded, {app.unchanged} unchanged"
    return f"{told(app.moves, course / FOLDER / f'{slug}.csv')}\n{done}" if app.moves else done

"""What is known about the graded hand-ins of an assignment: scores from the gradebook, records from the notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import BaseCell, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory

from autograder.grading.gradebook import course_config, require_gradebook
from autograder.grading.graded import verdict_record
from vae_ref.errors import CourseError


@dataclass(frozen=True)
class Score:
    """What the gradebook says about a hand-in.

    Attributes:
        student: nbgrader's id of the learner.
        name: last and first name, as far as the gradebook has them.
        points: of all graded cells, with those given by hand, and after the penalty; never below 0.
        raw_points: the same before the penalty.
        penalty: points taken off for handing in late.
        max_points: of the assignment.
        checks: points of each check.
        timestamp: when it was handed in, in UTC.
        needs_manual_grade: whether somebody has to look at it still.
    """

    student: str
    name: str
    points: float
    raw_points: float
    penalty: float
    max_points: float
    checks: dict[str, float]
    timestamp: datetime | None
    needs_manual_grade: bool


@dataclass(frozen=True)
class HandIn:
    """A graded hand-in.

    Attributes:
        score: what the gradebook says.
        record: see :func:`autograder.grading.graded.verdict_record`; None where there is no graded notebook.
        answers: source of each solution cell.
    """

    score: Score
    record: dict[str, Any] | None
    answers: dict[str, str]

    @property
    def student(self) -> str:
        return self.score.student


def open_course(course: Path, slug: str) -> CourseDirectory:
    """The folders of a course whose gradebook knows the assignment.

    Raises:
        CourseError: there is no course or no assignment, or the gradebook cannot be used.
    """
    coursedir = CourseDirectory(config=course_config(course), root=str(course.resolve()), assignment_id=slug)
    require_gradebook(coursedir, slug)
    return coursedir


def hand_ins(coursedir: CourseDirectory, slug: str) -> list[HandIn]:
    """All graded hand-ins of an assignment, by the learners' ids.

    Raises:
        CourseError: none is graded yet.
    """
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        scores = scores_of(gradebook, slug)
    if not scores:
        raise CourseError(f"no hand-in of {slug} is graded yet: autograder grade {slug}")
    found = []
    for score in scores:
        notebook = graded_notebook(coursedir, slug, score.student)
        record = None if notebook is None else verdict_record(notebook)
        found.append(HandIn(score, record, {} if notebook is None else dict(solution_cells(notebook))))
    return found


def scores_of(gradebook: Gradebook, slug: str) -> list[Score]:
    """What the gradebook says about every hand-in of an assignment, by the learners' ids."""
    this = SubmittedAssignment.assignment_id == gradebook.find_assignment(slug).id
    checks: dict[str, dict[str, float]] = {}
    for submission, cell, points in (
        gradebook.db.query(SubmittedAssignment.id, BaseCell.name, Grade.score)
        .select_from(Grade)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .filter(this)
    ):
        checks.setdefault(submission, {})[cell.removeprefix("check_")] = points or 0.0
    penalties: dict[str, float] = {}
    for submission, penalty in (
        gradebook.db.query(SubmittedAssignment.id, SubmittedNotebook.late_submission_penalty)
        .select_from(SubmittedNotebook)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(this)
    ):
        penalties[submission] = penalties.get(submission, 0.0) + (penalty or 0.0)
    found = []
    for submission in gradebook.submission_dicts(
        slug
    ):  # one query, where the objects would ask again for each learner
        penalty = penalties.get(submission["id"], 0.0)
        found.append(
            Score(
                student=str(submission["student"]),
                name=", ".join(part for part in (submission["last_name"], submission["first_name"]) if part),
                points=max(0.0, submission["score"] - penalty),
                raw_points=submission["score"],
                penalty=penalty,
                max_points=submission["max_score"],
                checks=checks.get(submission["id"], {}),
                timestamp=submission["timestamp"],
                needs_manual_grade=bool(submission["needs_manual_grade"]),
            )
        )
    return sorted(found, key=lambda score: score.student)


def graded_notebook(coursedir: CourseDirectory, slug: str, student: str) -> NotebookNode | None:
    """The graded notebook of a hand-in, or None if it is not there or cannot be read."""
    return _read(Path(coursedir.format_path(coursedir.autograded_directory, student, slug)) / f"{slug}.ipynb")


def stubs(coursedir: CourseDirectory, slug: str) -> dict[str, str]:
    """Source of each solution cell as it was released; empty where there is no release any more."""
    released = _read(Path(coursedir.format_path(coursedir.release_directory, ".", slug)) / f"{slug}.ipynb")
    return {} if released is None else dict(solution_cells(released))


def solution_cells(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Name and source of each solution cell."""
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution"):
            yield str(mark.get("grade_id", "")), cell.source


def _read(path: Path) -> NotebookNode | None:
    try:
        # this project wrote it, and validating it as nbformat.read does would take most of the time
        return nbformat.v4.reads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

"""The gradebook of a course as a table for the terminal."""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError

from autograder.release import course_config
from vae_ref.errors import CourseError


def grades_table(course: Path, slug: str) -> str:
    """One line for each hand-in: points of each check, their sum, and the reason if it was refused.

    Raises:
        CourseError: the course, its gradebook or the assignment is missing, or the gradebook cannot be read.
    """
    coursedir = CourseDirectory(config=course_config(course), root=str(course.resolve()))
    if (
        coursedir.db_url.startswith("sqlite:///")
        and not Path(coursedir.db_url.removeprefix("sqlite:///")).is_file()
    ):
        raise CourseError(
            f"there is no gradebook at {coursedir.db_url}: release an assignment in {course} first"
        )
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            submissions = sorted(gradebook.assignment_submissions(slug), key=lambda s: str(s.student.id))
            rows = [_row(submission) for submission in submissions]
    except MissingEntry:
        raise CourseError(f"the gradebook has no assignment {slug!r}: release it first") from None
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise CourseError(
            f"the gradebook {coursedir.db_url} cannot be read ({reason}): is its server up, is it busy?"
        ) from None
    if not rows:
        return f"No hand-in of {slug} is graded yet."
    header = ["learner", *rows[0][1], "sum", ""]
    body = [[name, *points.values(), total, note] for name, points, total, note in rows]
    widths = [max(len(line[i]) for line in (header, *body)) for i in range(len(header))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        for line in (header, *body)
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(submission: object) -> tuple[str, dict[str, str], str, str]:
    notebooks = submission.notebooks  # type: ignore[attr-defined]
    grades = [grade for notebook in notebooks for grade in notebook.grades]
    comments = [c.auto_comment for notebook in notebooks for c in notebook.comments if c.auto_comment]
    reasons = [text for text in comments if text != "No response."]
    points = {
        grade.name.removeprefix("check_"): "–" if grade.auto_score is None else f"{grade.auto_score:g}"
        for grade in grades
    }
    student = submission.student.id  # type: ignore[attr-defined]
    return student, points, f"{submission.score:g}", reasons[0] if reasons else ""  # type: ignore[attr-defined]

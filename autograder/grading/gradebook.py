"""The gradebook of a course: whether it can be used, and what it says as a table for the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from vae_ref.errors import CourseError

CONFIG_NAME = "nbgrader_config.py"
SQLITE = "sqlite:///"
BUSY_SECONDS = 10


def course_config(course: Path) -> Config:
    """The nbgrader configuration of a course folder.

    Raises:
        CourseError: the folder has none.
    """
    if not (course / CONFIG_NAME).is_file():
        raise CourseError(f"{course} is no nbgrader course: it has no {CONFIG_NAME}")
    return PyFileConfigLoader(CONFIG_NAME, path=str(course)).load_config()


def require_gradebook(coursedir: CourseDirectory, slug: str) -> None:
    """See that the gradebook is there, can be written, and knows the assignment.

    Raises:
        CourseError: one of these is not so; the message says what to do.
    """
    url = coursedir.db_url
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).is_file():
        raise CourseError(f"there is no gradebook at {url}: run nbgrader generate_assignment {slug} first")
    require_connection(url)
    with _in_words(url), Gradebook(url, coursedir.course_id) as gradebook:
        try:
            gradebook.find_assignment(slug)
        except MissingEntry:
            raise CourseError(
                f"the gradebook {engine_name(url)} has no assignment {slug!r}: release it first"
            ) from None


def require_connection(url: str) -> None:
    """See that a gradebook's database answers and can be written; a file need not be there, but its folder.

    Raises:
        CourseError: it does not; the message says what to do.
    """
    lite = url.startswith(SQLITE)
    file = Path(url.removeprefix(SQLITE))
    if lite and not file.parent.is_dir():
        raise CourseError(f"there is no folder {file.parent} for the gradebook: make it, or name another")
    if lite and not file.exists():
        return
    with _in_words(url):
        engine = sqlalchemy.create_engine(url, connect_args={"timeout": BUSY_SECONDS} if lite else {})
        with engine.connect() as connection:
            # SQLite allows one writer at a time: wait for our turn now, not in the middle of a hand-in
            connection.exec_driver_sql("BEGIN IMMEDIATE" if lite else "SELECT 1")
            connection.rollback()


@contextlib.contextmanager
def _in_words(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise CourseError(
            f"the gradebook {engine_name(url)} cannot be used ({reason}): is it busy, is its server up, is its "
            "driver installed?"
        ) from None


def engine_name(url: str) -> str:
    """The address of a gradebook without its password."""
    return sqlalchemy.make_url(url).render_as_string(hide_password=True)


def grades_table(course: Path, slug: str) -> str:
    """One line for each hand-in: points of each check, their sum, and the reason if it was refused.

    Raises:
        CourseError: the course, its gradebook or the assignment is missing, or the gradebook cannot be used.
    """
    coursedir = CourseDirectory(config=course_config(course), root=str(course.resolve()))
    require_gradebook(coursedir, slug)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        submissions = sorted(gradebook.assignment_submissions(slug), key=lambda s: str(s.student.id))
        rows = [_row(submission) for submission in submissions]
    if not rows:
        return f"No hand-in of {slug} is graded yet."
    table = [
        ["learner", *rows[0][1], "sum", ""],
        *([name, *points.values(), total, note] for name, points, total, note in rows),
    ]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in table]
    return "\n".join(line.rstrip() for line in lines)


def _row(submission: SubmittedAssignment) -> tuple[str, dict[str, str], str, str]:
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    comments = [
        c.auto_comment for notebook in submission.notebooks for c in notebook.comments if c.auto_comment
    ]
    reasons = [text for text in comments if text != "No response."]
    points = {
        # what a person has to grade, and has not, has no points yet
        g.name.removeprefix("check_"): "–"
        if g.auto_score is None and g.manual_score is None
        else f"{g.score:g}"
        for g in grades
    }
    return submission.student.id, points, f"{submission.score:g}", reasons[0] if reasons else ""

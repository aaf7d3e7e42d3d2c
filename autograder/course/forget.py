"""Remove what a course holds of a learner, and tell which files still mention the learner."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import text

from autograder.course import moves
from autograder.grading import batch
from autograder.grading.gradebook import SQLITE, course_config, require_connection
from autograder.reports.spreadsheets import as_text, to_csv
from vae_ref.errors import CourseError
from vae_ref.files import write_text

LARGEST = 200 * 2**20  # bytes of a file that is searched


def holdings(course: Path, student: str) -> list[str]:
    """What the course holds of a learner, a line each.

    Raises:
        CourseError: there is no course, its gradebook cannot be used, or this can be no learner's name.
    """
    coursedir = _open(course, student)
    found = [str(path) for path in (*_folders(coursedir, student), *_stored(course, student))]
    if submissions := _submissions(coursedir, student):
        found.append(f"in the gradebook: {', '.join(submissions)}")
    elif submissions is not None:
        found.append("in the gradebook: a name without grades")
    found += [f"{path}: lines of moved scores" for path in _moved(course, student)]
    return found


def forget(course: Path, student: str) -> None:
    """Remove all of :func:`holdings`; who was stopped in the middle gives the command again.

    Raises:
        CourseError: as for :func:`holdings`, or something cannot be removed.
    """
    coursedir = _open(course, student)
    try:
        for path in (*_folders(coursedir, student), *_stored(course, student)):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)
    except OSError as error:
        raise CourseError(
            f"{error.filename} cannot be removed ({error.strerror}): remove it by hand"
        ) from None
    for path in _moved(course, student):
        rows = moves.read_moves(path)
        write_text(path, to_csv([row for row in rows if row[1:2] != [as_text(student)]]))
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            gradebook.remove_student(student)
        except MissingEntry:
            return
        if coursedir.db_url.startswith(SQLITE):
            gradebook.db.execute(text("VACUUM"))  # or the rows stay in the file, unused


def mentions(course: Path, student: str) -> list[Path]:
    """Files of the course, beside those of other learners, with the learner's name in them: exports, pages, logs."""
    coursedir = _open(course, student)
    word = re.compile(rb"(?<![\w.@+-])" + re.escape(student.encode()) + rb"(?![\w@+-])")
    everybody = (*_steps(coursedir), coursedir.source_directory, coursedir.release_directory)
    others = {coursedir.format_path(step, "x", "x") for step in everybody}
    others = {str(Path(path).parents[1]) for path in others}
    found = []
    for folder, folders, files in os.walk(course.resolve()):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders if str(here / name) not in others and name != batch.FOLDER
        )
        for name in sorted(files):
            path = here / name
            if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
                continue
            if word.search(name.encode(errors="surrogateescape")) or word.search(path.read_bytes()):
                found.append(path)
    return found


def _open(course: Path, student: str) -> CourseDirectory:
    if not student.strip(". ") or any(sign in student for sign in "/\\\0*?["):
        raise CourseError(f"{student!r} can be no learner's name: give it as the gradebook has it")
    coursedir = CourseDirectory(config=course_config(course), root=str(course.resolve()))
    require_connection(coursedir.db_url)
    return coursedir


def _steps(coursedir: CourseDirectory) -> tuple[str, ...]:
    return coursedir.submitted_directory, coursedir.autograded_directory, coursedir.feedback_directory


def _folders(coursedir: CourseDirectory, student: str) -> list[Path]:
    found = [Path(coursedir.format_path(step, student, "x")).parent for step in _steps(coursedir)]
    return [path for path in found if path.is_symlink() or path.is_dir()]


def _stored(course: Path, student: str) -> list[Path]:
    return sorted((course.resolve() / batch.FOLDER).glob(f"*/{batch.folder_of(student)}"))


def _moved(course: Path, student: str) -> list[Path]:
    return [
        path
        for path in sorted((course.resolve() / moves.FOLDER).glob("*.csv"))
        if any(row[1:2] == [as_text(student)] for row in moves.read_moves(path)[1:])
    ]


def _submissions(coursedir: CourseDirectory, student: str) -> list[str] | None:
    """The assignments that the gradebook has of a learner; None if it does not know the learner."""
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            return sorted(str(s.assignment.name) for s in gradebook.find_student(student).submissions)
        except MissingEntry:
            return None

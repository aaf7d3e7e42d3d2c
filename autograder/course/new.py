"""A new nbgrader course, ready to hand out: configuration, released notebooks, due dates, gradebook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.assignments import RELEASED, Assignment
from autograder.authoring.release import PICTURES, notebook_of, release, text_of
from autograder.grading.gradebook import CONFIG_NAME, course_config, engine_name, require_connection
from vae_ref.errors import CourseError
from vae_ref.files import write_text

CONFIG = '''"""An nbgrader course, graded behind a wall. Change this file as you like: it is not written again."""

from autograder.nbgrader_plugins import configure

c = get_config()
configure(c)
c.CourseDirectory.course_id = "vae"
{db}
# What handing in late costs: "none", "zero" (all points), or "per-day", a share of the points for each day begun.
c.LatePolicy.penalty_method = "none"
c.LatePolicy.share_a_day = 0.1
c.LatePolicy.grace_minutes = 0
'''
_WHEN = re.compile(r" *(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?))? ?(Z|UTC|[+-]\d{2}:?\d{2})? *")


def chosen(slugs: Sequence[str]) -> list[Assignment]:
    """The assignments with these names, or all that have a notebook.

    Raises:
        CourseError: a name is unknown or stands there twice.
    """
    known = {assignment.slug: assignment for assignment in RELEASED}
    for slug in slugs:
        if slug not in known:
            raise CourseError(f"there is no assignment named {slug!r}; there is {', '.join(known)}")
    if len(set(slugs)) != len(slugs):
        raise CourseError(f"an assignment is named twice: {', '.join(slugs)}")
    return [known[slug] for slug in slugs or known]


def due_dates(said: Sequence[str], assignments: Sequence[Assignment]) -> dict[str, datetime]:
    """Due dates by assignment, in UTC without a zone, from ``NN_name=2027-03-01 23:59``.

    Raises:
        CourseError: one cannot be read, or is for an assignment that is not among these, or there are two.
    """
    found: dict[str, datetime] = {}
    slugs = [assignment.slug for assignment in assignments]
    for text in said:
        slug, equals, when = text.partition("=")
        match = _WHEN.fullmatch(when)
        if not equals or match is None:
            raise CourseError(
                f"--due {text!r} cannot be read: write it as {slugs[0]}=2027-03-01, or with a time as "
                f'"{slugs[0]}=2027-03-01 18:00 +0100"; without a zone it is UTC'
            )
        if slug not in slugs:
            raise CourseError(
                f"--due is for {slug!r}, which is not among the chosen assignments: {', '.join(slugs)}"
            )
        if slug in found:
            raise CourseError(f"--due names {slug} twice: leave one out")
        day, time, zone = match.groups()
        try:
            # a day ends when it is over
            local = datetime.fromisoformat(f"{day}T{time or '23:59:59'}{(zone or 'Z').replace('UTC', 'Z')}")
            found[slug] = local.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            raise CourseError(f"--due {text!r} is no day of the calendar") from None
    return found


def new_course(
    course: Path,
    sources: Path,
    assignments: Sequence[Assignment],
    due: Mapping[str, datetime],
    db: str | None = None,
) -> Iterator[str]:
    """Make a course, or go on with one; whatever an instructor has changed in it is left as it is.

    Args:
        course: the folder; new, empty, or a course of this kind.
        sources: the folder of the solutions' texts.
        assignments: those to release.
        due: due dates in UTC by assignment.
        db: the gradebook's URL, as SQLAlchemy spells it; None is a file in the course.

    Yields:
        A line on each thing that was done or left.

    Raises:
        CourseError: the folder holds something else, the gradebook cannot be used, a source is missing, or ``db`` is at
            odds with the course's configuration.
    """
    if db is not None:
        _require_address(db)  # what was typed wrong is said before what is not there
    texts = [(assignment, text_of(assignment, sources)) for assignment in assignments]
    yield _configure(course, db)
    config = _our_config(course)
    coursedir = CourseDirectory(config=config, root=str(course.resolve()))
    if db is not None and coursedir.db_url != db:
        raise CourseError(
            f"--db names {engine_name(db)}, {course / CONFIG_NAME} names {engine_name(coursedir.db_url)}: change "
            "c.CourseDirectory.db_url there, or leave --db out"
        )
    for assignment, text_file in texts:
        yield _release(assignment, text_file, course, coursedir)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        for slug, when in due.items():
            gradebook.update_or_create_assignment(slug, duedate=when)
            yield f"{slug}: due {when:%Y-%m-%d %H:%M} UTC"


def _configure(course: Path, db: str | None) -> str:
    path = course / CONFIG_NAME
    if db is not None:
        require_connection(db)
    wanted = CONFIG.format(db=f"c.CourseDirectory.db_url = {db!r}\n" if db is not None else "")
    if path.is_file():
        return f"{path}: there already, left as it is"
    if course.exists() and not course.is_dir():
        raise CourseError(f"{course} is a file: name a folder for the course")
    if course.is_dir() and any(course.iterdir()):
        raise CourseError(
            f"{course} is not empty and no nbgrader course: name a new folder, or put a {CONFIG_NAME} there"
        )
    write_text(path, wanted)
    if db is not None and urlsplit(db).password:
        path.chmod(0o600)  # the password is in it
    return f"{path}: made"


def _require_address(db: str) -> None:
    try:
        engine_name(db)
    except Exception:  # of SQLAlchemy, whose message has the whole address, and so the password
        raise CourseError(
            "--db is no address of a gradebook: write it as postgresql://USER:PASSWORD@HOST/NAME or sqlite:////FILE"
        ) from None


def _our_config(course: Path) -> Config:
    """The configuration, if it grades behind the wall.

    Raises:
        CourseError: it does not.
    """
    config = course_config(course)
    if config.GenerateFeedback.get("exporter_class") != "autograder.reports.feedback.FeedbackExporter":
        raise CourseError(
            f"{course / CONFIG_NAME} does not call configure(c): add the line "
            '"from autograder.nbgrader_plugins import configure" and, below c = get_config(), "configure(c)"'
        )
    return config


def _release(assignment: Assignment, text_file: Path, course: Path, coursedir: CourseDirectory) -> str:
    slug = assignment.slug
    source = Path(coursedir.format_path(coursedir.source_directory, ".", slug)) / f"{slug}.ipynb"
    released = Path(coursedir.format_path(coursedir.release_directory, ".", slug)) / f"{slug}.ipynb"
    if source.is_file():
        ours = notebook_of(assignment, text_file.read_text(encoding="utf-8"), text_file.parent / PICTURES)
        if source.read_text(encoding="utf-8") != nbformat.writes(ours) + "\n":
            return (
                f"{slug}: left as it is, because {source} is not what {text_file} makes; for that, autograder release "
                f"--course {course} --sources {text_file.parent.parent} {slug}"
            )
        if released.is_file() and _in_gradebook(coursedir, slug):
            return f"{slug}: released already"
    return f"{slug}: released as {release(assignment, text_file, course)}"


def _in_gradebook(coursedir: CourseDirectory, slug: str) -> bool:
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            gradebook.find_assignment(slug)
        except MissingEntry:
            return False
        return True

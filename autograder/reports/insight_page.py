"""The instructor's page about a class: one HTML file that asks no other host for anything.

The template escapes whatever it is given (Jinja's autoescape), for names, file names and code come from learners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder.assignments import Assignment, assignment_named
from autograder.grading.hand_ins import HandIn, hand_ins, open_course, stubs
from autograder.reports import similar
from autograder.reports.insight import check_counts, histogram, mistakes, oddities, times
from vae_ref.errors import CourseError
from vae_ref.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
MAX_GROUPS = 50  # of similar hand-ins; a class with more has a reason that this page cannot tell
MAX_SOURCE = 4000  # characters of an answer that the page shows


def write_insight(course: Path, slug: str, out: Path | None = None, book: str = "") -> Path:
    """Write the page about an assignment.

    Args:
        course: an nbgrader course with graded hand-ins.
        slug: name of the assignment.
        out: the file; the default is ``insight/NN_name.html`` in the course.
        book: address of the book's folder, for links to its sections.

    Returns:
        The page.

    Raises:
        CourseError: there is no such course, assignment or graded hand-in, or the file cannot be written.
    """
    try:
        assignment = assignment_named(slug)
    except KeyError as error:
        raise CourseError(error.args[0]) from None
    coursedir = open_course(course, slug)
    page = render(assignment, hand_ins(coursedir, slug), stubs(coursedir, slug), book)
    path = out or course / "insight" / f"{slug}.html"
    write_text(path, page)
    return path


def render(
    assignment: Assignment, class_: Sequence[HandIn], released: Mapping[str, str], book: str = ""
) -> str:
    """The page as HTML.

    Args:
        assignment: which one.
        class_: all graded hand-ins, at least one.
        released: source of each solution cell as it was released.
        book: address of the book's folder; without one, sections are named and not linked.
    """
    points = [hand_in.score.points for hand_in in class_]
    max_points = max(hand_in.score.max_points for hand_in in class_)
    answers = {hand_in.student: hand_in.answers for hand_in in class_}
    groups = similar.similar_hand_ins(answers, released, assignment.points_of)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value: f"{round(value, 2):g}"
    page = environment.get_template("insight.html.j2").render(
        style=files("vae_ref").joinpath("report/page.css").read_text(encoding="utf-8")
        + (TEMPLATES / "insight.css").read_text(encoding="utf-8"),
        assignment=assignment,
        hand_ins=class_,
        max_points=max_points,
        mean=sum(points) / len(points),
        median=median(points),
        full=sum(value >= max_points for value in points),
        manual=sum(hand_in.score.needs_manual_grade for hand_in in class_),
        bins=histogram(points, max_points),
        checks=check_counts(class_, assignment),
        mistakes=mistakes(class_, assignment),
        oddities=oddities(class_),
        times=times(class_),
        groups=[_shown(group, answers) for group in groups[:MAX_GROUPS]],
        more_groups=max(0, len(groups) - MAX_GROUPS),
        rule=similar,
        many=similar.many(len(class_)),
        book=book.rstrip("/"),
    )
    return str(page)


def _shown(group: similar.Group, answers: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A group with the alike answers of its first two hand-ins beside each other."""
    pair = group.students[:2]
    return {
        "students": group.students,
        "answers": [
            (cell, [(student, answers[student].get(cell, "")[:MAX_SOURCE]) for student in pair])
            for cell in group.answers
        ],
    }

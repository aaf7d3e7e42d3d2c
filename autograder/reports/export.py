"""Grades for other systems, as plug-ins of nbgrader: Canvas, Moodle, and a plain table.

They work as ``autograder export`` and as
``nbgrader export --exporter=autograder.reports.export.CanvasExporter --to FILE``. All export the points that count:
with those given by hand, after the penalty for handing in late. A learner without a hand-in has an empty cell and not
0, for whoever imports the file decides what that means.

What a system matches learners by is written as it is or not at all; any other text is harmless in a spreadsheet
(:mod:`autograder.reports.spreadsheets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets import Unicode

from autograder.assignments import ASSIGNMENTS
from autograder.checks import checks_of
from autograder.grading.gradebook import course_config
from autograder.grading.graded import verdict_record
from autograder.grading.hand_ins import Score, graded_notebook, open_course, scores_of
from autograder.grading.late import settle
from autograder.reports.canvas import Roster, canvas_rows, no_roster, read_roster
from autograder.reports.spreadsheets import as_text, is_formula, number, to_csv
from vae_ref.errors import CourseError
from vae_ref.files import write_text

COLUMNS = (
    "assignment", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score", "needs_manual_grade",
)  # fmt: skip


@dataclass(frozen=True)
class Learner:
    """Who is in the gradebook.

    Attributes:
        id: nbgrader's, which is the name of the login where a JupyterHub hands in.
        last_name, first_name, email, lms_user_id: empty where the gradebook does not say.
    """

    id: str
    last_name: str
    first_name: str
    email: str
    lms_user_id: str


@dataclass(frozen=True)
class Grades:
    """What is exported.

    Attributes:
        learners: whose grades are wanted.
        scores: by assignment and then by the learner's id; whoever has handed nothing in has none.
        max_points: of each assignment.
        notes: what whoever imports the file should know; making its lines may add to them.
    """

    learners: Sequence[Learner]
    scores: Mapping[str, Mapping[str, Score]]
    max_points: Mapping[str, float]
    notes: list[str]


class Exporter(ExportPlugin):
    """What the three have in common: who is exported, and where to."""

    default = "grades.csv"

    def __init__(self, coursedir: CourseDirectory | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.coursedir = coursedir or getattr(
            self.parent, "coursedir", None
        )  # where the graded notebooks are

    def export(self, gradebook: Gradebook) -> None:
        """Write the file, and log what whoever imports it should know.

        Raises:
            CourseError: an assignment is unknown, or a file cannot be read or written. In ``nbgrader export`` the
                command ends with the message instead.
        """
        try:
            for note in self.write(gradebook):
                self.log.warning("%s", note)
        except CourseError as error:
            if self.parent is None:
                raise
            self.parent.fail(str(error))

    def write(self, gradebook: Gradebook) -> list[str]:
        """Write the file; returns what whoever imports it should know."""
        names = [str(name) for name in self.assignment] or [a.name for a in gradebook.assignments]
        known = {a.name: a for a in gradebook.assignments}
        for name in names:
            if name not in known:
                raise CourseError(
                    f"the gradebook has no assignment {name!r}; it has {', '.join(known) or 'none yet'}"
                )
        if len(set(names)) != len(names):
            raise CourseError(f"an assignment is named twice: {', '.join(names)}")
        wanted = {str(student) for student in self.student}
        learners = [
            Learner(s.id, *(value or "" for value in (s.last_name, s.first_name, s.email, s.lms_user_id)))
            for s in gradebook.students
            if not wanted or s.id in wanted
        ]
        scores = {name: {s.student: s for s in scores_of(gradebook, name)} for name in names}
        notes = [
            f"{name}: {sum(s.needs_manual_grade for s in found.values())} hand-ins wait for points given by hand"
            for name, found in scores.items()
            if any(s.needs_manual_grade for s in found.values())
        ]
        grades = Grades(learners, scores, {name: known[name].max_score for name in names}, notes)
        write_text(Path(self.to or self.default), to_csv(self.rows(grades)))
        return notes

    def rows(self, grades: Grades) -> list[list[str]]:
        """The lines of the file; may add to the notes."""
        raise NotImplementedError


class CsvExporter(Exporter):
    """A line for each learner and assignment, for spreadsheets and programs."""

    def rows(self, grades: Grades) -> list[list[str]]:
        """The columns of nbgrader's own exporter, and whether points are still to be given by hand."""
        rows = [list(COLUMNS)]
        for name, found in grades.scores.items():
            for learner in grades.learners:
                score = found.get(learner.id)
                given = [] if score is None else [score.raw_points, score.penalty, score.points]
                rows.append(
                    [
                        as_text(name),
                        f"{score.timestamp:%Y-%m-%d %H:%M:%S}" if score and score.timestamp else "",
                        *map(as_text, (learner.id, learner.last_name, learner.first_name, learner.email)),
                        *([number(value) for value in given] or ["", "", ""]),
                        number(grades.max_points[name]),
                        str(score.needs_manual_grade).lower() if score else "",
                    ]
                )
        return rows


class CanvasExporter(Exporter):
    """What Canvas imports on its page of grades; see :mod:`autograder.reports.canvas`.

    In ``nbgrader export`` the roster is named with ``--CanvasExporter.roster=FILE``.
    """

    roster = Unicode("", help="the CSV file that Canvas exports, for its numbers of learners").tag(
        config=True
    )

    def rows(self, grades: Grades) -> list[list[str]]:
        """Lines as :func:`autograder.reports.canvas.canvas_rows` makes them."""
        roster: Roster = read_roster(Path(self.roster)) if self.roster else no_roster()
        points = {
            name: {student: number(score.points) for student, score in found.items()}
            for name, found in grades.scores.items()
        }
        return canvas_rows(
            [(s.id, s.last_name, s.first_name, s.lms_user_id) for s in grades.learners],
            points,
            {name: number(value) for name, value in grades.max_points.items()},
            roster,
            grades.notes,
        )


class MoodleExporter(Exporter):
    """What Moodle imports under Grades, Import, CSV file.

    The instructor chooses there which column says who somebody is (here "Username", and "ID number" or "Email address"
    where everybody has one), and which of the course's grade items each other column is for
    (https://docs.moodle.org/en/Grade_import). Of the identifiers, only those that everybody has are written: some
    versions give the points of a line whose identifier is empty to the learner of the line before. "-" is no grade.
    Feedback overwrites what is there; its column may be left out when importing.
    """

    def rows(self, grades: Grades) -> list[list[str]]:
        """Who somebody is, then points and feedback for each assignment."""
        scores = grades.scores
        there = [s for s in grades.learners if any(s.id in found for found in scores.values())]
        safe = [s for s in there if not is_formula(s.id)]
        grades.notes.extend(left_out(s.id, "Moodle") for s in there if s not in safe)
        keys = {
            "Username": [s.id for s in safe],
            "ID number": [s.lms_user_id for s in safe],
            "Email address": [s.email for s in safe],
        }
        keys = {
            title: values
            for title, values in keys.items()
            if all(value and not is_formula(value) for value in values)
        }
        header = [*keys, "Last name", "First name"]
        for name in scores:
            header += [as_text(name), as_text(f"{name} (Feedback)")]
        rows = [header]
        for place, learner in enumerate(safe):
            row = [values[place] for values in keys.values()]
            row += [as_text(learner.last_name), as_text(learner.first_name)]
            for name, found in scores.items():
                score = found.get(learner.id)
                row += ["-", ""] if score is None else [number(score.points), self._feedback(name, score)]
            rows.append(row)
        return rows

    def _feedback(self, slug: str, score: Score) -> str:
        """One line with the points of each check and the known mistakes; no sentence in it is a learner's."""
        if slug not in {assignment.slug for assignment in ASSIGNMENTS} or self.coursedir is None:
            return ""
        notebook = graded_notebook(self.coursedir, slug, score.student)
        record = None if notebook is None else verdict_record(notebook)
        if record is not None and record["refused"]:
            return as_text(escape(f"Not graded: {record['refused']}.", quote=False))
        verdicts = [] if record is None else record["verdicts"]
        checks, said = checks_of(slug), []
        for name, points in score.checks.items():
            found = [n for v in verdicts if v["name"] == name for n in v["misconceptions"]]
            known = {m.name: m.sentence for m in checks[name].misconceptions} if name in checks else {}
            hint = f": {known[found[0]]}" if len(found) == 1 and found[0] in known else ""
            said.append(f"{name} {number(points)}{hint}")
        # Moodle shows it as HTML
        return as_text(escape(" · ".join(said), quote=False))


def left_out(student: str, system: str) -> str:
    """The note on a learner whose id would be a formula."""
    return (
        f"left out: {student!r}, because a spreadsheet would run this id as a formula and {system} needs it "
        "unchanged; rename the learner, or enter the points by hand"
    )


EXPORTERS: dict[str, type[Exporter]] = {
    "canvas": CanvasExporter,
    "moodle": MoodleExporter,
    "csv": CsvExporter,
}


def export(course: Path, slugs: Sequence[str], kind: str, out: Path, roster: Path | None = None) -> list[str]:
    """Write the grades of a course for another system.

    Args:
        course: an nbgrader course.
        slugs: names of the assignments, at least one.
        kind: a key of ``EXPORTERS``.
        out: the file.
        roster: the file that Canvas exports.

    Returns:
        What whoever imports the file should know, a line each.

    Raises:
        CourseError: course, gradebook, an assignment or the roster is missing or cannot be used, or ``roster`` is
            given for another system.
    """
    if roster is not None and kind != "canvas":
        raise CourseError(f"--roster is for --format canvas, not for {kind}: leave it out")
    for slug in slugs:
        coursedir = open_course(course, slug)
        settle(coursedir, course_config(course), slug)
    exporter = EXPORTERS[kind](coursedir, to=str(out), assignment=list(slugs))
    if isinstance(exporter, CanvasExporter) and roster is not None:
        exporter.roster = str(roster)
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        return exporter.write(gradebook)

"""Whose score moved when hand-ins were graded again, and why; kept in the course as ``moved/NN_name.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory

from autograder.grading.graded import verdict_record
from autograder.grading.hand_ins import graded_notebook
from autograder.grading.late import SMALLEST, Settled
from autograder.reports.spreadsheets import as_text, number, to_csv
from vae_ref.errors import CourseError
from vae_ref.files import write_text

FOLDER = "moved"
HEADER = ["when", "learner", "what", "from", "to", "why"]
PENALTY = "late penalty"
SHOWN = 20  # lines in the terminal; the file has all


@dataclass(frozen=True)
class Move:
    """One part of a score that is another one now.

    Attributes:
        student: whose.
        what: the check, or ``late penalty``.
        before, after: points that count, with those given by hand; of a penalty the points taken off.
        why: what made the difference, in words.
    """

    student: str
    what: str
    before: float
    after: float
    why: str

    def __str__(self) -> str:
        return f"{self.student}  {self.what}  {number(self.before)} → {number(self.after)}  {self.why}"


@dataclass(frozen=True)
class Standing:
    """What is known of a graded hand-in.

    Attributes:
        points: that count, by cell.
        automatic: those that the checks gave, by cell.
        settled: cells whose points a person gave and looked at.
        penalty: points taken off for lateness.
        cells: kind and source of all cells; None where the graded notebook is lost.
        record: see :func:`autograder.grading.graded.verdict_record`.
        grader: the version of the grader, or "".
    """

    points: dict[str, float]
    automatic: dict[str, float | None]
    settled: frozenset[str]
    penalty: float
    cells: list[list[str]] | None
    record: dict[str, Any]
    grader: str


def standing(coursedir: CourseDirectory, slug: str, student: str) -> Standing | None:
    """How a learner stands, or None before the first grade."""
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            notebooks = gradebook.find_submission(slug, student).notebooks
        except MissingEntry:
            return None
        grades = [grade for notebook in notebooks for grade in notebook.grades]
        points = {str(grade.name): float(grade.score or 0.0) for grade in grades}
        automatic = {str(grade.name): grade.auto_score for grade in grades}
        settled = frozenset(
            str(g.name) for g in grades if g.manual_score is not None and not g.needs_manual_grade
        )
        penalty = sum(notebook.late_submission_penalty or 0.0 for notebook in notebooks)
    graded = graded_notebook(coursedir, slug, student)
    if graded is None:
        return Standing(points, automatic, settled, penalty, None, {}, "")
    cells = [[cell.cell_type, cell.source] for cell in graded.cells]
    record = verdict_record(graded)
    return Standing(points, automatic, settled, penalty, cells, record, record["grader"])


def keep_settled(
    coursedir: CourseDirectory, slug: str, student: str, before: Standing, after: Standing
) -> None:
    """Take back nbgrader's wish for another look at points given by hand where there is nothing new to look at."""
    if before.cells is None or before.cells != after.cells:
        return
    same = {name for name in before.settled if before.automatic[name] == after.automatic.get(name)}
    if not same - after.settled:
        return
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        for notebook in gradebook.find_submission(slug, student).notebooks:
            for grade in notebook.grades:
                if grade.name in same:
                    grade.needs_manual_grade = False
        gradebook.db.commit()


def moves_between(student: str, before: Standing, after: Standing) -> Iterator[Move]:
    """The parts of a score that differ, each with its reason."""
    cause = _cause(before, after)
    old_verdicts, verdicts = (
        {verdict["name"]: verdict for verdict in one.record.get("verdicts", [])} for one in (before, after)
    )
    for cell in dict.fromkeys([*before.points, *after.points]):
        old, new = before.points.get(cell, 0.0), after.points.get(cell, 0.0)
        if abs(old - new) > SMALLEST:
            name = cell.removeprefix("check_")
            failures = old_verdicts.get(name, {}).get(
                "failures", []
            )  # such as a time limit, on a busy machine
            was = f", before {', '.join(failures)}" if failures else ""
            yield Move(student, name, old, new, f"{cause}: {_found(after, verdicts.get(name))}{was}")
    if abs(before.penalty - after.penalty) > SMALLEST:
        yield Move(
            student, PENALTY, before.penalty, after.penalty, f"{cause}: it follows the points and the time"
        )


def move_of_penalty(settled: Settled) -> Move:
    """A penalty that was worked out anew without grading."""
    late = settled.seconds_late / 3600
    why = f"{late:.1f} hours late by the due date and the rule that hold now" if late else "not late any more"
    return Move(settled.student, PENALTY, settled.before, settled.after, why)


def _cause(before: Standing, after: Standing) -> str:
    if before.cells is None:
        return "graded again, and what was graded before is lost"
    refused = before.record.get("refused", ""), after.record.get("refused", "")
    if before.cells != after.cells or refused[0] != refused[1]:
        return "another hand-in"
    if before.grader != after.grader:
        return "the grader was changed"
    return "graded again"  # with other limits, say


def _found(after: Standing, verdict: dict[str, Any] | None) -> str:
    if after.record.get("refused"):
        return f"not graded, {after.record['refused']}"
    if verdict is None:
        return "no verdict"
    if verdict["passed"]:
        return "it is right"
    names = ", ".join(verdict["misconceptions"])
    return f"not right, recognised {names}" if names else "not right"


def keep_moves(course: Path, slug: str, moves: Sequence[Move]) -> Path:
    """Add moves to the course's file of them; returns the file."""
    path = course / FOLDER / f"{slug}.csv"
    if moves:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        rows = [
            [now, as_text(m.student), as_text(m.what), number(m.before), number(m.after), as_text(m.why)]
            for m in moves
        ]
        write_text(path, to_csv([*(read_moves(path) or [HEADER]), *rows]))
    return path


def read_moves(path: Path) -> list[list[str]]:
    """The lines of a file of moves, with its header; none if there is no file.

    Raises:
        CourseError: it cannot be read.
    """
    try:
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path} cannot be read ({error}): move it away, and a new one is begun") from None


def told(moves: Sequence[Move], path: Path) -> str:
    """The moves for the terminal: the first ones, and where all of them are."""
    if not moves:
        return "no score moved"
    whose = len({move.student for move in moves})
    lines = [f"the score of {whose} learner{'s' if whose > 1 else ''} moved, see {path}:"]
    lines += [f"  {move}" for move in moves[:SHOWN]]
    if len(moves) > SHOWN:
        lines.append(f"  … and {len(moves) - SHOWN} more")
    return "\n".join(lines)

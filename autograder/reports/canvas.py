"""The file that Canvas imports on its page of grades, and the one that it exports there.

The format is that of Canvas's own importer (``lib/gradebook_importer.rb`` of https://github.com/instructure/canvas-lms)
and of its guide "How do I import grades in the Gradebook?": the columns Student, ID, SIS User ID, SIS Login ID and
Section, then one for each assignment, and a line "Points Possible". Canvas looks a learner up by ID (its own number),
then by SIS User ID, then by SIS Login ID, and last by name.

nbgrader knows two of these at most: its id, which we give as SIS Login ID, and ``lms_user_id``, which we give as ID if
it is a number. Whatever else Canvas calls somebody is in the file that Canvas exports (Grades, Export): with this
roster, learners are found by any of the three, and the columns of assignments that exist there are filled instead of
new ones made.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.assignments import ASSIGNMENTS
from autograder.reports.spreadsheets import as_text, is_formula
from vae_ref.errors import CourseError

WHO = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MAX_BYTES = 50 * 2**20
TOTALS = "Points Possible"  # Canvas takes a line with these words in the first cell for that of the maxima


@dataclass(frozen=True)
class Roster:
    """What Canvas exports.

    Attributes:
        header: titles of the columns.
        rows: the learners' lines.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def width(self) -> int:
        """How many columns say who somebody is."""
        return self.header.index("Section") + 1

    def column(self, title: str) -> int | None:
        """Where a column is."""
        return self.header.index(title) if title in self.header else None

    def cell(self, row: Sequence[str], title: str) -> str:
        """What a line has under a title; empty where the roster lacks the column."""
        place = self.column(title)
        return "" if place is None or place >= len(row) else row[place].strip()


def no_roster() -> Roster:
    """A roster without learners, with the columns that Canvas needs."""
    return Roster(WHO, ())


def read_roster(path: Path) -> Roster:
    """Read the file that Canvas exports.

    Raises:
        CourseError: it cannot be read, is something else, or names nobody.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CourseError(f"{path} has more than {MAX_BYTES:,} bytes: is it what Canvas exported?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CourseError(f"cannot read the roster {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CourseError(f"the roster {path} is not UTF-8 text: export it from Canvas again") from None
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
    except csv.Error as error:
        raise CourseError(
            f"the roster {path} is no CSV file ({error}): export it from Canvas again"
        ) from None
    header = tuple(cell.strip() for cell in lines[0]) if lines else ()
    if header[:2] != WHO[:2] or "Section" not in header:
        raise CourseError(
            f"the roster {path} begins with {', '.join(header[:5]) or 'nothing'} and not with {', '.join(WHO)}: in "
            "Canvas, choose Grades, Export, with names in one column"
        )
    rows = tuple(tuple(line) for line in lines[1:] if len(line) > 1 and line[1].strip())
    if not rows:
        raise CourseError(f"the roster {path} names no learner with an ID: export it from Canvas again")
    return Roster(header, rows)


def canvas_rows(
    learners: Sequence[tuple[str, str, str, str]],
    points: Mapping[str, Mapping[str, str]],
    max_points: Mapping[str, str],
    roster: Roster,
    notes: list[str],
) -> list[list[str]]:
    """The lines of the file.

    Args:
        learners: id, last name, first name and lms_user_id of each, as the gradebook has them.
        points: of each assignment, by the learner's id.
        max_points: of each assignment.
        roster: what Canvas exported, or :func:`no_roster`.
        notes: gets what whoever imports the file should know.
    """
    columns = {name: _column(roster, name) for name in points}
    rows = [
        [*roster.header[: roster.width], *(title for title, _ in columns.values())],
        [f"    {TOTALS}", *[""] * (roster.width - 1), *(max_points[name] for name in points)],
    ]
    uncertain = []
    for learner in learners:
        if not any(learner[0] in found for found in points.values()):
            continue
        theirs = _find(roster, learner)
        if theirs is None and roster.rows:
            notes.append(
                f"left out: {learner[0]!r}, who is not in the roster: compare the ids, or export it again"
            )
            continue
        who = _from_roster(roster, theirs) if theirs is not None else _from_gradebook(learner)
        if not any(who[1:]):
            notes.append(
                f"left out: {learner[0]!r}, because a spreadsheet would run this id as a formula and Canvas needs it "
                "unchanged; name the file that Canvas exports with --roster"
            )
            continue
        if not who[1]:
            uncertain.append(learner[0])
        given = [found.get(learner[0]) for found in points.values()]
        there = ["" if theirs is None else _existing(theirs, place) for _, place in columns.values()]
        rows.append([*who, *(old if new is None else new for new, old in zip(given, there, strict=True))])
    if uncertain:
        notes.append(
            f"{len(uncertain)} learners have no number of Canvas in the gradebook (lms_user_id), such as "
            f"{uncertain[0]!r}: Canvas looks for their id among its logins. If those differ, name the file that Canvas "
            "exports with --roster"
        )
    new = [title for title, place in columns.values() if place is None and roster.rows]
    if new:
        notes.append(f"not in the roster, so Canvas will offer to make a new assignment: {', '.join(new)}")
    return rows


def _column(roster: Roster, name: str) -> tuple[str, int | None]:
    """Title and place of an assignment's column, which Canvas calls "title (number)"."""
    titles = {name.casefold()}
    titles |= {a.title.casefold() for a in ASSIGNMENTS if a.slug == name}
    for place, title in enumerate(roster.header):
        if place >= roster.width and re.sub(r" \(\d+\)$", "", title).casefold() in titles:
            return title, place
    return as_text(name), None


def _existing(row: Sequence[str], place: int | None) -> str:
    return "" if place is None or place >= len(row) else as_text(row[place])


def _find(roster: Roster, learner: tuple[str, str, str, str]) -> tuple[str, ...] | None:
    """The learner's line: by number, then by login, then by number of the school."""
    student, _, _, number = learner
    for title, wanted in (("ID", number), ("SIS Login ID", student), ("SIS User ID", student)):
        found = [
            row for row in roster.rows if wanted and roster.cell(row, title).casefold() == wanted.casefold()
        ]
        if len(found) == 1:
            return found[0]
    return None


def _from_roster(roster: Roster, row: Sequence[str]) -> list[str]:
    # by its number Canvas finds everybody, so that other cells may be changed to be harmless
    number = roster.cell(row, "ID")
    cells = [as_text(cell) for cell in row[: roster.width]]
    return [_name(row[0]), number if _is_number(number) else "", *cells[2:]]


def _from_gradebook(learner: tuple[str, str, str, str]) -> list[str]:
    student, last, first, number = learner
    name = ", ".join(part for part in (last, first) if part) or student
    # Canvas would take "3f2a…" for its number 3
    return [_name(name), number if _is_number(number) else "", "", "" if is_formula(student) else student, ""]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _name(name: str) -> str:
    return as_text(name.replace(TOTALS, TOTALS.replace(" ", "-")))

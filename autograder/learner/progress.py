"""What the checks last said about a learner's work, kept in the learner's own folder and nowhere else.

A file for each thing to write, so that notebooks that run at once need not wait for each other, and a damaged file
loses one verdict. The latest verdict counts, not the best: a hand-in is graded as it is, so what was right before the
last change is open again.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

from autograder.assignments import RELEASED, Assignment
from autograder.learner.folder import MARK, started_folder
from vae_ref.errors import CourseError
from vae_ref.files import write_text

CHECKS = "checks"


@dataclass(frozen=True)
class Standing:
    """How one assignment stands.

    Attributes:
        assignment: which one.
        earned: points of the latest checks.
        possible: points that checks can give.
        open: what is not right yet, or was never checked.
        unreadable: what has a verdict that cannot be read any more.
        begun: whether anything was checked.
    """

    assignment: Assignment
    earned: float
    possible: int
    open: tuple[str, ...]
    unreadable: tuple[str, ...]
    begun: bool


def remember(name: str, score: float, points: int, place: Path | None = None) -> None:
    """Keep a verdict if ``place`` lies in a learner's folder; nothing happens if it does not, or cannot be written.

    Args:
        name: what was checked.
        score: points earned.
        points: what it is worth.
        place: where the learner works; None for the current folder.
    """
    with contextlib.suppress(OSError, CourseError):  # a verdict that cannot be kept is still a verdict
        folder = started_folder(Path.cwd() if place is None else place)
        if folder is not None:
            write_text(_file(folder, name), json.dumps({"score": score, "points": points}) + "\n")


def standings(place: Path) -> list[Standing]:
    """How all assignments stand, by what was kept in the learner's folder that ``place`` is or lies in.

    Raises:
        CourseError: there is no such folder.
    """
    folder = started_folder(place)
    if folder is None:
        raise CourseError(
            f"{place} is no folder that autograder start made: name yours, or make one with autograder start DIR"
        )
    return [_standing(folder, assignment) for assignment in RELEASED]


def as_table(found: list[Standing]) -> str:
    """A line for each assignment, as wide as the terminal, the sum, and what to do about records that are damaged."""
    width = max(len(f"{one.assignment.slug}") for one in found)
    lines = [_line(one, width) for one in found]
    earned, possible = sum(one.earned for one in found), sum(one.possible for one in found)
    by_hand = sum(sum(one.assignment.answers.values()) for one in found)
    lines.append(f"{'all':{width}}  {_points(earned, possible)}")
    lines.append(
        f"\nPoints of the checks, as they last ran in this folder. {by_hand} more are for answers that a person grades."
    )
    if damaged := [name for one in found for name in one.unreadable]:
        lines.append(f"What was kept of {', '.join(damaged)} cannot be read: run the check again.")
    return "\n".join(lines)


def _line(one: Standing, width: int) -> str:
    head = f"{one.assignment.slug:{width}}  {_points(one.earned, one.possible)}  "
    if not one.begun:
        return head + "not begun"
    if not one.open:
        return head + "all right"
    columns = max(shutil.get_terminal_size().columns, len(head) + 30)
    said = f"open: {', '.join(one.open)}"
    return textwrap.fill(
        said, columns, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False
    )


def _points(earned: float, possible: int) -> str:
    return f"{round(earned, 2):6g} of {possible:3d}"


def _standing(folder: Path, assignment: Assignment) -> Standing:
    shares, unreadable, begun = {}, [], False
    for name in assignment.points_of:
        try:
            shares[name] = _share(_file(folder, name))
            begun = begun or shares[name] is not None
        except ValueError:
            unreadable.append(name)
    earned = sum(points * (shares.get(name) or 0) for name, points in assignment.points_of.items())
    still_open = tuple(name for name in assignment.points_of if (shares.get(name) or 0) < 1)
    possible = sum(assignment.points_of.values())
    return Standing(assignment, earned, possible, still_open, tuple(unreadable), begun or bool(unreadable))


def _share(path: Path) -> float | None:
    """The share of its points that something earned, 0 to 1; None if it was not checked.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        share = float(record["score"]) / float(record["points"])
    except FileNotFoundError:
        return None
    except (OSError, ArithmeticError, TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"{path} is damaged") from error
    if not (math.isfinite(share) and 0 <= share <= 1):
        raise ValueError(f"{path} is damaged")
    return share


def _file(folder: Path, name: str) -> Path:
    return folder / MARK / CHECKS / f"{name}.json"

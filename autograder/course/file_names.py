"""Whose a file is, by the names that learning platforms give.

* Canvas, "Download Submissions": ``lovelaceada_LATE_1234_5678_02_bound.ipynb`` (name, number of the learner, number of
  the file; ``lib/content_zipper.rb`` of https://github.com/instructure/canvas-lms).
* Moodle, "Download all submissions": ``Ada Lovelace_1234_assignsubmission_file/02_bound.ipynb``; the number is another
  one in each assignment (``mod/assign/classes/downloader.php`` of https://github.com/moodle/moodle).
* Otherwise ``LEARNER.ipynb``, or whatever lies in a folder named LEARNER.

Learners choose the last part of a name. So a platform's pattern counts only where the platform writes it: nobody can
put a file into somebody else's hand-in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from autograder.grading.autograde import LEARNER

CANVAS = re.compile(r"(?P<name>(?!anon_)[^/]*?)_(?P<late>LATE_)?(?P<number>\d+)_\d+_(?P<file>[^/]+)")
MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<number>\d+)_assignsubmission_file(?:[_/]+(?P<file>.*))?")
OF_SYSTEMS = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.DS_Store|\._[^/]*)(/|$)")
FOLDER, FILE = "a folder", "a file"


@dataclass(frozen=True)
class Whose:
    """Where a file belongs.

    Attributes:
        student: the learner's id; empty if nothing says whose it is.
        file: the file's own name.
        by: what tells two people of one name apart: a platform's number, or the kind of name.
        number: Canvas' of the learner.
        late: whether Canvas says so.
    """

    student: str
    file: str
    by: str
    number: str = ""
    late: bool = False


def split(names: Sequence[str], slug: str) -> dict[str, tuple[str, ...]]:
    """The parts of each name, without a folder around everything, and without files that systems make by themselves."""
    parts = {
        name: PurePosixPath(name.replace("\\", "/")).parts for name in names if not OF_SYSTEMS.search(name)
    }
    parts = {name: found for name, found in parts.items() if found}
    first = {found[0] for found in parts.values()}
    inner = [found[1:] for found in parts.values()]
    if len(first) == 1 and all(inner) and slug not in {found[0] for found in inner}:
        by_platform = any(CANVAS.fullmatch(found[0]) or MOODLE.fullmatch(found[0]) for found in inner)
        if not MOODLE.fullmatch(next(iter(first))) and (
            by_platform or all(len(found) > 1 for found in inner)
        ):
            return {name: found[1:] for name, found in parts.items()}
    return parts


def whose(
    parts: tuple[str, ...], slug: str, by_number: Mapping[str, str], by_name: Mapping[str, str]
) -> Whose:
    """Tell whose a file is.

    Args:
        parts: of its name, see :func:`split`.
        slug: name of the assignment.
        by_number: ids of learners by Canvas' numbers.
        by_name: ids of learners by :func:`folded` full names.
    """
    file = parts[-1]
    found = Whose("", file, "")
    if {"/", ".."} & {*parts}:
        return found  # no platform writes such names
    if match := MOODLE.fullmatch(parts[0]):
        name = by_name.get(folded(match["name"]), match["name"])
        found = Whose(name, match["file"] or file, match["number"])
    elif len(parts) > 1:
        found = Whose(parts[0], file, FOLDER)
    elif (match := CANVAS.fullmatch(file)) and not file.startswith(slug):
        number = match["number"]
        found = Whose(by_number.get(number, number), match["file"], number, number, bool(match["late"]))
    elif file.endswith(".ipynb") and not file.startswith(("anon_", slug)):
        found = Whose(file.removesuffix(".ipynb"), file, FILE)
    good = re.fullmatch(LEARNER, found.student) and found.student.strip(". ") and len(found.student) <= 100
    return found if good else Whose("", file, "")


def folded(name: str) -> str:
    """A person's name without what people write differently."""
    return " ".join(name.casefold().split())

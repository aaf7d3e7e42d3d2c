"""Whether an assignment has all that belongs to it, and what to do about what is missing."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from autograder.assignments import Assignment
from autograder.judge.definitions import Check
from vae_ref.errors import CourseError

LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
NUM_HINTS = 3


def require_complete(assignment: Assignment, root: Path = Path()) -> None:
    """Refuse an assignment that lacks something.

    Args:
        assignment: an entry of the table.
        root: a checkout of the course; where there is none, only what is installed is looked at.

    Raises:
        CourseError: something is missing; the message has a line for each thing, with what to do about it.
    """
    if missing := [*missing_parts(assignment, root)]:
        lines = "\n".join(f"* {line}" for line in missing)
        raise CourseError(
            f"{assignment.slug} is not complete; book/own_exercises.md shows each part of a room:\n{lines}"
        )


def missing_parts(assignment: Assignment, root: Path = Path()) -> Iterator[str]:
    """A sentence on everything that an assignment lacks, in the order in which it is written."""
    yield from _reference(assignment)
    checks = _module("checks", assignment)
    if checks is None:
        yield f"autograder/checks/{assignment.slug}.py is missing: give it CHECKS, one for each thing to write"
    else:
        yield from _checks(assignment, checks)
    hints = _module("hints", assignment)
    if hints is None:
        yield f"autograder/hints/{assignment.slug}.py is missing: give it HINTS, three for each thing to write"
    else:
        yield from _hints(assignment, hints)
    if assignment.released and (root / "solutions").is_dir():
        yield from _texts(assignment, root, () if checks is None else checks.CHECKS)


def _reference(assignment: Assignment) -> Iterator[str]:
    if importlib.util.find_spec(f"vae_ref.{assignment.name}") is None:
        yield (
            f"vae_ref/{assignment.name}.py is missing: write the reference of {', '.join(assignment.points_of)} there, "
            "with a test against an oracle"
        )


def _module(kind: str, assignment: Assignment) -> ModuleType | None:
    name = f"autograder.{kind}.{assignment.slug}"
    # an import that fails inside of the file is a mistake in it, and is shown as such
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _checks(assignment: Assignment, module: ModuleType) -> Iterator[str]:
    file = f"autograder/checks/{assignment.slug}.py"
    names = [check.name for check in module.CHECKS]
    if names != list(assignment.points_of):
        yield (
            f"{file} has checks for {', '.join(names) or 'nothing'}, the table of assignments asks for "
            f"{', '.join(assignment.points_of)}: make the two agree, in this order"
        )
    for check in module.CHECKS:
        if not check.misconceptions:
            yield f"the check of {check.name} knows no mistake: add Misconceptions, so that learners read theirs"
        if not check.equivalents:
            yield f"the check of {check.name} knows no right answer: add equivalents, the reference first"


def _hints(assignment: Assignment, module: ModuleType) -> Iterator[str]:
    for name in assignment.points_of:
        if len(set(module.HINTS.get(name, ()))) != NUM_HINTS:
            yield f"autograder/hints/{assignment.slug}.py needs three different hints for {name}"


def _texts(assignment: Assignment, root: Path, checks: tuple[Check, ...]) -> Iterator[str]:
    """What readers and learners get, in a checkout."""
    slug = assignment.slug
    source, notebook = Path("solutions", slug, f"{slug}.py"), Path("exercises", slug, f"{slug}.ipynb")
    if not (root / source).is_file():
        yield f"{source} is missing: write the notebook with its solutions there"
    elif not (root / notebook).is_file():
        yield f"{notebook} is missing: make it with autograder release {slug}"
    page, contents = Path("book", f"{slug}.md"), Path("book", "_toc.yml")
    if not (root / page).is_file():
        yield f"{page} is missing: write the chapter there, with the sections that checks name"
    else:
        labels = set(LABEL.findall((root / page).read_text(encoding="utf-8")))
        named = {check.section for check in checks}
        named |= {mistake.section for check in checks for mistake in check.misconceptions}
        for label in sorted(named - labels):
            yield f"{page} has no section ({label})=, which checks send learners to"
    listed = (root / contents).read_text(encoding="utf-8")
    for name in (slug, f"_generated/{slug}"):
        if not re.search(rf"file: {name}$", listed, re.MULTILINE):
            yield f"{contents} does not list {name}: add it where it is to be read"

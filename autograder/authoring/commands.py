"""The commands of ``autograder`` for authors: validate, round-trip, release, pictures, sample-class."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.assignments import Assignment
from autograder.options import add_assignments, add_command, add_course, add_sources, need_nbgrader
from vae_ref.errors import CourseError


def add_authoring_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    validation = add_command(
        commands,
        "validate",
        _validate,
        "try the checks on known mistakes and right answers",
        "Say what an assignment still lacks, and how to add it. If nothing, judge every known mistake, which must be "
        "found and named, and every known right answer, which must pass. "
        "Prints the kill matrix as Markdown. Exit code 1 if a mistake passes, a right answer fails, fewer than nine in "
        "ten mistakes are called by their name only, or two cannot be told apart without the catalogue saying so.",
        "autograder validate 02_bound",
    )
    add_assignments(validation)

    trip = add_command(
        commands,
        "round-trip",
        _round_trip,
        "take assignments from text to grades, with every known mistake",
        "Run each solution from clean, then grade a class: the solution, an untouched notebook, and the solution with "
        "one known mistake at a time, which must lose points for its own item only and be named. Prints a table; exit "
        "code 1 if anything is not as it should be. All known mistakes take some minutes for each assignment.",
        "autograder round-trip 02_bound --each 1",
    )
    add_assignments(trip)
    trip.add_argument(
        "--each", type=int, metavar="N", help="mistakes for each thing to write (default: all that are known)"
    )

    release = add_command(
        commands,
        "release",
        _release,
        "make the notebooks that learners get",
        "Make the released notebooks of a course from the texts of the solutions, with nbgrader.",
        "autograder release 02_bound",
    )
    add_course(release)
    add_sources(release)
    add_assignments(release)

    pictures = add_command(
        commands,
        "pictures",
        _pictures,
        "draw the pictures that learners compare theirs with",
        "Run solutions from their texts and keep what their marked cells draw, for the next release to show. "
        "Takes a minute or two for each.",
        "autograder pictures 02_bound",
    )
    add_assignments(pictures)
    add_sources(pictures)

    sample = add_command(
        commands,
        "sample-class",
        _sample_class,
        "make a small class to try grading on",
        "Make an nbgrader course in DIR with a release and seven hand-ins, good, bad and hostile.",
        "autograder sample-class rehearsal",
    )
    sample.add_argument("course", type=Path, metavar="DIR", help="a new folder")
    add_sources(sample)


def _validate(args: argparse.Namespace) -> int:
    from autograder.assignments import ASSIGNMENTS, assignment_named
    from autograder.authoring.rooms import require_complete
    from autograder.authoring.validate import kill_matrix, validate_assignments

    try:
        chosen = [assignment_named(slug) for slug in args.assignments] or ASSIGNMENTS
    except KeyError as error:
        raise CourseError(error.args[0]) from None
    for assignment in chosen:
        require_complete(assignment)
    report = validate_assignments(chosen)
    print(kill_matrix(report), end="")
    return 0 if report.good else 1


def _round_trip(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.round_trip import TABLE_HEAD, as_row, round_trip
    from autograder.grading.batch import default_workers

    problems = []
    print(TABLE_HEAD, flush=True)
    for assignment in _released(args.assignments):
        text_file = Path("solutions") / assignment.slug / f"{assignment.slug}.py"
        notebook = Path("exercises") / assignment.slug / f"{assignment.slug}.ipynb"
        for path in (text_file, notebook):
            if not path.is_file():
                raise CourseError(
                    f"{path} is missing here: go to the folder of the course, or run make exercises"
                )
        trip = round_trip(assignment, text_file, notebook, default_workers(), args.each)
        print(as_row(trip), flush=True)
        problems += [f"{trip.slug}: {problem}" for problem in trip.problems]
    for problem in problems:
        print(f"* {problem}")
    return 1 if problems else 0


def _release(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.release import release, text_of

    for assignment in _released(args.assignments):
        print(release(assignment, text_of(assignment, args.sources), args.course))
    return 0


def _pictures(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.pictures import make_pictures
    from autograder.authoring.release import text_of

    for assignment in _released(args.assignments):
        for path in make_pictures(text_of(assignment, args.sources)):
            print(path)
    return 0


def _released(slugs: Sequence[str]) -> list[Assignment]:
    """The assignments with these names, or all that have a notebook."""
    from autograder.assignments import RELEASED

    known = {assignment.slug: assignment for assignment in RELEASED}
    for slug in slugs:
        if slug not in known:
            raise CourseError(f"there is no assignment named {slug!r}; there is {', '.join(known)}")
    return [known[slug] for slug in slugs or known]


def _sample_class(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.sample_class import make_sample_class

    print(make_sample_class(args.course, args.sources))
    return 0

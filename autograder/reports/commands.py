"""The commands of ``autograder`` for what comes after grading: insight, feedback, export."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vae_ref.errors import CourseError

FORMATS = ("canvas", "moodle", "csv")


def add_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    feedback = commands.add_parser("feedback", help="make the pages that learners get back")
    feedback.description = (
        "Make a page for every graded hand-in: a file without scripts that needs no network, with points, verdicts and "
        "the learner's own pictures. nbgrader generate_feedback makes the same pages."
    )
    _add_assignment(feedback)
    feedback.set_defaults(run=_feedback)

    insight = commands.add_parser("insight", help="show what a class has understood")
    insight.description = (
        "Write a page for the instructor: scores, which known mistake was made by whom and what to read about it, the "
        "hardest checks, hand-ins to look at, and answers that are alike. It names learners: keep it to yourself."
    )
    _add_assignment(insight)
    insight.add_argument(
        "--out", type=Path, metavar="FILE", help="the page (default: insight/NN_name.html in the course)"
    )
    insight.add_argument(
        "--book", default="", metavar="URL", help="where the book is, for links to its sections"
    )
    insight.set_defaults(run=_insight)

    export = commands.add_parser("export", help="write grades for Canvas, Moodle or a spreadsheet")
    export.description = (
        "Write the points of learners, after penalties and with what was given by hand, as a CSV file that another "
        "system imports. Exit code 1 if a learner had to be left out; the reason is printed."
    )
    export.add_argument("assignments", nargs="+", metavar="NN_name")
    export.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )
    export.add_argument("--format", choices=FORMATS, default="csv", help="for whom (default: csv)")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: grades-FORMAT.csv")
    export.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="what Canvas exports (Grades, Export): it has the numbers by which Canvas knows learners",
    )
    export.set_defaults(run=_export)


def _add_assignment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignment", metavar="NN_name")
    add_course(parser)


def add_course(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which course it is about."""
    parser.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )


def _feedback(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.reports.feedback import make_feedback

    print(make_feedback(args.course, args.assignment))
    return 0


def _insight(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.reports.insight_page import write_insight

    print(write_insight(args.course, args.assignment, args.out, args.book))
    return 0


def _export(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.reports.export import export

    out = args.out or Path(f"grades-{args.format}.csv")
    notes = export(args.course, args.assignments, args.format, out, args.roster)
    for note in notes:
        print(f"autograder: {note}", file=sys.stderr)
    print(out)
    return 1 if any(note.startswith("left out") for note in notes) else 0


def need_nbgrader() -> None:
    """See that the package is there that courses are kept with.

    Raises:
        CourseError: it is not.
    """
    try:
        import nbgrader  # noqa: F401
    except ImportError:
        raise CourseError(
            "nbgrader is not installed; this command needs it: pip install 'vae-course[grade]'"
        ) from None

"""The commands of ``autograder`` for what comes after grading: feedback, insight, export."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.options import add_assignment, add_command, add_course, need_nbgrader

FORMATS = ("canvas", "moodle", "csv")


def add_report_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    feedback = add_command(
        commands,
        "feedback",
        _feedback,
        "make the pages that learners get back",
        "Make a page for every graded hand-in: a file without scripts that needs no network, with points, verdicts and "
        "the learner's own pictures. nbgrader generate_feedback makes the same pages.",
        "autograder feedback 02_bound --course autumn",
    )
    add_assignment(feedback)
    add_course(feedback)

    insight = add_command(
        commands,
        "insight",
        _insight,
        "show what a class has understood",
        "Write a page for the instructor: scores, which known mistake was made by whom and what to read about it, the "
        "hardest checks, hand-ins to look at, and answers that are alike. It names learners: keep it to yourself.",
        "autograder insight 02_bound --course autumn --book https://example.org/book",
    )
    add_assignment(insight)
    add_course(insight)
    insight.add_argument(
        "--out", type=Path, metavar="FILE", help="the page (default: insight/NN_name.html in the course)"
    )
    insight.add_argument(
        "--book", default="", metavar="URL", help="where the book is, for links to its sections"
    )

    export = add_command(
        commands,
        "export",
        _export,
        "write grades for Canvas, Moodle or a spreadsheet",
        "Write the points of learners, after penalties and with what was given by hand, as a CSV file that another "
        "system imports. Exit code 1 if a learner had to be left out; the reason is printed.",
        "autograder export 02_bound 03_sampling --course autumn --format moodle",
        "autograder export 02_bound --course autumn --format canvas --roster canvas.csv",
    )
    export.add_argument("assignments", nargs="+", metavar="NN_name")
    add_course(export)
    export.add_argument("--format", choices=FORMATS, default="csv", help="for whom (default: csv)")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: grades-FORMAT.csv")
    export.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="what Canvas exports (Grades, Export): it has the numbers by which Canvas knows learners",
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

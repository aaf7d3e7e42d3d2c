"""The commands of ``autograder`` for a course as a whole: a new one, what learners hand in, what they want removed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.reports.commands import add_course, need_nbgrader
from vae_ref.errors import CourseError

SHOWN = 40  # notes


def add_course_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    course = commands.add_parser("course", help="make a course to teach with")
    new = course.add_subparsers(required=True, metavar="ACTION").add_parser(
        "new", help="a new nbgrader course"
    )
    new.formatter_class = argparse.RawDescriptionHelpFormatter
    new.description = (
        "Make an nbgrader course in DIR: configuration, released notebooks, gradebook, due dates. Given again it goes\n"
        "on where it was stopped, adds what you name, and leaves alone what you have changed."
    )
    new.epilog = (
        "Example:\n  autograder course new autumn 02_bound 03_sampling --due 02_bound=2027-03-01 "
        '--due "03_sampling=2027-03-08 18:00 +0100"'
    )
    new.add_argument("course", type=Path, metavar="DIR", help="a new folder, or a course to go on with")
    new.add_argument("assignments", nargs="*", metavar="NN_name", help="which (default: all)")
    new.add_argument(
        "--due",
        action="append",
        default=[],
        metavar="NN_name=WHEN",
        help="due date, a day or a day and a time; without a zone in UTC",
    )
    new.add_argument(
        "--db", metavar="URL", help="the gradebook, such as postgresql://… (default: a file in DIR)"
    )
    new.add_argument(
        "--sources",
        type=Path,
        default=Path("solutions"),
        metavar="DIR",
        help="the solutions' texts (default: solutions)",
    )
    new.set_defaults(run=_new)
    _add_collect(commands)
    _add_forget(commands)


def _add_collect(commands: Any) -> None:
    collect = commands.add_parser("collect", help="sort what a learning platform hands out into the course")
    collect.formatter_class = argparse.RawDescriptionHelpFormatter
    collect.description = (
        "Put hand-ins into the course's submitted folder. FROM is the zip file that Canvas or Moodle gives for all\n"
        "hand-ins of an assignment, or a folder or zip file with LEARNER.ipynb or LEARNER/….ipynb. What is there\n"
        "already and the same is left alone. Exit code 1 if something could not be told to be anybody's."
    )
    collect.epilog = "Example:\n  autograder collect 02_bound submissions.zip --course autumn"
    collect.add_argument("assignment", metavar="NN_name")
    collect.add_argument("source", type=Path, metavar="FROM")
    add_course(collect)
    collect.set_defaults(run=_collect)


def _add_forget(commands: Any) -> None:
    forget = commands.add_parser("forget", help="remove all that a course holds of a learner")
    forget.formatter_class = argparse.RawDescriptionHelpFormatter
    forget.description = (
        "Remove a learner's hand-ins, graded notebooks, feedback and points, for good, and name the files that still\n"
        "mention the learner. Asks before it does."
    )
    forget.epilog = "Example:\n  autograder forget ada --course autumn"
    forget.add_argument("student", metavar="LEARNER", help="the learner's name in the gradebook")
    add_course(forget)
    forget.add_argument("--yes", action="store_true", help="do not ask")
    forget.set_defaults(run=_forget)


def _new(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.course.new import chosen, due_dates, new_course

    assignments = chosen(args.assignments)
    due = due_dates(args.due, assignments)
    for line in new_course(args.course, args.sources, assignments, due, args.db):
        print(line, flush=True)
    print(f"next: hand out {args.course / 'release'}; what comes back: autograder collect --help")
    return 0


def _collect(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.course.collect import collect

    done = collect(args.course, args.assignment, args.source)
    for note in done.notes[:SHOWN]:
        print(f"autograder: {note}", file=sys.stderr)
    if len(done.notes) > SHOWN:
        print(f"autograder: … and {len(done.notes) - SHOWN} more of these", file=sys.stderr)
    print(f"{done}; next: autograder grade {args.assignment}")
    return 1 if done.left else 0


def _forget(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.course.forget import forget, holdings, mentions

    found = holdings(args.course, args.student)
    if found:
        print(
            f"{args.course} holds of {args.student}:", *(f"  {line}" for line in found), sep="\n", flush=True
        )
        if not args.yes:
            _confirm(args.student)
        forget(args.course, args.student)
        print("removed")
    else:
        print(f"{args.course} holds nothing of {args.student}")
    for path in mentions(args.course, args.student):
        print(f"still mentions {args.student}: {path}; delete it, or make it anew")
    return 0


def _confirm(student: str) -> None:
    if not sys.stdin.isatty():
        raise CourseError("nothing was removed: there is nobody to ask here; give --yes if you are sure")
    if input("This cannot be undone. Type the learner's name to remove all of it: ").strip() != student:
        raise CourseError("nothing was removed: that is another name")

"""The commands of ``autograder`` that lead through a term: course new, collect, grade, grades, forget."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.options import (
    add_assignment,
    add_assignments,
    add_command,
    add_course,
    add_sources,
    and_course,
    need_nbgrader,
)
from vae_ref.errors import CourseError

SHOWN = 40  # notes
NEW = (
    "autograder course new autumn 02_bound 03_sampling --due 02_bound=2027-03-01 "
    '--due "03_sampling=2027-03-08 18:00 +0100"'
)


def add_course_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    course = commands.add_parser("course", help="make a course to teach with", epilog=f"example:\n  {NEW}")
    _add_new(course.add_subparsers(required=True, metavar="ACTION"))

    collect = add_command(
        commands,
        "collect",
        _collect,
        "sort what a learning platform hands out into the course",
        "Put hand-ins into the course's submitted folder. FROM is the zip file that Canvas or Moodle gives for all "
        "hand-ins of an assignment, or a folder or zip file with LEARNER.ipynb or LEARNER/….ipynb. What is there "
        "already and the same is left alone. Exit code 1 if something could not be told to be anybody's.",
        "autograder collect 02_bound submissions.zip --course autumn",
    )
    add_assignment(collect)
    collect.add_argument("source", type=Path, metavar="FROM")
    add_course(collect)

    _add_grade(commands)
    grades = add_command(
        commands,
        "grades",
        _grades,
        "show the gradebook of a course",
        "Show who has how many points for what, and why a hand-in was refused.",
        "autograder grades 02_bound --course autumn",
    )
    add_assignment(grades)
    add_course(grades)

    forget = add_command(
        commands,
        "forget",
        _forget,
        "remove all that a course holds of a learner",
        "Remove a learner's hand-ins, graded notebooks, feedback and points, for good, and name the files that still "
        "mention the learner. Asks before it does.",
        "autograder forget ada --course autumn",
    )
    forget.add_argument("student", metavar="LEARNER", help="the learner's name in the gradebook")
    add_course(forget)
    forget.add_argument("--yes", action="store_true", help="do not ask")


def _add_new(actions: Any) -> None:
    new = add_command(
        actions,
        "new",
        _new,
        "a new nbgrader course",
        "Make an nbgrader course in DIR: configuration, released notebooks, gradebook, due dates. Given again it goes "
        "on where it was stopped, adds what you name, and leaves alone what you have changed.",
        NEW,
    )
    new.add_argument("course", type=Path, metavar="DIR", help="a new folder, or a course to go on with")
    add_assignments(new)
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
    add_sources(new)


def _add_grade(commands: Any) -> None:
    grade = add_command(
        commands,
        "grade",
        _grade,
        "grade all hand-ins of an assignment",
        "Grade the hand-ins in the course's submitted folder, several at a time, and write the grades into its "
        "gradebook, as nbgrader autograde does. Those that are graded already are left alone unless they, or the "
        "grader, have changed. A stopped batch goes on where it was.",
        "autograder grade 02_bound --course autumn",
        "autograder grade 02_bound --course autumn --scheduler tcp://host:8786",
    )
    add_assignment(grade)
    add_course(grade)
    where = grade.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="graded here at a time (default: one a processor)"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="grade on the Dask cluster of this scheduler, such as tcp://host:8786",
    )


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
    print(f"{done}; next: autograder grade {args.assignment}{and_course(args.course)}")
    return 1 if done.left else 0


def _grade(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.course.whole_class import grade_assignment
    from autograder.grading.batch import default_workers, on_this_machine
    from autograder.grading.cluster import on_dask

    hidden = (args.course.resolve(),)
    workers = default_workers() if args.workers is None else args.workers
    if workers < 1:
        raise CourseError(f"--workers must be at least 1, got {workers}")
    executor = (
        on_dask(args.scheduler, hidden) if args.scheduler is not None else on_this_machine(workers, hidden)
    )
    done = grade_assignment(args.course, args.assignment, executor)
    print(f"{done}; next: autograder grades {args.assignment}{and_course(args.course)}")
    return 0


def _grades(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.grading.gradebook import grades_table

    print(grades_table(args.course, args.assignment))
    return 0


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

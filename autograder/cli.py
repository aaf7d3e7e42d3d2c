"""The command ``autograder``."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder.assignments import Assignment
from autograder.course.commands import add_course_commands
from autograder.learner.commands import add_learner_commands
from autograder.reports.commands import add_commands, need_nbgrader
from vae_ref.errors import CourseError
from vae_ref.version import course_version

DESCRIPTION = """\
Check learners' code, and grade it safely.

Grading itself is nbgrader's: in a course whose nbgrader_config.py calls autograder.nbgrader_plugins.configure,
"nbgrader autograde NN_name" and the formgrader run hand-ins behind a wall and judge them outside of it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks ✓ shows ?, and the command goes on
            stream.reconfigure(errors="replace")
    args = _parser().parse_args(arguments)
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, "head" for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
        return 141  # what a shell reports for a closed pipe
    except CourseError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("autograder: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "autograder", description=DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"autograder {course_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_learner_commands(commands)

    check = commands.add_parser("check", help="check the functions of a Python file")
    check.description = (
        "Check every function of FILE that an assignment asks for. Exit code 0 only if all are right."
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    check.set_defaults(run=_check)

    validation = commands.add_parser("validate", help="try the checks on known mistakes and right answers")
    validation.description = (
        "Say what an assignment still lacks, and how to add it. If nothing, judge every known mistake, which must be "
        "found and named, and every known right answer, which must pass. "
        "Prints the kill matrix as Markdown. Exit code 1 if a mistake passes, a right answer fails, fewer than nine in "
        "ten mistakes are called by their name only, or two cannot be told apart without the catalogue saying so."
    )
    validation.add_argument("assignments", nargs="*", metavar="NN_name", help="which (default: all)")
    validation.set_defaults(run=_validate)

    trip = commands.add_parser(
        "round-trip", help="take assignments from text to grades, with every known mistake"
    )
    trip.description = (
        "Run each solution from clean, then grade a class: the solution, an untouched notebook, and the solution with "
        "one known mistake at a time, which must lose points for its own item only and be named. Prints a table; exit "
        "code 1 if anything is not as it should be. All known mistakes take some minutes for each assignment."
    )
    trip.add_argument("assignments", nargs="*", metavar="NN_name", help="which (default: all)")
    trip.add_argument(
        "--each", type=int, metavar="N", help="mistakes for each thing to write (default: all that are known)"
    )
    trip.set_defaults(run=_round_trip)

    doctor = commands.add_parser("doctor", help="tell whether this machine can grade, and what is missing")
    doctor.description = "Look at what grading needs, a line each. Exit code 1 if something is missing."
    doctor.set_defaults(run=_doctor)

    release = commands.add_parser("release", help="make the notebooks that learners get")
    release.description = (
        "Make the released notebooks of a course from the texts of the solutions, with nbgrader."
    )
    release.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )
    release.add_argument(
        "--sources",
        type=Path,
        default=Path("solutions"),
        metavar="DIR",
        help="the solutions' texts (default: solutions)",
    )
    release.add_argument("assignments", nargs="*", metavar="NN_name", help="which (default: all)")
    release.set_defaults(run=_release)

    pictures = commands.add_parser("pictures", help="draw the pictures that learners compare theirs with")
    pictures.description = (
        "Run solutions from their texts and keep what their marked cells draw, for the next release to show. "
        "Takes a minute or two for each."
    )
    pictures.add_argument("assignments", nargs="*", metavar="NN_name", help="which (default: all)")
    pictures.add_argument(
        "--sources",
        type=Path,
        default=Path("solutions"),
        metavar="DIR",
        help="the solutions' texts (default: solutions)",
    )
    pictures.set_defaults(run=_pictures)

    grade = commands.add_parser("grade", help="grade all hand-ins of an assignment")
    grade.description = (
        "Grade the hand-ins in the course's submitted folder, several at a time, and write the grades into its "
        "gradebook, as nbgrader autograde does. Those that are graded already are left alone unless they, or the "
        "grader, have changed. A stopped batch goes on where it was."
    )
    grade.add_argument("assignment", metavar="NN_name")
    grade.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )
    where = grade.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="graded here at a time (default: one a processor)"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="grade on the Dask cluster of this scheduler, such as tcp://host:8786",
    )
    grade.set_defaults(run=_grade)

    sample = commands.add_parser("sample-class", help="make a small class to try grading on")
    sample.description = (
        "Make an nbgrader course in DIR with a release and seven hand-ins, good, bad and hostile."
    )
    sample.add_argument("course", type=Path, metavar="DIR", help="a new folder")
    sample.add_argument(
        "--sources",
        type=Path,
        default=Path("solutions"),
        metavar="DIR",
        help="the solutions' texts (default: solutions)",
    )
    sample.set_defaults(run=_sample_class)

    grades = commands.add_parser("grades", help="show the gradebook of a course")
    grades.description = "Show who has how many points for what, and why a hand-in was refused."
    grades.add_argument("assignment", metavar="NN_name")
    grades.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )
    grades.set_defaults(run=_grades)

    add_course_commands(commands)
    add_commands(commands)
    return parser


def _check(args: argparse.Namespace) -> int:
    from autograder.judge.verdict import as_record, as_text
    from autograder.learner.files import check_file
    from autograder.learner.progress import remember

    verdicts = check_file(args.file)
    for verdict in verdicts:
        remember(verdict.check.name, verdict.score, verdict.points, args.file)
    if args.json:
        print(json.dumps({"checks": [as_record(verdict) for verdict in verdicts]}, ensure_ascii=False))
    else:
        print("\n".join(as_text(verdict) for verdict in verdicts))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


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


def _doctor(args: argparse.Namespace) -> int:
    from autograder.doctor import examine

    findings = list(examine())
    for finding in findings:
        print(f"{'✓' if finding.good else '✗'} {finding.what}: {finding.said}")
    return 0 if all(finding.good for finding in findings) else 1


def _release(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.release import release

    for assignment in _released(args.assignments):
        print(release(assignment, args.sources / assignment.slug / f"{assignment.slug}.py", args.course))
    return 0


def _pictures(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.authoring.pictures import make_pictures

    for assignment in _released(args.assignments):
        for path in make_pictures(args.sources / assignment.slug / f"{assignment.slug}.py"):
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
    print(grade_assignment(args.course, args.assignment, executor))
    return 0


def _grades(args: argparse.Namespace) -> int:
    need_nbgrader()
    from autograder.grading.gradebook import grades_table

    print(grades_table(args.course, args.assignment))
    return 0


if __name__ == "__main__":
    sys.exit(main())

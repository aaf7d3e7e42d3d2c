"""The command ``autograder``, collected from what each folder offers."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from autograder.authoring.commands import add_authoring_commands
from autograder.course.commands import add_course_commands
from autograder.learner.commands import add_learner_commands
from autograder.options import add_command
from autograder.reports.commands import add_report_commands
from vae_ref.command_line import CommandParser, exit_code_of
from vae_ref.version import course_version

DESCRIPTION = """\
Check learners' code, and grade it safely.

Grading itself is nbgrader's: in a course whose nbgrader_config.py calls autograder.nbgrader_plugins.configure,
"nbgrader autograde NN_name" and the formgrader run hand-ins behind a wall and judge them outside of it.
"""
EXAMPLES = """\
examples:
  autograder start vae-course
  autograder grade 02_bound --course autumn"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks ✓ shows ?, and the command goes on
            stream.reconfigure(errors="replace")
    args = build_parser().parse_args(arguments)
    return exit_code_of("autograder", lambda: int(args.run(args)), 2, "stopped")


def build_parser() -> argparse.ArgumentParser:
    """The command line; nothing here waits for torch."""
    parser = CommandParser("autograder", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"autograder {course_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_learner_commands(commands)
    add_course_commands(commands)
    add_report_commands(commands)
    add_authoring_commands(commands)
    add_command(
        commands,
        "doctor",
        _doctor,
        "tell whether this machine can grade, and what is missing",
        "Look at what grading needs, a line each. Exit code 1 if something is missing.",
        "autograder doctor",
    )
    return parser


def _doctor(args: argparse.Namespace) -> int:
    from autograder.doctor import examine

    findings = list(examine())
    for finding in findings:
        print(f"{'✓' if finding.good else '✗'} {finding.what}: {finding.said}")
    return 0 if all(finding.good for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())

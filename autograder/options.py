"""What commands share: how one is described, the options that several take, the package that most need."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_ref.errors import CourseError


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help: str,
    description: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add a command to argparse's subparsers.

    Args:
        commands: the subparsers.
        name: of the command.
        run: carries it out, and returns its exit code.
        help: what it does, for the list of all commands.
        description: the same in sentences.
        examples: as they are typed.
    """
    title = "example:" if len(examples) == 1 else "examples:"
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=description, epilog="\n  ".join([title, *examples])
    )
    parser.set_defaults(run=run)
    return parser


def add_assignment(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which assignment it is about."""
    parser.add_argument("assignment", metavar="NN_name")


def add_assignments(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which assignments it is about, if not all."""
    parser.add_argument(
        "assignments",
        nargs="*",
        default=[],  # or argparse asks for them where something else is missing
        metavar="NN_name",
        help="which (default: all)",
    )


def add_course(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which course it is about."""
    parser.add_argument(
        "--course", type=Path, default=Path(), metavar="DIR", help="an nbgrader course (default: here)"
    )


def and_course(course: Path) -> str:
    """What a command that is suggested next needs to be about the same course: nothing in the course's folder."""
    return "" if course == Path() else f" --course {shlex.quote(str(course))}"


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where the solutions' texts are."""
    parser.add_argument(
        "--sources",
        type=Path,
        default=Path("solutions"),
        metavar="DIR",
        help="the solutions' texts (default: solutions)",
    )


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

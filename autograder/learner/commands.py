"""The commands of ``autograder`` for learners: start, progress, submit-check."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vae_ref.errors import CourseError


def add_learner_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    start = _add(
        commands, "start", "copy the exercises into a folder of yours", "autograder start vae-course"
    )
    start.description = (
        "Copy the notebooks of all exercises into DIR, a folder for each. Given again it adds what is missing and "
        "renews what you have not changed; what you have changed is left alone. What your checks say is remembered "
        "in DIR."
    )
    start.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or the one from last time")
    start.set_defaults(run=_start)

    progress = _add(commands, "progress", "show what you have done and what is open", "autograder progress")
    progress.description = (
        "Show points and what is open in each exercise, as your checks last said. They are remembered in the folder "
        "that autograder start made, and leave it for nowhere."
    )
    progress.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="that folder (default: here)"
    )
    progress.set_defaults(run=_progress)

    look = _add(
        commands,
        "submit-check",
        "tell whether a hand-in would be accepted",
        "autograder submit-check 02_bound/02_bound.ipynb\n  autograder submit-check .",
    )
    look.description = (
        "Look at a notebook, or at all in a folder, as the grader does when it is handed in: would it be accepted, and "
        "is there anything unfinished or out of place? It runs nothing and sends nothing. Exit code 1 if something "
        "would be refused."
    )
    look.add_argument("path", type=Path, metavar="FILE_OR_DIR", help="a notebook, or a folder with notebooks")
    look.set_defaults(run=_submit_check)


def _add(commands: Any, name: str, help_: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        epilog=f"example:\n  {example}",
        formatter_class=_WrappedWithExample,
    )
    return parser


class _WrappedWithExample(argparse.HelpFormatter):
    """Wraps the description, and leaves the lines of the example as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example:"):
            return text
        return super()._fill_text(text, width, indent)


def _start(args: argparse.Namespace) -> int:
    from autograder.assignments import RELEASED
    from autograder.learner.starting import start

    if args.folder.exists() and not args.folder.is_dir():
        raise CourseError(f"{args.folder} is a file: name a folder for your exercises")
    for place, what in start(args.folder):
        print(f"{args.folder / place}: {what}", flush=True)
    first = args.folder / RELEASED[0].slug / f"{RELEASED[0].slug}.ipynb"
    print(f"Begin with {first}, in JupyterLab (jupyter lab) or any editor that opens notebooks.")
    return 0


def _progress(args: argparse.Namespace) -> int:
    from autograder.learner.progress import as_table, standings

    print(as_table(standings(args.folder)))
    return 0


def _submit_check(args: argparse.Namespace) -> int:
    from autograder.learner.submit_check import as_text, look_at

    found = look_at(args.path)
    print(as_text(found))
    return 1 if any(one.refused for one in found) else 0

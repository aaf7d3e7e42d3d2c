"""The commands of ``autograder`` for learners: start, progress, check, submit-check."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from autograder.options import add_command
from vae_ref.errors import CourseError


def add_learner_commands(commands: Any) -> None:
    """Add them to argparse's subparsers."""
    start = add_command(
        commands,
        "start",
        _start,
        "copy the exercises into a folder of yours",
        "Copy the notebooks of all exercises into DIR, a folder for each. Given again it adds what is missing and "
        "renews what you have not changed; what you have changed is left alone. What your checks say is remembered "
        "in DIR.",
        "autograder start vae-course",
    )
    start.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or the one from last time")

    progress = add_command(
        commands,
        "progress",
        _progress,
        "show what you have done and what is open",
        "Show points and what is open in each exercise, as your checks last said. They are remembered in the folder "
        "that autograder start made, and leave it for nowhere.",
        "autograder progress",
    )
    progress.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="that folder (default: here)"
    )

    check = add_command(
        commands,
        "check",
        _check,
        "check the functions of a Python file",
        "Check every function of FILE that an assignment asks for. Exit code 0 only if all are right.",
        "autograder check bound.py",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="print the verdicts as JSON")

    look = add_command(
        commands,
        "submit-check",
        _submit_check,
        "tell whether a hand-in would be accepted",
        "Look at a notebook, or at all in a folder, as the grader does when it is handed in: would it be accepted, and "
        "is there anything unfinished or out of place? It runs nothing and sends nothing. Exit code 1 if something "
        "would be refused.",
        "autograder submit-check 02_bound/02_bound.ipynb",
        "autograder submit-check .",
    )
    look.add_argument("path", type=Path, metavar="FILE_OR_DIR", help="a notebook, or a folder with notebooks")


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

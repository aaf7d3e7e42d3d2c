"""The command ``vae-ref``: train the reference, evaluate it, and make a page of its results."""

from __future__ import annotations

import argparse
import os
import sys
import warnings

from vae_ref.command_line import CommandParser, exit_code_of
from vae_ref.commands import data, evaluate, report, reproduce, sample, train
from vae_ref.version import course_version

COMMANDS = (  # in the order of --help
    data,
    train,
    evaluate,
    sample,
    report,
    reproduce,
)

AFTERWARDS = """example:
  vae-ref train --data paper --out runs/paper --minutes 2
  vae-ref report --run runs/paper --out build/results

The same train, reproduce or download command continues what was stopped, also by a power cut."""


def build_parser() -> argparse.ArgumentParser:
    """The command line, collected from ``vae_ref.commands``."""
    parser = CommandParser(
        prog="vae-ref",
        description="Train the course's variational autoencoder, measure it, and show the results.",
        epilog=AFTERWARDS,
    )
    parser.add_argument("--version", action="version", version=f"vae-ref {course_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 a problem to fix, 130 interrupted, 141 cut off."""
    options = build_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    # OpenMP threads that spin while they wait starve each other when the machine is shared: with two trainings
    # at once on two cores a short spin is 5 times as fast. It is read when torch is imported, further down.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    stopped = "stopped; the same command continues from what was saved"
    return exit_code_of("vae-ref", lambda: options.handler(options) or 0, 1, stopped)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"vae-ref: warning: {message}", file=sys.stderr)

"""What the command lines of both programs have in common: helps with examples, and how a command ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from vae_ref.errors import CourseError


class CommandParser(argparse.ArgumentParser):
    """A parser whose help wraps sentences and leaves examples as they are; its subcommands are of this kind too.

    Paragraphs are separated by an empty line. One that starts with "example" holds a command in each further line.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": _KeepingExamples} | options)

    def error(self, message: str) -> NoReturn:
        """End with one line; the usage that argparse puts above it takes up to eight more."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class _KeepingExamples(argparse.HelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part
            if part.startswith("example")
            else super(_KeepingExamples, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )


def exit_code_of(program: str, command: Callable[[], int], problem: int, stopped: str) -> int:
    """Carry a command out, and turn every end that people bring about into one line and an exit code.

    Args:
        program: its name, which starts the line.
        command: what is to be done; its exit code.
        problem: exit code for what a person can mend.
        stopped: what ctrl-C is answered with.
    """
    try:
        code = command()
        sys.stdout.flush()
    except CourseError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return problem
    except KeyboardInterrupt:
        print(f"{program}: {stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, "head" for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
        return 141  # what a shell reports for a closed pipe
    return code

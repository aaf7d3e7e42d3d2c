"""Three hints for each thing to write: where to look, how to go about it, what the pieces are. None is the answer.

One file for each assignment, named like it.
"""

from __future__ import annotations

import importlib

from autograder.assignments import ASSIGNMENTS

LEVELS = 3

# file names start with the chapter's number, which the import statement cannot spell
HINTS: dict[str, tuple[str, str, str]] = {
    name: hints
    for assignment in ASSIGNMENTS
    for name, hints in importlib.import_module(f"autograder.hints.{assignment.slug}").HINTS.items()
}

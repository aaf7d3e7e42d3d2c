"""Three hints for each thing to write: where to look, how to go about it, what the pieces are. None is the answer.

One file for each assignment, named like it.
"""

from __future__ import annotations

import importlib
import importlib.util

from autograder.assignments import ASSIGNMENTS

LEVELS = 3

# file names start with the chapter's number, which the import statement cannot spell; a room that is being written has
# no such file yet, and autograder validate says so
HINTS: dict[str, tuple[str, str, str]] = {
    name: hints
    for assignment in ASSIGNMENTS
    if importlib.util.find_spec(f"autograder.hints.{assignment.slug}")
    for name, hints in importlib.import_module(f"autograder.hints.{assignment.slug}").HINTS.items()
}

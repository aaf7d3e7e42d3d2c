"""The catalogue: one file of checks for each assignment, named like it."""

from __future__ import annotations

import functools
import importlib

from autograder.assignments import ASSIGNMENTS, assignment_asking_for
from autograder.checking import Check
from vae_ref.errors import CourseError


@functools.cache
def checks_of(slug: str) -> dict[str, Check]:
    """The checks of an assignment by the name of what they examine, in the order learners meet them."""
    # file names start with the chapter's number, which the import statement cannot spell
    module = importlib.import_module(f"autograder.checks.{slug}")
    return {check.name: check for check in module.CHECKS}


def check_named(function: str) -> tuple[Check, int]:
    """The check of ``function`` and its points.

    Raises:
        CourseError: no assignment asks for such a function.
    """
    assignment = assignment_asking_for(function)
    if assignment is None:
        known = ", ".join(name for a in ASSIGNMENTS for name in a.points_of)
        raise CourseError(
            f"no assignment asks for a function named {function!r}; there are checks for {known}"
        )
    return checks_of(assignment.slug)[function], assignment.points_of[function]

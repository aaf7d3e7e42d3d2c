"""Checks for learners, grading for instructors.

In a notebook, ``from autograder import check; check(kl_divergence)`` says whether a function is right and, where it
recognises the mistake, names it. On the command line, see ``autograder --help``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.learner.notebook import check

__all__ = ["check"]


def __getattr__(name: str) -> Any:
    """Import ``check`` when it is asked for: torch takes seconds, and most commands do without."""
    if name != "check":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from autograder.learner.notebook import check

    return check

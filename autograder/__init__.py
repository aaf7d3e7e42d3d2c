"""Checks for learners, grading for instructors.

In a notebook, ``from autograder import check; check(kl_divergence)`` says whether a function is right and, where it
recognises the mistake, names it. On the command line, see ``autograder --help``.
"""

from autograder.notebook import check

__all__ = ["check"]

"""The catalogue: one file or folder of checks for each assignment, named like it.

How often does bad luck fail a right answer? Most checks compare numbers that are not random, and never do. The others
compare statistics of thousands of draws with their exact values, and let them be 6.5 standard errors away
(``comparing.STANDARD_ERRORS``). A run of every check makes these comparisons:

==========================  ===========  ==========================================  ================
check                       comparisons  statistics                                  skew at most
==========================  ===========  ==========================================  ================
kl_monte_carlo                       10  means of 4,096 quadratics of normals        2.9 / 64
reparameterize                       32  means, spreads, cosines, correlations       1.5 / 91
pathwise_gradient                    12  means and spreads of 20,000 estimates       3 / 141
score_function_gradient               9  means of 20,000 estimates                   3 / 141
generate                             40  means of 8,192 bounded or squared numbers   2.9 / 91
log_weights                          16  means, spreads, correlations of 4,096       3 / 64
log_weights                           2  Bernstein's inequality, 1e-10 each          whatever it is
VAE                                   2  mean and spread of 128 draws                0.13
==========================  ===========  ==========================================  ================

A normal tail leaves 8e-11 beyond 6.5 standard errors on both sides. A mean of n draws of skewness g is not quite
normal: its upper tail is larger by a factor of about exp(6.5³ g / (6 √n)), the first term of Cramér's series. With
g / √n of at most 3 / 64 that is exp(2.1) < 9; the spread of the VAE's 128 draws, whose exact distribution is chi,
exceeds its limit with 4e-10. So the other 120 statistics fail with less than 120 × 9 × 8e-11 < 9e-8, and all 123
together with less than 1e-7: a tenth of the one in a million that is promised. The ten means by which ``augment`` and
``draw_exponential`` are judged may be 7.5 standard errors away, beyond which a normal tail leaves 7e-14. What else
depends on luck, such as two equal draws of noise or 64 heads of one sign, has a probability below 1e-15.

``python -m benchmarks false-failures`` measures it: that nothing fails, and that distances beyond 2, 3, 4 and 5
standard errors are no more frequent than this says.
"""

from __future__ import annotations

import difflib
import functools
import importlib

from autograder.assignments import ASSIGNMENTS, assignment_asking_for
from autograder.judge.definitions import Check
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
        names = [name for a in ASSIGNMENTS for name in a.points_of]
        if close := difflib.get_close_matches(function, names, 1):
            raise CourseError(
                f"there is no check for {function!r}; did you mean {close[0]}? Give it that name"
            )
        known = ", ".join(names)
        raise CourseError(
            f"no assignment asks for a function named {function!r}; there are checks for {known}"
        )
    return checks_of(assignment.slug)[function], assignment.points_of[function]

"""Checks of assignment 06, reconstruct, generate, interpolate.

Oracles are plain formulas in double precision. Only ``generate`` is random. A model that shows its codes as pixels lets
their moments be read back; each may be 6.5 standard errors away from that of N(0, I). A moment is a mean over 8,192
rows, so a normal tail bounds one comparison by 8e-11; the skew of squared normals makes that 4e-10 at most. One run
makes 40 comparisons, so it fails a right answer with less than 2e-8.
"""

from __future__ import annotations

from autograder.checks.generation.generate import GENERATE
from autograder.checks.generation.interpolate import INTERPOLATE
from autograder.checks.generation.lerp import LERP
from autograder.checks.generation.log_aggregated_posterior import LOG_AGGREGATED_POSTERIOR
from autograder.checks.generation.questions import LARGEST_INFORMATION, SQUARED_NORM_ON_LINE
from autograder.checks.generation.reconstruct import RECONSTRUCT
from autograder.checks.generation.slerp import SLERP

CHECKS = (
    RECONSTRUCT,
    GENERATE,
    LERP,
    SQUARED_NORM_ON_LINE,
    SLERP,
    INTERPOLATE,
    LARGEST_INFORMATION,
    LOG_AGGREGATED_POSTERIOR,
)

"""Checks of assignment 07, inside the latent space.

Nothing here is random: oracles are plain formulas, ``numpy.linalg.svd`` and regressions of scikit-learn in double
precision. The sign of a principal component is free, so directions are compared as projectors, and projections by what
belongs to the components that came with them.
"""

from __future__ import annotations

from autograder.checks.latents.active_units import ACTIVE_UNITS
from autograder.checks.latents.encode_dataset import ENCODE_DATASET
from autograder.checks.latents.linear_probe_r2 import LINEAR_PROBE_R2
from autograder.checks.latents.principal_components import PRINCIPAL_COMPONENTS
from autograder.checks.latents.questions import SHARE_OF_ISOTROPIC, WHAT_A_ROTATION_CHANGES
from autograder.checks.latents.sap_score import SAP_SCORE
from autograder.checks.latents.traverse import TRAVERSE

CHECKS = (
    ENCODE_DATASET,
    ACTIVE_UNITS,
    SHARE_OF_ISOTROPIC,
    PRINCIPAL_COMPONENTS,
    TRAVERSE,
    LINEAR_PROBE_R2,
    SAP_SCORE,
    WHAT_A_ROTATION_CHANGES,
)

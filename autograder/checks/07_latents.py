"""Checks of assignment 07, inside the latent space.

Nothing here is random: oracles are plain formulas and ``numpy.linalg.svd`` in double precision. The sign of a principal
component is free, so directions are compared as projectors, and projections by what belongs to the components that
came with them.
"""

from __future__ import annotations

from autograder.checks.latents.active_units import ACTIVE_UNITS
from autograder.checks.latents.encode_dataset import ENCODE_DATASET
from autograder.checks.latents.principal_components import PRINCIPAL_COMPONENTS
from autograder.checks.latents.traverse import TRAVERSE

CHECKS = (ENCODE_DATASET, PRINCIPAL_COMPONENTS, TRAVERSE, ACTIVE_UNITS)

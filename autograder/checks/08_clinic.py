"""Checks of assignment 08, when a VAE is broken.

Probes are asked about small patients of random weights that are ill in known ways (``toys.Patient``). What their
noise should be left out of is left out: it is the same in every call, or spreads evenly, so nothing depends on luck.
Diagnoses are asked of charts: those of pocket models that nobody has seen, with other dogs and other codes than the
notebook's, measured by the reference. The one comparison of random numbers, of the noise that a donor's ``draw`` gives
to 4,096 codes, may be 13 standard errors off, which bad luck exceeds with a probability below 1e-30.
"""

from __future__ import annotations

from autograder.checks.clinic.diagnose import DIAGNOSE
from autograder.checks.clinic.donor import DONOR
from autograder.checks.clinic.free_bits_kl import FREE_BITS_KL
from autograder.checks.clinic.gradient_reach import GRADIENT_REACH
from autograder.checks.clinic.price_of_a_nat import PRICE_OF_A_NAT
from autograder.checks.clinic.sampler_spread import SAMPLER_SPREAD
from autograder.checks.clinic.surviving_units import SURVIVING_UNITS
from autograder.checks.clinic.uses_latent import USES_LATENT
from autograder.checks.clinic.vital_signs import VITAL_SIGNS

CHECKS = (
    USES_LATENT,
    VITAL_SIGNS,
    SAMPLER_SPREAD,
    GRADIENT_REACH,
    PRICE_OF_A_NAT,
    SURVIVING_UNITS,
    DIAGNOSE,
    DONOR,
    FREE_BITS_KL,
)

"""Checks of assignment 04, encoder and decoder.

An architecture is free and its weights are random, so there is no right result: the parts say what holds for every
right one. What could depend on how somebody starts the weights is looked at after ``handling.shake`` has drawn them
anew from the cases' seed. A linear head gives each of 64 latents a sign as good as a fair coin's, so all numbers have
one sign only with 2^-63. The noise inside ``VAE.forward`` is read off 128 pictures: mean and standard deviation may be
6.5 standard errors away, which a right answer exceeds with less than 1e-9 a run. The arithmetic of shapes has one right
result each, which the layers of torch themselves say.
"""

from __future__ import annotations

from autograder.checks.networks.coverage import COVERAGE
from autograder.checks.networks.decoder import DECODER
from autograder.checks.networks.encoder import ENCODER
from autograder.checks.networks.mixing_layer import MIXING_LAYER
from autograder.checks.networks.shapes import CONV_OUTPUT_SIDE, CONV_PARAMETERS, RECEPTIVE_FIELD
from autograder.checks.networks.vae import VAE

CHECKS = (
    CONV_OUTPUT_SIDE,
    RECEPTIVE_FIELD,
    CONV_PARAMETERS,
    MIXING_LAYER,
    ENCODER,
    COVERAGE,
    DECODER,
    VAE,
)

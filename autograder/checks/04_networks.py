"""Checks of assignment 04, encoder and decoder.

An architecture is free and its weights are random, so there is no right result: the parts say what holds for every
right one. What could depend on how somebody starts the weights is looked at after ``props.shake`` has drawn them anew
from the cases' seed. A linear head gives each of 64 latents a sign as good as a fair coin's, so all its numbers have
one sign only with 2^-63. The noise inside ``VAE.forward`` is read off 128 pictures: mean and standard deviation may be
6.5 standard errors away, which a right answer exceeds with less than 1e-9 a run.
"""

from __future__ import annotations

from autograder.checks.networks.decoder import DECODER
from autograder.checks.networks.encoder import ENCODER
from autograder.checks.networks.vae import VAE

CHECKS = (ENCODER, DECODER, VAE)

"""Checks of assignment 10, sharper dogs.

Nothing here is left to chance, except where a probe asks whether noise is drawn at all. The networks of
``vae_gan_step`` are small, its optimizers plain gradient descent, and its oracle moves the weights by hand along
gradients in double precision. Feature distances have a kink where two features agree; the cases keep away from it, so
that rounding cannot fail a right answer.
"""

from __future__ import annotations

from autograder.checks.sharper.best_picture import BEST_PICTURE
from autograder.checks.sharper.conditional_kl import CONDITIONAL_KL
from autograder.checks.sharper.high_frequency_share import HIGH_FREQUENCY_SHARE
from autograder.checks.sharper.losses import DISCRIMINATOR_LOSS, FEATURE_MATCHING_LOSS, GENERATOR_LOSS
from autograder.checks.sharper.posterior_sample_mse import POSTERIOR_SAMPLE_MSE
from autograder.checks.sharper.vae_gan_step import VAE_GAN_STEP

CHECKS = (
    BEST_PICTURE,
    CONDITIONAL_KL,
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    FEATURE_MATCHING_LOSS,
    VAE_GAN_STEP,
    HIGH_FREQUENCY_SHARE,
    POSTERIOR_SAMPLE_MSE,
)

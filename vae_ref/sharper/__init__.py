"""Chapter 10, sharper dogs: a learned prior, a second level of codes, and a decoder that a critic has sharpened."""

from vae_ref.sharper.conditional import conditional_kl
from vae_ref.sharper.discriminator import Discriminator
from vae_ref.sharper.flow import FlowPrior
from vae_ref.sharper.losses import discriminator_loss, feature_matching_loss, generator_loss
from vae_ref.sharper.two_level import TwoLevelVAE
from vae_ref.sharper.vae_gan import vae_gan_step

__all__ = [
    "Discriminator",
    "FlowPrior",
    "TwoLevelVAE",
    "conditional_kl",
    "discriminator_loss",
    "feature_matching_loss",
    "generator_loss",
    "vae_gan_step",
]

"""The kinds of models that can be trained, by name."""

from __future__ import annotations

from vae_ref.config import Config
from vae_ref.networks import VAE


def build_model(config: Config) -> VAE:
    """Make a new model of the kind and size that a configuration names; a vae-gan is a VAE with another training."""
    if config.model == "two-level":
        from vae_ref.sharper import TwoLevelVAE  # the rest of the course does without chapter 10

        return TwoLevelVAE(config.latent_dim)
    return VAE(config.latent_dim)

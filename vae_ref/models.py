"""The kinds of models that can be trained, by name."""

from __future__ import annotations

from vae_ref.config import Config
from vae_ref.networks import VAE


def build_model(config: Config) -> VAE:
    """Make a new model of the kind and size that a configuration names; a vae-gan is a VAE with another training."""
    if config.model == "two-level":
        from vae_ref.sharper import TwoLevelVAE  # the rest of the course does without chapter 10

        return TwoLevelVAE(config.latent_dim)
    model = VAE(config.latent_dim)
    if config.prior == "flow":
        from vae_ref.sharper import FlowPrior

        # fitted to finished codes: no part of the training of encoder and decoder
        model.learned_prior = FlowPrior(config.latent_dim).requires_grad_(False)
    return model

"""A cure for codes that fall silent: the first nats of every latent dimension are free."""

from __future__ import annotations

import math

from torch import Tensor

from vae_ref.bound import kl_divergence
from vae_ref.inputs import require_codes


def free_bits_kl(mu: Tensor, logvar: Tensor, floor: float) -> Tensor:
    """The KL term of a batch in which no latent dimension counts as less than a floor.

    Below the floor a dimension costs the same whatever it says, so nothing presses it towards the prior, and an encoder
    that has just begun to say something is not silenced. The floor applies to the mean over the batch: single images
    may use less.

    Args:
        mu: means, (B, L), B at least 1.
        logvar: log variances log σ², (B, L).
        floor: λ in nats for each latent dimension, 0 or more; 0 gives the mean KL.

    Returns:
        Σ_j max(λ, mean over images of KL_j) in nats per image, (); never below L λ.

    Raises:
        TypeError, ValueError: not floating point, other shapes, no image, or a negative floor.

    Source: Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow (2016), appendix C.8.
    """
    require_codes(mu, logvar)
    if mu.dim() != 2 or len(mu) == 0:
        raise ValueError(f"mu must have shape (B, L) with at least one image, got {tuple(mu.shape)}")
    if not 0 <= floor < math.inf:
        raise ValueError(f"floor must be 0 or more nats, got {floor:g}")
    kl = kl_divergence(mu[..., None], logvar[..., None])  # of each latent by itself, (B, L)
    return kl.mean(dim=0).clamp(min=floor).sum()

"""Losses as other people write them, for the reference's own net: all else is equal then.

Every function takes pictures ``x`` and the decoder's ``x_hat``, (B, 3, 64, 64) in [0, 1], and the encoder's
``mu`` and ``logvar``, (B, L), and returns the number that is minimised, ().
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vae_ref.bound import kl_divergence


def pytorch_example(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Binary cross-entropy and KL, both summed over everything, batch included.

    Source: pytorch/examples, vae/main.py at commit 77f55b9 (25 August 2025).
    """
    return F.binary_cross_entropy(x_hat, x, reduction="sum") + kl_divergence(mu, logvar).sum()


def mean_cross_entropy(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Binary cross-entropy averaged over pixels, the default of the function, beside a KL that is a sum."""
    return F.binary_cross_entropy(x_hat, x) + kl_divergence(mu, logvar).mean()


def unit_variance(x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """The negative bound with σ = 1 for pixels in [0, 1], its constant left out: half the squared error."""
    squared_error = (x - x_hat).flatten(1).square().sum(dim=1)  # (B,)
    return (0.5 * squared_error + kl_divergence(mu, logvar)).mean()

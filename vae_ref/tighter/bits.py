"""Honest numbers: 8-bit images as points of a density, densities as bits, and what β says about σ."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_ref.inputs import require_float

LEVELS = 256  # of an 8-bit image


def dequantise(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Place 8-bit levels uniformly in their intervals of width 1/256.

    Args:
        x: images, (B, 3, H, W), in [0, 1], level / 255.
        generator: source of the noise u; the global one if None.

    Returns:
        (255 x + u) / 256 with u uniform in [0, 1), the shape of ``x``.

    Source: Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models (2016), section 3.1.
    """
    require_float(x=x)
    u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return (255 * x + u) / LEVELS


def to_middle(x_hat: Tensor) -> Tensor:
    """The mean of ``dequantise``: where a decoder's picture lies on the dequantised scale.

    Args:
        x_hat: pictures, any shape, float in [0, 1].

    Returns:
        (255 x_hat + ½) / 256, the shape of ``x_hat``.

    Raises:
        TypeError: not floating point.
    """
    require_float(x_hat=x_hat)
    return (255 * x_hat + 0.5) / LEVELS


def bits_per_dim(log_likelihood: Tensor, num_dims: int) -> Tensor:
    """Bits that a pixel value of an 8-bit image costs under a density of pixels in [0, 1].

    A grey level is an interval 1/256 wide. With x = (level + u) / 256 and u uniform in [0, 1), the mean
    log density of x is at most the log probability of the level plus log 256: so this number is then an upper
    bound on the bits of a code for the levels. Without the noise u it bounds nothing.

    Args:
        log_likelihood: log p(x) or a lower bound on it, nats per image, (B,).
        num_dims: pixels times channels, D, at least 1.

    Returns:
        −log p / (D log 2) + 8, (B,); 8 for the uniform density.

    Raises:
        TypeError, ValueError: not floating point, or ``num_dims`` below 1.

    Source: Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models (2016), section 3.1.
    """
    require_float(log_likelihood=log_likelihood)
    if num_dims < 1:
        raise ValueError(f"num_dims must be at least 1, got {num_dims}")
    return -log_likelihood / (num_dims * math.log(2)) + 8


def beta_from_sigma(sigma: float) -> float:
    """The weight of the KL term that says the same as a σ: β = σ².

    Multiply the negative bound ½ Σ (x − x̂)² / σ² + KL by σ²: ½ Σ (x − x̂)² + σ² KL has the same minimum. So a
    weight on the KL of a squared error is a statement about the noise of a pixel. Other ways to write the
    error have other weights for the same σ; here with σ = 0.1 and images of D = 12,288 values:

        ½ Σ (x − x̂)² + β KL       β = σ²         0.01
        Σ (x − x̂)² + β KL         β = 2 σ²       0.02
        mean (x − x̂)² + β KL      β = 2 σ² / D   0.0000016

    Read the other way round, "mean squared error plus KL" (β = 1 in the last row) claims σ = √(D / 2) = 78 for
    pixels in [0, 1]: every picture is noise, and the code learns nothing.

    Args:
        sigma: standard deviation of a pixel, in the units of x, positive.

    Returns:
        β for half the squared error summed over pixels.

    Raises:
        ValueError: ``sigma`` is not positive.
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive, got {sigma:g}")
    return sigma**2


def sigma_from_beta(beta: float) -> float:
    """The σ that a weight β on the KL term claims, for half the squared error summed over pixels: σ = √β.

    Args:
        beta: weight of the KL term, positive. Halve the weight that goes with the whole squared error; multiply
            the one that goes with the mean over D values by D / 2.

    Raises:
        ValueError: ``beta`` is not positive.
    """
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be positive, got {beta:g}")
    return math.sqrt(beta)

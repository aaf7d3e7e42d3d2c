"""Which latents a linear VAE keeps: those whose direction varies more than the noise of a pixel."""

from __future__ import annotations

import math

from torch import Tensor

from vae_ref.inputs import require_float


def surviving_units(variances: Tensor, sigma: float, beta: float = 1.0) -> int:
    """How many latents of a linear VAE say anything at the minimum of its loss.

    Args:
        variances: of the images along their principal directions, one for each latent, (L,).
        sigma: standard deviation of a pixel, positive.
        beta: weight of the KL term, positive.

    Returns:
        How many variances are greater than β σ². The latents of the others are at μ = 0 and s = 1 for every image.

    Raises:
        TypeError, ValueError: no vector of floating-point numbers, or a ``sigma`` or ``beta`` that is not positive.

    Source: book, equation (8.4); Lucas et al., Don't Blame the ELBO! (2019), section 4.
    """
    require_float(variances=variances)
    if variances.dim() != 1:
        raise ValueError(f"variances must have shape (L,), got {tuple(variances.shape)}")
    for name, value in (("sigma", sigma), ("beta", beta)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, got {value:g}")
    return int((variances > beta * sigma**2).sum())

"""The probability of 8-bit levels themselves: a Gaussian cut into 256 bins."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import log_ndtr

from vae_ref.inputs import require_pictures


def discretised_log_likelihood(x: Tensor, x_hat: Tensor, sigma: float | Tensor) -> Tensor:
    """Log probability of 8-bit images under a Gaussian around their reconstructions, cut into levels.

    Level k of 0 … 255 gets the mass between its neighbours' middles, (k − ½)/255 to (k + ½)/255; black and
    white reach to ∓∞, so the probabilities of the 256 levels add up to 1. No noise is added, and the result
    over D log 2 is bits per dim as it stands.

    Args:
        x: images whose values are level / 255, (B, ...), float in [0, 1].
        x_hat: the decoder's means, the shape of ``x``.
        sigma: standard deviation of a pixel in units of [0, 1], positive.

    Returns:
        log P(x | x_hat, σ) in nats, at most 0, (B,). It is computed in float64, and stays finite with finite
        gradients as long as no pixel is further than about 10⁷ σ off.

    Raises:
        TypeError, ValueError: not floating point, shapes that differ, ``sigma`` not one positive number, or values
            that are no levels, such as dequantised or augmented pictures.

    Source: Salimans et al., PixelCNN++ (2017), section 2.1 (there with a logistic density).
    """
    require_pictures(x, x_hat)
    scale = 255 * torch.as_tensor(sigma, dtype=torch.float64, device=x.device)  # σ in levels
    if scale.numel() != 1 or not 0 < scale.item() < torch.inf:
        raise ValueError(f"sigma must be one positive number, got {sigma}")
    level = (255 * x.double()).round()
    off = (255 * x.double() - level).abs()
    if not bool(((off < 1e-2) & (level >= 0) & (level <= 255)).all()):
        raise ValueError(
            "x must hold 8-bit levels k / 255, got other values; pass images as loaded, without noise"
        )
    centre = 255 * x_hat.double()
    low, high = (level - 0.5 - centre) / scale, (level + 0.5 - centre) / scale
    # the lowest bin reaches to −∞ and the highest to ∞:  log Φ(high)  and  log (1 − Φ(low)) = log Φ(−low)
    log_p = torch.where(
        level == 0, log_ndtr(high), torch.where(level == 255, log_ndtr(-low), _between(low, high))
    )
    return log_p.flatten(1).sum(dim=1).to(x.dtype)


def _between(low: Tensor, high: Tensor) -> Tensor:
    """log (Φ(high) − Φ(low)) for low < high, without cancellation in either tail."""
    # Φ is close to 1 above the mean, where differences drown in rounding: mirror to the side below it
    mirror = low + high > 0
    low, high = torch.where(mirror, -high, low), torch.where(mirror, -low, high)
    log_high = log_ndtr(high)
    ratio = (log_ndtr(low) - log_high).clamp(max=-1e-15)  # log Φ(low) / Φ(high) < 0
    return log_high + torch.log(-torch.expm1(ratio))  # log Φ(high) + log (1 − e^ratio)

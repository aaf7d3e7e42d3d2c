"""Chapter 02, the evidence lower bound: every term per image, in nats.

For an image x, a code z, the encoder's q(z|x) = N(mu, diag exp(logvar)) and the prior p(z) = N(0, I):

    log p(x)  ≥  ELBO(x)  =  E_q[log p(x|z)]  −  KL(q(z|x) ‖ p(z))

No function here averages over the batch: that happens in one place, the training loss (chapter 05). Numbers are not
searched for NaN, which costs a pass over them: it comes out where it went in. ``require_images`` looks, once a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vae_ref.inputs import require_codes, require_float, require_pictures

LOG_2PI = math.log(2 * math.pi)
MAX_EXPONENT = 30.0  # e³⁰ = 1.1e13; its square times thousands of latents is still a float32


def bounded_exp(x: Tensor, exp: Callable[[Tensor], Tensor] = torch.exp) -> Tensor:
    """The exponential, continued beyond e³⁰ along its tangent: finite, with a finite slope of the right sign.

    Standard deviations and variances of a trained posterior lie within e^±10; a logvar of 1000 comes from a
    step that was too long, and a finite gradient lets the next step bring it back where inf would end in NaN.

    Args:
        x: exponents, any shape.
        exp: ``torch.exp``, or ``torch.expm1`` for e^x − 1 without rounding where x is small.

    Returns:
        e^x, exact up to x = 30, and e³⁰ (1 + x − 30) above.
    """
    beyond = (x - MAX_EXPONENT).clamp(min=0)
    return exp(x - beyond) * (1 + beyond)


def log_normal(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian, summed over the last dimension.

    Args:
        x: points, (B, L).
        mu: means, broadcastable to ``x``.
        logvar: log variances log σ², broadcastable to ``x``.

    Returns:
        log N(x; mu, diag exp(logvar)) in nats, (B,).

    Raises:
        TypeError, ValueError: not floating point, or shapes that do not broadcast to that of ``x``.

    Source: book, chapter 2, "The log density of a diagonal Gaussian"; Bishop, Pattern Recognition and Machine
    Learning (2006), eq. 2.43.
    """
    require_float(x=x, mu=mu, logvar=logvar)
    for name, value in (("mu", mu), ("logvar", logvar)):
        if not _broadcasts_to(value, x):
            raise ValueError(f"{name} must broadcast to x's shape {tuple(x.shape)}, got {tuple(value.shape)}")
    # log N = −½ Σ_j [ log 2π + log σ_j² + (x_j − μ_j)² / σ_j² ]
    return -0.5 * (LOG_2PI + logvar + (x - mu).square() * bounded_exp(-logvar)).sum(dim=-1)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) in closed form.

    Args:
        mu: means, (B, L).
        logvar: log variances log σ², (B, L).

    Returns:
        The divergence in nats, (B,); 0 exactly when mu = 0 and logvar = 0, positive otherwise.

    Raises:
        TypeError, ValueError: not floating point, or shapes that differ.

    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), appendix B.
    """
    # KL = ½ Σ_j [ μ_j² + σ_j² − log σ_j² − 1 ];  expm1 keeps σ² − 1 exact where σ² is close to 1
    require_codes(mu, logvar)
    return 0.5 * (mu.square() + bounded_exp(logvar, torch.expm1) - logvar).sum(dim=-1)


def kl_monte_carlo(
    mu: Tensor, logvar: Tensor, num_samples: int, generator: torch.Generator | None = None
) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) estimated from samples of the first distribution.

    Args:
        mu: means, (B, L).
        logvar: log variances log σ², (B, L).
        num_samples: how many z are drawn for each image, at least 1.
        generator: source of the noise; the global one if None.

    Returns:
        An unbiased estimate in nats, (B,). Single estimates can be negative; the divergence cannot.

    Raises:
        TypeError, ValueError: not floating point, shapes that differ, or ``num_samples`` below 1.
    """
    require_codes(mu, logvar)
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    eps = torch.randn((num_samples, *mu.shape), generator=generator, device=mu.device, dtype=mu.dtype)
    z = mu + bounded_exp(0.5 * logvar) * eps  # (K, B, L), z ~ q
    zero = torch.zeros_like(mu)
    # KL ≈ (1/K) Σ_k [ log q(z_k) − log p(z_k) ]
    return (log_normal(z, mu, logvar) - log_normal(z, zero, zero)).mean(dim=0)


def reconstruction_log_likelihood(x: Tensor, x_hat: Tensor, sigma: float | Tensor) -> Tensor:
    """Log density of the images under a Gaussian around their reconstructions, one σ for all pixels.

    Args:
        x: images, (B, ...), float in [0, 1].
        x_hat: the decoder's means, the shape of ``x``.
        sigma: standard deviation of a pixel in units of [0, 1], positive; a float or a scalar tensor.

    Returns:
        log N(x; x_hat, σ² I) in nats, summed over channels and pixels, (B,).

    Raises:
        TypeError, ValueError: not floating point, shapes that differ, or a ``sigma`` that is not one positive
            number.
    """
    require_pictures(x, x_hat)
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if sigma.numel() != 1:
        raise ValueError(f"sigma must be one number for all pixels, got shape {tuple(sigma.shape)}")
    if not 0 < sigma.item() < math.inf:
        raise ValueError(f"sigma must be positive, got {sigma.item():g}")
    num_dims = math.prod(x.shape[1:])  # C·H·W
    squared_error = (x - x_hat).flatten(1).square().sum(dim=1)  # (B,)
    # log N = −‖x − x̂‖² / 2σ² − D (log σ + ½ log 2π)
    return -0.5 * squared_error / sigma.square() - num_dims * (torch.log(sigma) + 0.5 * LOG_2PI)


def optimal_sigma(x: Tensor, x_hat: Tensor) -> Tensor:
    """The one σ under which a batch of images is most likely given its reconstructions, in closed form.

    At this σ the derivative of the likelihood with respect to σ is 0, so gradients for ``x_hat`` are the same
    whether or not they also flow through σ.

    Args:
        x: images, (B, ...), float in [0, 1].
        x_hat: the decoder's means, the shape of ``x``.

    Returns:
        The root of the mean squared error over batch, channels and pixels, in units of [0, 1], (); at least
        1e-6, so that a perfect picture has a finite likelihood.

    Raises:
        TypeError, ValueError: not floating point, shapes that differ, or no image.

    Source: Rybkin, Daniilidis & Levine, Simple and Effective VAE Training with Calibrated Decoders (2021),
    eq. 5.
    """
    require_pictures(x, x_hat)
    if x.numel() == 0:
        raise ValueError(f"x must hold at least one image, got shape {tuple(x.shape)}")
    # d/dσ² Σ log N(x; x̂, σ²) = 0   ⟺   σ² = mean (x − x̂)²
    return (x - x_hat).square().mean().clamp(min=1e-12).sqrt()


def elbo(
    x: Tensor,
    x_hat: Tensor,
    mu: Tensor,
    logvar: Tensor,
    sigma: float | Tensor = 1.0,
    beta: float = 1.0,
) -> Tensor:
    """The evidence lower bound with one sample of z, the one that ``x_hat`` was decoded from.

    Args:
        x: images, (B, ...), float in [0, 1].
        x_hat: reconstructions, the shape of ``x``.
        mu, logvar: the encoder's output, (B, L).
        sigma: standard deviation of a pixel in units of [0, 1].
        beta: weight of the KL term; 1 gives the bound, more a looser one, less none.

    Returns:
        log p(x|z) − β KL(q(z|x) ‖ p(z)) in nats, (B,).

    Raises:
        TypeError, ValueError: not floating point, shapes that differ, a ``sigma`` that is not one positive number.
    """
    require_pictures(x, x_hat)
    require_codes(mu, logvar)
    if mu.shape[:-1] != x.shape[:1]:
        raise ValueError(f"mu must be ({len(x)}, L), a row for each image, got {tuple(mu.shape)}")
    return reconstruction_log_likelihood(x, x_hat, sigma) - beta * kl_divergence(mu, logvar)


def _broadcasts_to(value: Tensor, x: Tensor) -> bool:
    try:  # not torch's function of this name, whose first call imports a computer algebra system
        return np.broadcast_shapes(value.shape, x.shape) == x.shape
    except ValueError:
        return False

"""Chapter 02, the evidence lower bound: every term per image, in nats.

For an image x, a code z, the encoder's q(z|x) = N(mu, diag exp(logvar)) and the prior p(z) = N(0, I):

    log p(x)  ≥  ELBO(x)  =  E_q[log p(x|z)]  −  KL(q(z|x) ‖ p(z))

No function here averages over the batch: that happens in one place, the training loss (chapter 05).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def log_normal(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian, summed over the last dimension.

    Args:
        x: points, (B, L).
        mu: means, broadcastable to ``x``.
        logvar: log variances log σ², broadcastable to ``x``.

    Returns:
        log N(x; mu, diag exp(logvar)) in nats, (B,).

    Source: book, equation (2.3); Bishop, Pattern Recognition and Machine Learning (2006), eq. 2.43.
    """
    # log N = −½ Σ_j [ log 2π + log σ_j² + (x_j − μ_j)² / σ_j² ]
    return -0.5 * (LOG_2PI + logvar + (x - mu).square() * torch.exp(-logvar)).sum(dim=-1)


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) in closed form.

    Args:
        mu: means, (B, L).
        logvar: log variances log σ², (B, L).

    Returns:
        The divergence in nats, (B,); 0 exactly when mu = 0 and logvar = 0, positive otherwise.

    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), appendix B.
    """
    # KL = ½ Σ_j [ μ_j² + σ_j² − log σ_j² − 1 ];  expm1 keeps σ² − 1 exact where σ² is close to 1
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar).sum(dim=-1)


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
        ValueError: ``num_samples`` is below 1.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    eps = torch.randn((num_samples, *mu.shape), generator=generator, device=mu.device, dtype=mu.dtype)
    z = mu + torch.exp(0.5 * logvar) * eps  # (K, B, L), z ~ q
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
        ValueError: ``sigma`` is not positive.
    """
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if not bool(sigma > 0):
        raise ValueError(f"sigma must be positive, got {sigma.item():g}")
    num_dims = x[0].numel()  # C·H·W
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

    Source: Rybkin, Daniilidis & Levine, Simple and Effective VAE Training with Calibrated Decoders (2021),
    eq. 5.
    """
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
    """
    return reconstruction_log_likelihood(x, x_hat, sigma) - beta * kl_divergence(mu, logvar)

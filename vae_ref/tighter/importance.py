"""The importance-weighted bound: many samples of the code, the good ones counted more.

    log p(x)  ≥  E log (1/K) Σ_k w_k,    w_k = p(x|z_k) p(z_k) / q(z_k|x),    z_k ~ q(z|x)

One sample gives the ELBO; the bound rises with K, and meets log p(x) in the limit. Where q is the true posterior,
every w_k equals p(x) and one sample is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_ref.bound import log_normal, reconstruction_log_likelihood
from vae_ref.inputs import require_float
from vae_ref.networks import VAE, log_prior


def log_weights(
    model: VAE,
    x: Tensor,
    num_samples: int,
    generator: torch.Generator | None = None,
    log_likelihood: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Log importance weights of samples of the code.

    Args:
        model: a VAE, whose ``sigma`` is the standard deviation of a pixel.
        x: images, (B, 3, 64, 64), float.
        num_samples: codes drawn for each image, K, at least 1.
        generator: source of the noise; the global one if None.
        log_likelihood: log p(x|z) of these images given decoded pictures x_hat, (B, 3, 64, 64) → (B,), where it
            is another one than N(x; x_hat, sigma² I), or the images are dequantised and the encoder should
            see the originals.

    Returns:
        log p(x|z_k) + log p(z_k) − log q(z_k|x) in nats, (K, B). Gradients flow through all three terms.

    Raises:
        TypeError, ValueError: ``x`` is not floating point, empty or not finite, or ``num_samples`` below 1.
    """
    require_float(x=x)
    if x.dim() < 2 or x.numel() == 0 or not bool(x.isfinite().all()):
        raise ValueError(f"x must be finite images (B, 3, 64, 64), at least one, got shape {tuple(x.shape)}")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    rows = []
    for _ in range(num_samples):  # one sample at a time: memory does not grow with K when no gradient is kept
        z, mu, logvar = model.draw(x, generator)
        x_hat = model.decode(z)
        if log_likelihood is None:
            log_p_x = reconstruction_log_likelihood(x, x_hat, model.sigma)
        else:
            log_p_x = log_likelihood(x_hat)
        rows.append(log_p_x + log_prior(model, z) - log_normal(z, mu, logvar))  # (B,)
    return torch.stack(rows)  # (K, B)


def iwae_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound from its log weights.

    Args:
        log_weights: (K, B), see the function of that name; K = 1 gives a one-sample ELBO.

    Returns:
        log (1/K) Σ_k exp(log w_k) in nats, (B,); without overflow.

    Raises:
        TypeError, ValueError: not floating point, or not (K, B) with K at least 1.

    Source: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), eq. 8.
    """
    require_float(log_weights=log_weights)
    if log_weights.dim() != 2 or len(log_weights) == 0:
        raise ValueError(f"log_weights must be (K, B) with K at least 1, got {tuple(log_weights.shape)}")
    # the mean over samples is taken inside the log, over weights and not over their logs
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))

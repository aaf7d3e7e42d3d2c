"""Chapter 03, the reparameterization trick: draw z so that gradients reach the encoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(mu, diag exp(logvar)) as a differentiable function of mu and logvar.

    Args:
        mu: means, (B, L).
        logvar: log variances log σ², (B, L).
        generator: source of the noise; the global one if None.

    Returns:
        One code for each row, (B, L).

    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), section 2.4.
    """
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + torch.exp(0.5 * logvar) * eps  # z = μ + σ ε,  ε ~ N(0, I)


def pathwise_gradient(
    f: Callable[[Tensor], Tensor],
    mu: Tensor,
    logvar: Tensor,
    num_samples: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimate d/dmu E[f(z)] for z ~ N(mu, diag exp(logvar)) through the samples: needs a differentiable f.

    Args:
        f: function of codes, (N, L) → (N,); row n of the result depends on row n of the codes only.
        mu: mean, (L,).
        logvar: log variances, (L,).
        num_samples: number of estimates, N.
        generator: source of the noise; the global one if None.

    Returns:
        One unbiased estimate a row, (N, L); their mean is the gradient, their spread the estimator's noise.

    Source: Mohamed et al., Monte Carlo Gradient Estimation in Machine Learning (2020), section 5.
    """
    with torch.no_grad():
        z = reparameterize(mu.expand(num_samples, -1), logvar.expand(num_samples, -1), generator)  # (N, L)
    with torch.enable_grad():
        z.requires_grad_(True)
        # z = μ + σε, so dz/dμ = 1 and d f(z)/dμ = ∇f(z); the sum keeps the samples apart
        (gradient,) = torch.autograd.grad(f(z).sum(), z)
    return gradient


def score_function_gradient(
    f: Callable[[Tensor], Tensor],
    mu: Tensor,
    logvar: Tensor,
    num_samples: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimate d/dmu E[f(z)] for z ~ N(mu, diag exp(logvar)) from values of f alone: f may be any function.

    Args:
        f: function of codes, (N, L) → (N,).
        mu: mean, (L,).
        logvar: log variances, (L,).
        num_samples: number of estimates, N.
        generator: source of the noise; the global one if None.

    Returns:
        One unbiased estimate a row, (N, L).

    Source: Williams, Simple Statistical Gradient-Following Algorithms (1992); Mohamed et al. (2020),
    section 4.
    """
    with torch.no_grad():
        z = reparameterize(mu.expand(num_samples, -1), logvar.expand(num_samples, -1), generator)  # (N, L)
        # ∇_μ log N(z; μ, σ²) = (z − μ) / σ²
        return f(z)[:, None] * (z - mu) * torch.exp(-logvar)

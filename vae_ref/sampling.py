"""Chapter 03, the reparameterization trick: draw z so that gradients reach the encoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vae_ref.bound import bounded_exp
from vae_ref.inputs import require_codes


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(mu, diag exp(logvar)) as a differentiable function of mu and logvar.

    Args:
        mu: means, (B, L).
        logvar: log variances log σ², (B, L).
        generator: source of the noise; the global one if None.

    Returns:
        One code for each row, (B, L).

    Raises:
        TypeError, ValueError: not floating point, or shapes that differ.

    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), section 2.4.
    """
    require_codes(mu, logvar)
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + bounded_exp(0.5 * logvar) * eps  # z = μ + σ ε,  ε ~ N(0, I)


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

    Raises:
        TypeError, ValueError: mu and logvar are not floating point or not (L,) each, f does not give (N,), or
            there would be no estimate.

    Source: Mohamed et al., Monte Carlo Gradient Estimation in Machine Learning (2020), section 5.
    """
    z = _samples(mu, logvar, num_samples, generator)  # (N, L)
    with torch.enable_grad():
        z.requires_grad_(True)
        # z = μ + σε, so dz/dμ = 1 and d f(z)/dμ = ∇f(z); the sum keeps the samples apart
        (gradient,) = torch.autograd.grad(_values(f, z).sum(), z)
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

    Raises:
        TypeError, ValueError: as for ``pathwise_gradient``.

    Source: Williams, Simple Statistical Gradient-Following Algorithms (1992); Mohamed et al. (2020),
    section 4.
    """
    z = _samples(mu, logvar, num_samples, generator)  # (N, L)
    with torch.no_grad():
        # ∇_μ log N(z; μ, σ²) = (z − μ) / σ²
        return _values(f, z)[:, None] * (z - mu) * bounded_exp(-logvar)


@torch.no_grad()
def _samples(mu: Tensor, logvar: Tensor, num_samples: int, generator: torch.Generator | None) -> Tensor:
    require_codes(mu, logvar)
    if mu.dim() != 1:
        raise ValueError(f"mu and logvar must have shape (L,), got {tuple(mu.shape)}")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    return reparameterize(mu.expand(num_samples, -1), logvar.expand(num_samples, -1), generator)


def _values(f: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    values = f(z)
    if values.shape != z.shape[:1]:
        raise ValueError(f"f must map codes {tuple(z.shape)} to ({len(z)},), got {tuple(values.shape)}")
    return values

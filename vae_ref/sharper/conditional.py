"""Chapter 10, the price of a code whose prior is learned: a divergence between two Gaussians that both depend on z₁."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_ref.bound import bounded_exp
from vae_ref.inputs import require_codes


def conditional_kl(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL(N(mu_q, exp(logvar_q)) ‖ N(mu_p, exp(logvar_p))) of diagonal Gaussians.

    Args:
        mu_q, logvar_q: mean and log variance of the posterior, (B, L).
        mu_p, logvar_p: those of the prior that a higher level sets, (B, L).

    Returns:
        The divergence in nats, (B,): that to N(0, I) where mu_p and logvar_p are 0.

    Raises:
        TypeError, ValueError: not floating point, or the shapes differ.

    Source: Kingma & Welling, Auto-Encoding Variational Bayes (2014), appendix B, with a prior that is not N(0, I).
    """
    require_codes(mu_q, logvar_q)
    require_codes(mu_p, logvar_p)
    require_codes(mu_q, mu_p)  # of one shape, too
    # ½ Σ [ (s_q² + (μ_q − μ_p)²) / s_p² − log (s_q² / s_p²) − 1 ]
    log_ratio = logvar_q - logvar_p
    distance = (mu_q - mu_p).square() * bounded_exp(-logvar_p)
    return 0.5 * (bounded_exp(log_ratio, torch.expm1) + distance - log_ratio).sum(dim=-1)

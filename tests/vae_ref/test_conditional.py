"""The divergence between two Gaussians that both depend on a higher level, and what it says about the two-level VAE."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as exact_kl

from vae_ref.bound import kl_divergence
from vae_ref.sharper import TwoLevelVAE, conditional_kl


def codes(seed: int, batch: int = 5, dims: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draws = torch.randn(4, batch, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return draws[0], draws[1], draws[2], draws[3]


def test_it_is_the_divergence_of_torch_distributions() -> None:
    mu_q, logvar_q, mu_p, logvar_p = codes(0)
    q, p = (Independent(Normal(m, (0.5 * v).exp()), 1) for m, v in ((mu_q, logvar_q), (mu_p, logvar_p)))
    torch.testing.assert_close(conditional_kl(mu_q, logvar_q, mu_p, logvar_p), exact_kl(q, p))


def test_it_is_zero_for_equals_and_the_old_one_for_a_standard_normal_prior() -> None:
    mu, logvar, *_ = codes(1)
    assert conditional_kl(mu, logvar, mu, logvar).abs().max() < 1e-12
    zero = torch.zeros_like(mu)
    torch.testing.assert_close(conditional_kl(mu, logvar, zero, zero), kl_divergence(mu, logvar))


def test_a_divergence_does_not_change_under_the_map_of_the_two_level_code() -> None:
    # z₂ = m + s u: what u pays against N(0, I), z₂ pays against N(m, s²)
    torch.manual_seed(0)
    model = TwoLevelVAE(3).double()
    with torch.no_grad():
        for parameter in model.prior.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        z1 = torch.randn(2, 3).double()
        m, s = (part.flatten(1) for part in model.prior_of(model.top(z1)))
    mu, logvar = torch.randn(2, *m.shape).double(), torch.randn(2, *m.shape).double()
    in_u = kl_divergence(mu[0], logvar[0])
    in_z2 = conditional_kl(m + s * mu[0], logvar[0] + 2 * s.log(), m, 2 * s.log())
    torch.testing.assert_close(in_z2, in_u)


def test_gradients_agree_with_finite_differences_and_reach_the_prior() -> None:
    inputs = [value.requires_grad_() for value in codes(2, 2, 3)]
    assert torch.autograd.gradcheck(conditional_kl, inputs)


def test_it_stays_finite_and_refuses_what_does_not_fit() -> None:
    mu, logvar, *_ = codes(3)
    extreme = conditional_kl(mu, logvar + 500, mu, logvar - 500)
    assert extreme.isfinite().all() and (extreme > 0).all()
    with pytest.raises(ValueError, match="same shape"):
        conditional_kl(mu, logvar, mu[:1], logvar[:1])

"""The bound against torch.distributions and against a model whose log p(x) is known exactly."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vae_ref import bound

BATCHES = st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(0, 10_000))


def posterior(
    batch: int, latent_dim: int, seed: int, scale: float = 2.0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, batch, latent_dim)
    mu, logvar = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    return mu, logvar


@given(BATCHES)
@settings(max_examples=50, deadline=None)
def test_log_normal_and_kl_agree_with_torch_distributions(case: tuple[int, int, int]) -> None:
    mu, logvar = posterior(*case)
    q = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    x = torch.randn_like(mu)
    torch.testing.assert_close(bound.log_normal(x, mu, logvar), q.log_prob(x))
    torch.testing.assert_close(bound.kl_divergence(mu, logvar), kl_divergence(q, p))


def test_kl_monte_carlo_agrees_with_the_closed_form() -> None:
    mu, logvar = posterior(4, 5, seed=0, scale=0.7)
    estimate = bound.kl_monte_carlo(mu, logvar, 200_000, torch.Generator().manual_seed(0))
    # measured standard error 0.006; 0.06 is ten of them
    torch.testing.assert_close(estimate, bound.kl_divergence(mu, logvar), atol=0.06, rtol=0)


def test_kl_monte_carlo_takes_its_noise_from_the_generator_in_one_draw() -> None:
    mu, logvar = posterior(4, 5, seed=0, scale=0.7)
    eps = torch.randn((1, 4, 5), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    z = mu + torch.exp(0.5 * logvar) * eps[0]
    q, p = Normal(mu, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)
    estimate = bound.kl_monte_carlo(mu, logvar, 1, torch.Generator().manual_seed(3))
    torch.testing.assert_close(estimate, (q.log_prob(z) - p.log_prob(z)).sum(1))


def test_terms_have_the_precision_of_their_inputs() -> None:
    mu, logvar = (value.bfloat16() for value in posterior(4, 5, seed=0))
    assert bound.kl_monte_carlo(mu, logvar, 3).dtype == torch.bfloat16
    x, x_hat = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64)
    exact = Normal(x_hat, torch.tensor(0.2, dtype=torch.float64)).log_prob(x).flatten(1).sum(1)
    found = bound.reconstruction_log_likelihood(x, x_hat, 0.2)
    torch.testing.assert_close(found, exact, rtol=1e-12, atol=0)


def test_terms_keep_all_dimensions_but_the_last() -> None:
    mu, logvar = (value.view(2, 3, 4) for value in posterior(6, 4, seed=0))
    assert bound.kl_divergence(mu, logvar).shape == bound.log_normal(mu, mu, logvar).shape == (2, 3)
    # the estimate's noise lives where the codes do
    assert bound.kl_monte_carlo(mu[0].to("meta"), logvar[0].to("meta"), 2).device.type == "meta"


def test_optimal_sigma_is_the_maximum_of_the_likelihood() -> None:
    x, x_hat = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64)
    best = bound.optimal_sigma(x, x_hat)
    assert best.shape == ()
    assert best == pytest.approx(math.sqrt(((x - x_hat) ** 2).mean()))
    at_best = bound.reconstruction_log_likelihood(x, x_hat, best).mean()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert bound.reconstruction_log_likelihood(x, x_hat, factor * best).mean() < at_best


def test_the_gradient_through_optimal_sigma_equals_the_one_at_a_fixed_sigma() -> None:
    x, x_hat = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64)
    x_hat.requires_grad_(True)
    sigma = bound.optimal_sigma(x, x_hat)
    gradients = [
        torch.autograd.grad(
            bound.reconstruction_log_likelihood(x, x_hat, s).mean(), x_hat, retain_graph=True
        )[0]
        for s in (sigma, sigma.detach())
    ]
    torch.testing.assert_close(*gradients)


def test_one_number_has_an_optimal_sigma() -> None:
    assert bound.optimal_sigma(torch.tensor([[0.7]]), torch.tensor([[0.4]])).item() == pytest.approx(0.3)


def test_optimal_sigma_of_a_perfect_picture_stays_positive_with_a_finite_gradient() -> None:
    x = torch.rand(2, 3, 4, 4)
    x_hat = x.clone().requires_grad_(True)
    bound.reconstruction_log_likelihood(x, x_hat, bound.optimal_sigma(x, x_hat)).mean().backward()
    assert x_hat.grad is not None and torch.isfinite(x_hat.grad).all()


def test_elbo_is_below_the_exact_log_likelihood_and_tight_at_the_true_posterior() -> None:
    # x = W z + b + σ ε is a Gaussian: log p(x) and p(z|x) are known
    generator = torch.Generator().manual_seed(2)
    sigma, latent_dim, num_dims, samples = 0.5, 2, 6, 100_000
    directions = torch.linalg.qr(torch.randn(num_dims, latent_dim, generator=generator, dtype=torch.float64))[
        0
    ]
    weight = directions * torch.tensor(
        [2.0, 0.7], dtype=torch.float64
    )  # orthogonal: the posterior is diagonal
    x = torch.randn(1, num_dims, generator=generator, dtype=torch.float64)
    covariance = weight @ weight.T + sigma**2 * torch.eye(num_dims, dtype=torch.float64)
    log_p = MultivariateNormal(torch.zeros(num_dims, dtype=torch.float64), covariance).log_prob(x)

    precision = 1 + weight.square().sum(0) / sigma**2
    true_mu, true_logvar = (x @ weight) / sigma**2 / precision, -precision.log()[None]

    def mean_elbo(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        eps = torch.randn(samples, latent_dim, generator=generator, dtype=torch.float64)
        x_hat = (mu + torch.exp(0.5 * logvar) * eps) @ weight.T
        return bound.elbo(
            x.expand(samples, -1), x_hat, mu.expand(samples, -1), logvar.expand(samples, -1), sigma
        ).mean()

    assert mean_elbo(true_mu, true_logvar) == pytest.approx(log_p.item(), abs=0.05)
    for change in (0.5, -0.5):
        assert mean_elbo(true_mu + change, true_logvar) < log_p - 0.1
        assert mean_elbo(true_mu, true_logvar + 2 * change) < log_p - 0.1


def test_elbo_is_the_likelihood_less_beta_times_the_divergence_with_sigma_and_beta_one() -> None:
    x, x_hat = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64)
    mu, logvar = posterior(5, 3, seed=4)
    kl = bound.kl_divergence(mu, logvar)
    usual = bound.reconstruction_log_likelihood(x, x_hat, 1.0) - kl
    torch.testing.assert_close(bound.elbo(x, x_hat, mu, logvar), usual)
    other = bound.reconstruction_log_likelihood(x, x_hat, 0.3) - 2.5 * kl
    torch.testing.assert_close(bound.elbo(x, x_hat, mu, logvar, 0.3, 2.5), other)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_reconstruction_refuses_a_sigma_that_is_not_positive(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must be positive, got"):
        bound.reconstruction_log_likelihood(torch.zeros(1, 3), torch.zeros(1, 3), sigma)

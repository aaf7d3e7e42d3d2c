"""Samples against their distribution, gradient estimators against analytic gradients."""

import pytest
import torch

from vae_ref.sampling import pathwise_gradient, reparameterize, score_function_gradient


def test_samples_have_the_stated_moments() -> None:
    mu, logvar = torch.tensor([[-1.0, 2.0, 0.0]]), torch.tensor([[-2.0, 0.0, 1.5]])
    z = reparameterize(mu.expand(200_000, -1), logvar.expand(200_000, -1), torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(0), torch.exp(0.5 * logvar[0]), atol=0, rtol=0.02)


def test_a_sample_is_its_mean_and_the_noise_of_the_generator_stretched() -> None:
    mu, logvar = torch.randn(2, 4, 3).bfloat16()
    eps = torch.randn(4, 3, generator=torch.Generator().manual_seed(7), dtype=torch.bfloat16)
    z = reparameterize(mu, logvar, torch.Generator().manual_seed(7))
    assert z.dtype == torch.bfloat16
    torch.testing.assert_close(z, mu + torch.exp(0.5 * logvar) * eps)
    assert reparameterize(mu.to("meta"), logvar.to("meta")).device.type == "meta"


def test_gradients_reach_mu_and_logvar_by_the_formula() -> None:
    mu, logvar = torch.randn(2, 4, 3, dtype=torch.float64).unbind()
    mu.requires_grad_(True)
    logvar.requires_grad_(True)

    def sample(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        return reparameterize(mu, logvar, torch.Generator().manual_seed(7))

    assert torch.autograd.gradcheck(sample, (mu, logvar))  # finite differences, noise held fixed


@pytest.mark.parametrize("estimator", [pathwise_gradient, score_function_gradient])
def test_both_estimators_find_the_analytic_gradient(estimator) -> None:
    mu = torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64)
    logvar = torch.tensor([-1.0, 0.0, 0.5], dtype=torch.float64)
    weight = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def f(z: torch.Tensor) -> torch.Tensor:
        return (z.square() + weight * z).sum(1)

    # E f = Σ μ² + σ² + w μ, so the gradient is 2μ + w
    estimates = estimator(f, mu, logvar, 200_000, torch.Generator().manual_seed(1))
    assert estimates.shape == (200_000, 3) and not estimates.requires_grad
    error = (estimates.mean(0) - (2 * mu + weight)).abs()
    assert (error < 6 * estimates.std(0) / 200_000**0.5).all()


@pytest.mark.parametrize("estimator", [pathwise_gradient, score_function_gradient])
def test_one_estimate_is_enough_and_comes_again_with_its_generator(estimator) -> None:
    def once() -> torch.Tensor:
        return estimator(lambda z: z.square().sum(1), mu, mu, 1, torch.Generator().manual_seed(3))

    mu = torch.tensor([0.5, -1.0])
    assert once().shape == (1, 2) and torch.equal(once(), once())


def test_pathwise_is_far_less_noisy_and_works_inside_no_grad() -> None:
    mu, logvar = torch.zeros(10), torch.zeros(10)

    def f(z: torch.Tensor) -> torch.Tensor:
        return (z - 3).square().sum(1)

    with torch.no_grad():
        pathwise = pathwise_gradient(f, mu, logvar, 5000)
    score = score_function_gradient(f, mu, logvar, 5000)
    assert pathwise.var(0).mean() * 50 < score.var(0).mean()


def test_score_function_needs_no_derivative_of_f() -> None:
    # E[z > 0] = Φ(μ/σ), whose derivative at μ = 0, σ = 1 is 1/√2π
    estimates = score_function_gradient(
        lambda z: (z[:, 0] > 0).float(),
        torch.zeros(1),
        torch.zeros(1),
        200_000,
        torch.Generator().manual_seed(2),
    )
    assert estimates.mean().item() == pytest.approx((2 * torch.pi) ** -0.5, abs=0.01)

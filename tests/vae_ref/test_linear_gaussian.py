"""The bounds on a model whose log p(x) is known: x = W z + b + σ ε with z ~ N(0, I), probabilistic PCA."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from vae_ref import bound
from vae_ref.networks import VAE
from vae_ref.sampling import reparameterize
from vae_ref.tighter import bits_per_dim, iwae_bound, log_weights

LATENT_DIM, SHAPE = 2, (3, 2, 2)
NUM_DIMS = math.prod(SHAPE)


class LinearGaussian:
    """The exact model with an encoder of choice: mu = exact mean + shift, logvar = exact + widen.

    With ``orthogonal`` columns in W the exact posterior is diagonal, and the encoder can meet it; else the encoder has
    the exact mean and the diagonal of the exact covariance, which is not enough.
    """

    def __init__(self, orthogonal: bool = True, shift: float = 0.0, widen: float = 0.0) -> None:
        g = torch.Generator().manual_seed(2)
        weight = torch.randn(NUM_DIMS, LATENT_DIM, generator=g, dtype=torch.float64)
        if orthogonal:
            weight = torch.linalg.qr(weight)[0] * torch.tensor([2.0, 0.7], dtype=torch.float64)
        self.weight = weight.requires_grad_()
        self.bias = torch.rand(NUM_DIMS, generator=g, dtype=torch.float64).requires_grad_()
        self.sigma, self.latent_dim = torch.tensor(0.5, dtype=torch.float64), LATENT_DIM
        self.shift, self.widen = shift, widen

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.weight.T + self.bias).unflatten(1, SHAPE)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        precision = torch.eye(LATENT_DIM) + self.weight.T @ self.weight / self.sigma**2
        mean = torch.linalg.solve(precision, ((x.flatten(1) - self.bias) @ self.weight / self.sigma**2).T).T
        return MultivariateNormal(mean, precision_matrix=precision.expand(len(x), -1, -1))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        exact = self.posterior(x)
        return exact.mean + self.shift, exact.variance.log() + self.widen

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar

    def log_p(self, x: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.T + self.sigma**2 * torch.eye(NUM_DIMS)
        return MultivariateNormal(self.bias, covariance).log_prob(x.flatten(1))

    def gap(self, x: Tensor) -> Tensor:
        """KL(q(z|x) ‖ p(z|x)), by which the ELBO lies below log p(x)."""
        mu, logvar = self.encode(x)
        return kl_divergence(MultivariateNormal(mu, torch.diag_embed(logvar.exp())), self.posterior(x))


X = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
INEXACT = {
    "shifted": {"shift": 0.5},
    "too wide": {"widen": 0.8},
    "too narrow": {"widen": -0.8},
    "diagonal where it should not be": {"orthogonal": False},
}


def many_weights(model: LinearGaussian, repeats: int, seed: int) -> Tensor:
    """40 × ``repeats`` independent log weights of each image, (40 · repeats, 5)."""
    with torch.no_grad():
        weights = log_weights(model, X.repeat(repeats, 1, 1, 1), 40, seeded(seed))  # (40, repeats · 5)
    return weights.view(-1, len(X))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_with_the_exact_posterior_every_weight_is_log_p() -> None:
    model = LinearGaussian()
    weights = log_weights(model, X, 20, seeded())
    assert weights.shape == (20, 5)
    torch.testing.assert_close(weights, model.log_p(X).expand(20, -1))  # no variance at all
    for k in (1, 7, 20):
        torch.testing.assert_close(iwae_bound(weights[:k]), model.log_p(X))


@pytest.mark.parametrize("kind", INEXACT)
def test_the_elbo_is_below_log_p_by_the_divergence_from_the_true_posterior(kind: str) -> None:
    model = LinearGaussian(**INEXACT[kind])
    weights = many_weights(model, repeats=500, seed=0)  # their mean is the ELBO
    with torch.no_grad():
        gap = model.log_p(X) - weights.mean(0)
        error = weights.std(0) / len(weights) ** 0.5
        assert ((gap - model.gap(X)).abs() < 5 * error).all()
        assert (model.gap(X) > 0.05).all()  # so the agreement says something


@pytest.mark.parametrize("kind", INEXACT)
def test_elbo_below_iwae_below_log_p_and_rising_with_the_number_of_samples(kind: str) -> None:
    model = LinearGaussian(**INEXACT[kind])
    weights = many_weights(model, repeats=640, seed=1)  # (25,600, 5)
    log_p = model.log_p(X).mean().item()
    # groups of k from the same draws, each of one image: the mean over many bounds
    means = [iwae_bound(weights.view(k, -1)).mean().item() for k in (1, 2, 4, 16, 64)]
    assert all(b > a for a, b in itertools.pairwise(means))
    assert means[-1] < log_p + 0.02  # 2,000 bounds with a spread below 0.2: four standard errors
    assert log_p - means[-1] < 0.2 * (log_p - means[0])  # and it closes in


def test_one_sample_is_the_elbo_of_chapter_two_in_expectation() -> None:
    model = LinearGaussian(shift=0.3)
    with torch.no_grad():
        z, mu, logvar = (t.view(8000, -1) for t in model.draw(X[:1].expand(8000, *SHAPE), seeded()))
        terms = bound.elbo(X[:1].expand(8000, *SHAPE), model.decode(z), mu, logvar, model.sigma)
        weights = log_weights(model, X[:1].expand(8000, *SHAPE), 1, seeded(5))[0]
    error = (terms.var() / 8000 + weights.var() / 8000).sqrt()
    assert (terms.mean() - weights.mean()).abs() < 5 * error


def test_log_weights_are_the_densities_of_torch_distributions() -> None:
    model = LinearGaussian(orthogonal=False, shift=0.2)
    with torch.no_grad():
        z, mu, logvar = model.draw(X, seeded(4))
        p = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)
        q = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1).log_prob(z)
        x = Independent(Normal(model.decode(z), model.sigma), 3).log_prob(X)
        torch.testing.assert_close(log_weights(model, X, 1, seeded(4))[0], x + p - q)
        other = log_weights(model, X, 1, seeded(4), log_likelihood=lambda x_hat: x_hat.flatten(1).sum(1))
        torch.testing.assert_close(other[0], model.decode(z).flatten(1).sum(1) + p - q)


class OneNumber:
    """The same of one number: x = z + σ ε, log p(x) = log N(x; 0, 1 + σ²); its prior is a module of its own."""

    sigma, latent_dim = torch.tensor(0.5, dtype=torch.float64), 1

    def __init__(self, learned_prior: object = None) -> None:
        self.learned_prior = learned_prior

    def decode(self, z: Tensor) -> Tensor:
        return z

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        variance = self.sigma**2 / (1 + self.sigma**2)
        mu, logvar = x / (1 + self.sigma**2), variance.log().expand_as(x)
        return reparameterize(mu, logvar, generator), mu, logvar


def test_pictures_may_be_rows_of_numbers_and_the_prior_a_learned_one() -> None:
    x = torch.tensor([[0.7]], dtype=torch.float64)
    log_p = Normal(0.0, math.sqrt(1.25)).log_prob(x[:, 0])
    torch.testing.assert_close(log_weights(OneNumber(), x, 2, seeded()), log_p.expand(2, 1))
    shifted = Independent(Normal(torch.ones(1, dtype=torch.float64), 1.0), 1)
    z, _, _ = OneNumber().draw(x, seeded())
    other = log_p + shifted.log_prob(z) - Normal(0.0, 1.0).log_prob(z[:, 0])
    torch.testing.assert_close(log_weights(OneNumber(shifted), x, 1, seeded())[0], other)


def test_the_iwae_bound_is_a_log_mean_exp_over_samples_without_overflow() -> None:
    weights = torch.randn(9, 4, dtype=torch.float64)
    torch.testing.assert_close(iwae_bound(weights), weights.exp().mean(0).log())
    assert iwae_bound(torch.tensor([[-1e5], [-1e5 - 1]])).item() == pytest.approx(
        -1e5 + math.log((1 + math.exp(-1)) / 2)
    )
    assert torch.autograd.gradcheck(iwae_bound, weights.requires_grad_())


def test_gradients_of_the_bound_agree_with_finite_differences() -> None:
    model = LinearGaussian(orthogonal=False, shift=0.3, widen=0.4)

    def mean_bound(weight: Tensor, bias: Tensor) -> Tensor:
        model.weight, model.bias = weight, bias
        return iwae_bound(log_weights(model, X, 3, seeded(6)))

    leaves = [p.detach().clone().requires_grad_() for p in (model.weight, model.bias)]
    assert torch.autograd.gradcheck(mean_bound, leaves)


def test_the_gradient_for_the_decoder_is_that_of_log_p_where_the_posterior_is_exact() -> None:
    model = LinearGaussian()
    wanted = torch.autograd.grad(model.log_p(X).sum(), [model.weight, model.bias])
    with torch.no_grad():
        exact = model.posterior(X)
        logvar = exact.variance.log()
    repeats = 1000
    # a fixed encoder: only p(x, z) depends on the weights
    model.encode = lambda x: (exact.mean.repeat(repeats, 1), logvar.repeat(repeats, 1))
    bounds = iwae_bound(log_weights(model, X.repeat(repeats, 1, 1, 1), 5, seeded()))
    total = torch.autograd.grad(bounds.sum() / repeats, [model.weight, model.bias])
    for g, found in zip(wanted, total, strict=True):  # Fisher's identity: ∇ log p = E_posterior ∇ log p(x, z)
        assert ((g - found).norm() / g.norm()).item() < 0.05


def test_a_network_of_zero_weights_scores_known_constants() -> None:
    model = VAE(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        x = torch.full((2, 3, 64, 64), 0.5)
        for sigma in (1.0, 0.1):
            model.sigma.fill_(sigma)
            weights = log_weights(model, x, 4, seeded())
            # every picture is sigmoid(0) = ½, and the posterior is the prior: −D (log σ + ½ log 2π), whatever z
            expected = torch.full((2,), -12288 * (math.log(sigma) + 0.5 * math.log(2 * math.pi)))
            torch.testing.assert_close(iwae_bound(weights), expected)
            bits = bits_per_dim(iwae_bound(weights), 12288)
            assert bits[0].item() == pytest.approx(8 + math.log2(sigma * math.sqrt(2 * math.pi)), abs=1e-5)


WRONG_CALLS = [
    (lambda: log_weights(LinearGaussian(), X, 0), "num_samples must be at least 1, got 0"),
    (lambda: log_weights(LinearGaussian(), X / 0, 3), "x must be finite images"),
    (lambda: log_weights(LinearGaussian(), X[:, 0, 0, 0], 3), r"x must be finite images .* got shape \(5,\)"),
    (lambda: log_weights(LinearGaussian(), X[:0], 3), r"at least one, got shape \(0, 3, 2, 2\)"),
    (
        lambda: log_weights(LinearGaussian(), X.long(), 3),
        "x must be a floating-point tensor, got torch.int64",
    ),
    (lambda: iwae_bound(torch.zeros(3)), r"log_weights must be \(K, B\) with K at least 1, got \(3,\)"),
    (lambda: iwae_bound(torch.zeros(0, 3)), r"got \(0, 3\)"),
    (lambda: iwae_bound(torch.zeros(2, 3).long()), "log_weights must be a floating-point tensor"),
]


@pytest.mark.parametrize(("call", "says"), WRONG_CALLS)
def test_wrong_input_is_named(call, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        call()

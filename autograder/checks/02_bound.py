"""Checks of assignment 02, the evidence lower bound.

Oracles are ``torch.distributions`` in double precision. Only ``kl_monte_carlo`` is random: its results may be 6.5
standard errors away from the exact divergence. Its estimates are means of 4,096 draws, so near their limit a normal
tail bounds one comparison by 8e-11 and the ten of a run by 1e-9; a test measures that the skew of the draws, which the
limit ignores, leaves the rate below 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.distributions import kl_divergence as exact_kl

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Seed
from autograder.judge.comparing import GENERATOR_IGNORED, STANDARD_ERRORS
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound

LOG_2PI = math.log(2 * math.pi)
NUM_SAMPLES = 4096
NUM_EQUAL = 1000


# ---- what the learner's functions are compared with ---------------------------------------------------------------


def _normal(mu: Tensor, logvar: Tensor) -> Independent[Normal]:
    return Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)


def _log_normal_oracle(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return _normal(mu, logvar).log_prob(x)


def _kl_oracle(mu: Tensor, logvar: Tensor) -> Tensor:
    return exact_kl(_normal(mu, logvar), _normal(torch.zeros_like(mu), torch.zeros_like(mu)))


def _kl_monte_carlo_oracle(mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    return _kl_oracle(mu, logvar)


def _reconstruction_oracle(x: Tensor, x_hat: Tensor, sigma: float | Tensor) -> Tensor:
    return Independent(Normal(x_hat, torch.as_tensor(sigma).double()), x.dim() - 1).log_prob(x)


def _elbo_oracle(
    x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor, sigma: float = 1.0, beta: float = 1.0
) -> Tensor:
    return _reconstruction_oracle(x, x_hat, sigma) - beta * _kl_oracle(mu, logvar)


# ---- cases ----------------------------------------------------------------------------------------------------------


def _randn(g: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=g)


def _codes(g: Generator, batch: int, dims: int) -> tuple[Tensor, Tensor]:
    """mu and logvar whose terms are all far from 0 and from each other, so that no mistake hides."""
    mu = _randn(g, batch, dims) + torch.where(_randn(g, batch, dims) > 0, 1.0, -1.0)
    return mu, 0.8 * _randn(g, batch, dims) + 0.4


def _images(g: Generator, *shape: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(shape, generator=g)
    return x, (x + 0.2 * _randn(g, *shape)).clamp(0, 1)


def _gradients(call: tuple[Tensor, ...], wrt: tuple[int, ...], g: Generator, **kwargs: Any) -> Probe:
    cotangent = torch.rand(call[0].shape[0], generator=g) + 0.5
    return Probe(Call(call, kwargs or None, wrt, cotangent), "its result weighted and differentiated")


def _log_normal_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_randn(g, b, n), *_codes(g, b, n))), f"{b} points of {n} numbers")
        for b, n in ((3, 5), (7, 4), (2, 16))
    ]


def _log_normal_edges(g: Generator) -> list[Probe]:
    mu, logvar = _codes(g, 4, 3)
    narrow = torch.full((2, 3), -12.0)
    return [
        Probe(Call((_randn(g, 1, 6), *_codes(g, 1, 6))), "a single point"),
        Probe(Call((_randn(g, 5, 1), *_codes(g, 5, 1))), "one number a point"),
        Probe(Call((_randn(g, 4, 3).double(), mu.double(), logvar.double())), "float64"),
        Probe(Call((mu[:2] + 1e-3 * _randn(g, 2, 3), mu[:2], narrow)), "a variance of exp(−12)"),
        Probe(Call((20 * _randn(g, 2, 3), mu[:2], -2 * narrow)), "a variance of exp(24)"),
    ]


def _kl_value(g: Generator) -> list[Probe]:
    return [Probe(Call(_codes(g, b, n)), f"{b} images and {n} latents") for b, n in ((3, 5), (7, 4), (2, 16))]


def _kl_edges(g: Generator) -> list[Probe]:
    mu, logvar = _codes(g, 4, 3)
    return [
        Probe(Call(_codes(g, 1, 6)), "a single image"),
        Probe(Call(_codes(g, 5, 1)), "a single latent"),
        Probe(Call((torch.zeros(3, 4), torch.zeros(3, 4))), "q equal to the prior"),
        Probe(Call((mu.double(), logvar.double())), "float64"),
        Probe(Call((mu, torch.full_like(mu, -80.0))), "logvar = −80"),
        Probe(Call((30 * mu, torch.full_like(mu, 25.0))), "logvar = 25"),
    ]


def _kl_standard_error(mu: Tensor, logvar: Tensor, num_samples: int) -> Tensor:
    # log q − log p = Σ ½(σ²−1)ε² + μσε + const, so its variance is Σ ½(σ²−1)² + μ²σ²
    variance = logvar.exp()
    return ((0.5 * (variance - 1).square() + mu.square() * variance).sum(1) / num_samples).sqrt()


def _monte_carlo_probe(g: Generator, mu: Tensor, logvar: Tensor, label: str) -> Probe:
    seed = int(torch.randint(2**31, (), generator=g))
    tolerance = STANDARD_ERRORS * _kl_standard_error(mu.double(), logvar.double(), NUM_SAMPLES) + 1e-3
    return Probe(Call((mu, logvar, NUM_SAMPLES), {"generator": Seed(seed)}), label, tolerance)


def _monte_carlo_value(g: Generator) -> list[Probe]:
    return [
        _monte_carlo_probe(g, *_codes(g, b, n), f"{b} images, {n} latents and {NUM_SAMPLES} samples")
        for b, n in ((3, 4), (5, 2))
    ]


def _monte_carlo_edges(g: Generator) -> list[Probe]:
    return [
        _monte_carlo_probe(g, *_codes(g, 1, 3), "a single image"),
        _monte_carlo_probe(g, torch.zeros(1, 2), torch.zeros(1, 2), "q equal to the prior"),
    ]


def _monte_carlo_noise(g: Generator) -> list[Probe]:
    mu, logvar = torch.ones(6, 2), torch.ones(6, 2)
    calls = [Call((mu, logvar, 3), {"generator": Seed(seed)}) for seed in (5, 5, 6)]
    calls += [Call((mu, logvar, 1)), Call((mu, logvar, 1))]
    equal = torch.ones(NUM_EQUAL, 2)
    calls += [Call((equal, equal, count), {"generator": Seed(7)}) for count in (3, 12)]
    return [Probe(call, "few samples") for call in calls]


def _noise_is_fresh(results: list[Any], _: list[Probe]) -> str:
    shapes = [(6,)] * 5 + [(NUM_EQUAL,)] * 2
    if not all(
        isinstance(r, Tensor) and r.shape == shape and r.is_floating_point()
        for r, shape in zip(results, shapes, strict=True)
    ):
        return "Asked for few samples, kl_monte_carlo returned something else than one number for each image."
    same, again, other, free, free_again, few, many = (r.double() for r in results)
    if not torch.equal(same, again):
        return GENERATOR_IGNORED
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    if same.unique().numel() < 6:
        return "Six equal images got equal estimates: each image needs noise of its own."
    # four times as many samples halve the spread, whatever a single one is worth, and for antithetic ones as well
    if not 1.5 < float(few.std()) / max(float(many.std()), 1e-9) < 2.7:
        return "Four times as many samples do not halve the spread of the estimates: average over num_samples of them."
    return ""


def _reconstruction_value(g: Generator) -> list[Probe]:
    shapes = ((3, 3, 8, 6), (5, 3, 4, 4), (2, 1, 7, 5))
    return [
        Probe(Call((*_images(g, *shape), sigma)), f"images of shape {shape} and sigma = {sigma}")
        for shape, sigma in zip(shapes, (0.5, 0.1, 1.7), strict=True)
    ]


def _reconstruction_edges(g: Generator) -> list[Probe]:
    x, x_hat = _images(g, 2, 3, 6, 6)
    return [
        Probe(Call((*_images(g, 1, 3, 4, 4), 0.3)), "a single image"),
        Probe(Call((*_images(g, 2, 3, 64, 64), 0.2)), "images of 64×64"),
        Probe(Call((x, x, 0.01)), "perfect reconstructions and sigma = 0.01"),
        Probe(Call((x.double(), x_hat.double(), 0.4)), "float64"),
        Probe(Call((x, x_hat, torch.tensor(0.4))), "sigma as a tensor"),
    ]


def _elbo_value(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((*_images(g, b, 3, 6, 4), *_codes(g, b, n)), {"sigma": sigma, "beta": beta}),
            f"{b} images, sigma = {sigma} and beta = {beta}",
        )
        for b, n, sigma, beta in ((3, 5, 0.5, 4.0), (5, 2, 0.2, 0.5), (2, 7, 1.5, 1.0))
    ]


def _elbo_edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((*_images(g, 3, 3, 4, 4), *_codes(g, 3, 4))), "sigma and beta left out"),
        Probe(Call((*_images(g, 1, 3, 4, 4), *_codes(g, 1, 4)), {"beta": 2.0}), "a single image"),
        Probe(Call((*_images(g, 2, 3, 4, 4), *_codes(g, 2, 3)), {"beta": 0.0, "sigma": 0.3}), "beta = 0"),
    ]


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _kl_terms(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1)


def _square_terms(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return (x - mu).square() / logvar.exp()


LOG_NORMAL = Check(
    name="log_normal",
    asks="the log density of a diagonal Gaussian, one number for each point",
    section="gaussian-log-density",
    oracle=_log_normal_oracle,
    parts=(
        Part("value", 2, _log_normal_value),
        Part("edge cases", 1, _log_normal_edges),
        Part("gradient", 1, lambda g: [_gradients((_randn(g, 4, 3), *_codes(g, 4, 3)), (0, 1, 2), g)]),
    ),
    misconceptions=(
        _m("log-normal-without-2pi", "gaussian-log-density", "the constant log 2π is left out.",
           lambda x, mu, logvar: -0.5 * (logvar + _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-2pi-once", "gaussian-log-density",
           "log 2π is counted once for each point instead of once for each dimension.",
           lambda x, mu, logvar: -0.5 * LOG_2PI - 0.5 * (logvar + _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-without-half", "gaussian-log-density", "the factor ½ is left out.",
           lambda x, mu, logvar: -(LOG_2PI + logvar + _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-half-on-square-only", "gaussian-log-density",
           "the ½ stands at the squared distance but not at log σ².",
           lambda x, mu, logvar: -(0.5 * LOG_2PI + logvar + 0.5 * _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-without-logvar", "gaussian-log-density",
           "the term log σ² is missing, so that a wider Gaussian never pays for its width.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-sign", "gaussian-log-density",
           "the sign is turned: that is the negative log density.",
           lambda x, mu, logvar: 0.5 * (LOG_2PI + logvar + _square_terms(x, mu, logvar)).sum(-1)),
        _m("log-normal-logvar-is-std", "std-or-logvar", "logvar is used as the standard deviation itself.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + 2 * logvar.abs().log() + ((x - mu) / logvar).square()).sum(-1)),
        _m("log-normal-logvar-is-variance", "std-or-logvar", "the exponential is missing: logvar is used as σ².",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + logvar + (x - mu).square() / logvar).sum(-1)),
        _m("log-normal-logvar-is-log-std", "std-or-logvar", "logvar is taken for log σ; it is log σ² = 2 log σ.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + 2 * logvar + _square_terms(x, mu, 2 * logvar)).sum(-1)),
        _m("log-normal-divides-by-std", "gaussian-log-density",
           "the squared distance is divided by σ instead of σ².",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + logvar + _square_terms(x, mu, 0.5 * logvar)).sum(-1)),
        _m("log-normal-no-square", "gaussian-log-density", "the distance to the mean is not squared.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + logvar + (x - mu) / logvar.exp()).sum(-1)),
        _m("log-normal-mean", "sum-versus-mean",
           "the dimensions are averaged; independent dimensions multiply, so their logs add up.",
           lambda x, mu, logvar: bound.log_normal(x, mu, logvar) / x.shape[-1]),
        _m("log-normal-not-summed", "sum-versus-mean", "the dimensions are not added up.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + logvar + _square_terms(x, mu, logvar))),
        _m("log-normal-batch-summed", "sum-versus-mean", "all points are added into one number.",
           lambda x, mu, logvar: bound.log_normal(x, mu, logvar).sum()),
        _m("log-normal-wrong-axis", "sum-versus-mean", "the sum runs over the batch instead of the dimensions.",
           lambda x, mu, logvar: -0.5 * (LOG_2PI + logvar + _square_terms(x, mu, logvar)).sum(0)),
        _m("log-normal-detached", "gaussian-log-density",
           "the result is cut off from its inputs (detach, .data, .item, no_grad or numpy).",
           lambda x, mu, logvar: bound.log_normal(x, mu, logvar).detach()),
    ),
    equivalents=(
        bound.log_normal,
        lambda x, mu, logvar: Normal(mu, torch.exp(logvar / 2)).log_prob(x).sum(dim=1),
        lambda x, mu, logvar: MultivariateNormal(mu, scale_tril=torch.diag_embed((logvar / 2).exp())).log_prob(x),
        lambda x, mu, logvar: (
            -0.5 * x.shape[1] * LOG_2PI - 0.5 * logvar.sum(1)
            - 0.5 * (((x - mu) / torch.exp(0.5 * logvar)) ** 2).sum(1)
        ),
        lambda x, mu, logvar: -torch.nn.functional.gaussian_nll_loss(
            mu, x, logvar.exp(), full=True, eps=1e-30, reduction="none").sum(-1),
    ),
)

KL_DIVERGENCE = Check(
    name="kl_divergence",
    asks="the divergence of N(mu, exp(logvar)) from the prior N(0, I), one number for each image",
    section="kl-closed-form",
    oracle=_kl_oracle,
    parts=(
        Part("value", 2, _kl_value),
        Part("edge cases", 1, _kl_edges),
        Part("gradient", 1, lambda g: [_gradients(_codes(g, 4, 3), (0, 1), g)]),
    ),
    misconceptions=(
        _m("kl-wrong-sign", "kl-closed-form", "the sign is turned; a divergence is never negative.",
           lambda mu, logvar: -_kl_terms(mu, logvar).sum(-1)),
        _m("kl-mean-over-latents", "sum-versus-mean",
           "the latent dimensions are averaged; each of them costs its own nats, so they add up.",
           lambda mu, logvar: _kl_terms(mu, logvar).mean(-1)),
        _m("kl-batch-mean", "sum-versus-mean",
           "the batch is already averaged into one number; return one number for each image.",
           lambda mu, logvar: _kl_terms(mu, logvar).sum(-1).mean()),
        _m("kl-mean-of-everything", "sum-versus-mean", "batch and latents are averaged together.",
           lambda mu, logvar: _kl_terms(mu, logvar).mean()),
        _m("kl-batch-sum", "sum-versus-mean", "the whole batch is added into one number.",
           lambda mu, logvar: _kl_terms(mu, logvar).sum()),
        _m("kl-not-summed", "sum-versus-mean", "the latent dimensions are not added up.", _kl_terms),
        _m("kl-wrong-axis", "sum-versus-mean", "the sum runs over the batch instead of the latents.",
           lambda mu, logvar: _kl_terms(mu, logvar).sum(0)),
        _m("kl-without-half", "kl-closed-form", "the factor ½ is left out.",
           lambda mu, logvar: 2 * _kl_terms(mu, logvar).sum(-1)),
        _m("kl-without-one", "kl-closed-form",
           "the −1 is left out, so that the prior itself gets a divergence above 0.",
           lambda mu, logvar: (_kl_terms(mu, logvar) + 0.5).sum(-1)),
        _m("kl-one-counted-once", "kl-closed-form",
           "the −1 is counted once for each image instead of once for each latent dimension.",
           lambda mu, logvar: (_kl_terms(mu, logvar) + 0.5).sum(-1) - 0.5),
        _m("kl-mu-not-squared", "kl-closed-form", "mu is not squared.",
           lambda mu, logvar: 0.5 * (mu + logvar.exp() - logvar - 1).sum(-1)),
        _m("kl-without-mu", "kl-closed-form", "the term of mu is missing: codes may wander off for free.",
           lambda mu, logvar: 0.5 * (logvar.exp() - logvar - 1).sum(-1)),
        _m("kl-without-logvar", "kl-closed-form", "the term −log σ² is missing.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar.exp() - 1).sum(-1)),
        _m("kl-logvar-is-log-std", "std-or-logvar", "logvar is taken for log σ; it is log σ² = 2 log σ.",
           lambda mu, logvar: _kl_terms(mu, 2 * logvar).sum(-1)),
        _m("kl-exp-of-half", "std-or-logvar", "exp(½ logvar), which is σ, stands where σ² belongs.",
           lambda mu, logvar: 0.5 * (mu.square() + (0.5 * logvar).exp() - logvar - 1).sum(-1)),
        _m("kl-squared-exp", "std-or-logvar",
           "exp(logvar) is squared; it is σ² already.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar.exp().square() - logvar - 1).sum(-1)),
        _m("kl-half-logvar", "std-or-logvar", "log σ stands where log σ² belongs.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar.exp() - 0.5 * logvar - 1).sum(-1)),
        _m("kl-logvar-is-variance", "std-or-logvar", "logvar is used as σ² itself, and its log is taken again.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar - logvar.abs().log() - 1).sum(-1)),
        _m("kl-logvar-is-std", "std-or-logvar", "logvar is used as the standard deviation itself.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar.square() - logvar.square().log() - 1).sum(-1)),
        _m("kl-reversed", "kl-closed-form",
           "the two distributions have changed places: KL(p ‖ q) is not KL(q ‖ p).",
           lambda mu, logvar: 0.5 * ((1 + mu.square()) / logvar.exp() + logvar - 1).sum(-1)),
        _m("kl-log-of-exp-with-eps", "kl-closed-form",
           "logvar is computed back as log(exp(logvar) + ε), which forgets small variances; use logvar itself.",
           lambda mu, logvar: 0.5 * (mu.square() + logvar.exp() - (logvar.exp() + 1e-8).log() - 1).sum(-1)),
        _m("kl-clamped-logvar", "kl-closed-form",
           "logvar is clamped, so that the divergence stops growing and its gradient dies.",
           lambda mu, logvar: _kl_terms(mu, logvar.clamp(-10, 10)).sum(-1)),
        _m("kl-detached", "kl-closed-form",
           "the result is cut off from its inputs (detach, .data, .item, no_grad or numpy).",
           lambda mu, logvar: bound.kl_divergence(mu, logvar).detach()),
        _m("kl-logvar-detached", "kl-closed-form",
           "logvar is detached: its gradient is lost, and σ would never be trained.",
           lambda mu, logvar: bound.kl_divergence(mu, logvar.detach())),
    ),
    equivalents=(
        bound.kl_divergence,
        lambda mu, logvar: -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1),
        lambda mu, logvar: exact_kl(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1),
        lambda mu, logvar: ((mu**2).sum(1) + logvar.exp().sum(1) - logvar.sum(1) - mu.shape[1]) / 2,
        lambda mu, logvar: torch.stack([
            0.5 * (m @ m + v.exp().sum() - v.sum() - len(v)) for m, v in zip(mu, logvar, strict=True)]),
    ),
)


def _sampled_kl(
    mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None,
    noise: Callable[..., Tensor] = torch.randn,
) -> tuple[Tensor, Tensor]:
    """Samples z of q (K, B, L) and log q(z) − log p(z) (K, B)."""
    z = mu + (0.5 * logvar).exp() * noise((num_samples, *mu.shape), generator=generator)
    zero = torch.zeros_like(mu)
    return z, bound.log_normal(z, mu, logvar) - bound.log_normal(z, zero, zero)


def _sampled_with(std: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def variant(mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None = None) -> Tensor:
        z = mu + std(logvar) * torch.randn((num_samples, *mu.shape), generator=generator)
        zero = torch.zeros_like(mu)
        return (bound.log_normal(z, mu, logvar) - bound.log_normal(z, zero, zero)).mean(0)

    return variant


def _from_prior(mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None = None) -> Tensor:
    z = torch.randn((num_samples, *mu.shape), generator=generator)
    zero = torch.zeros_like(mu)
    return (bound.log_normal(z, mu, logvar) - bound.log_normal(z, zero, zero)).mean(0)


def _shared_noise(mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None = None) -> Tensor:
    z = mu + (0.5 * logvar).exp() * torch.randn((num_samples, 1, mu.shape[1]), generator=generator)
    zero = torch.zeros_like(mu)
    return (bound.log_normal(z, mu, logvar) - bound.log_normal(z, zero, zero)).mean(0)


def _fixed_seed(mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None = None) -> Tensor:
    return bound.kl_monte_carlo(mu, logvar, num_samples, torch.Generator().manual_seed(0))


def _kl_of_pairs(mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None = None) -> Tensor:
    """Right as well: the squares written out, the samples last."""
    eps = torch.randn(*mu.shape, num_samples, generator=generator)
    z = mu[..., None] + (logvar[..., None] / 2).exp() * eps
    return (0.5 * (z**2 - eps**2 - logvar[..., None])).sum(1).mean(-1)


def _monte_carlo_of(helpers: Mapping[str, StandIn]) -> Callable[..., Any]:
    """What kl_monte_carlo estimates when another function stands in for log_normal, with its tolerance."""
    log_normal = helpers["log_normal"]

    def estimate(mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> tuple[Tensor, Tensor]:
        count = 16 * num_samples
        z = mu + (0.5 * logvar).exp() * torch.randn(count, *mu.shape, dtype=mu.dtype)
        zero = torch.zeros_like(mu)
        terms = log_normal(z, mu, logvar) - log_normal(z, zero, zero)
        standard_error = terms.std(0) * (1 / num_samples + 1 / count) ** 0.5
        return terms.mean(0), STANDARD_ERRORS * standard_error + 1e-3

    return estimate


KL_MONTE_CARLO = Check(
    name="kl_monte_carlo",
    asks="the same divergence as a mean over samples of q, one number for each image",
    section="kl-monte-carlo",
    oracle=_kl_monte_carlo_oracle,
    parts=(
        Part("value", 2, _monte_carlo_value),
        Part("edge cases", 1, _monte_carlo_edges),
        Part("noise", 1, _monte_carlo_noise, _noise_is_fresh),
    ),
    misconceptions=(
        _m("kl-mc-std-is-exp-logvar", "std-or-logvar",
           "the samples are drawn with exp(logvar) as standard deviation; that is the variance.",
           _sampled_with(torch.exp)),
        _m("kl-mc-std-is-logvar", "std-or-logvar", "the samples are drawn with logvar as standard deviation.",
           _sampled_with(lambda logvar: logvar)),
        _m("kl-mc-no-noise", "kl-monte-carlo",
           "mu stands in for the samples: without noise there is nothing to average.",
           _sampled_with(torch.zeros_like)),
        _m("kl-mc-unit-std", "kl-monte-carlo", "the noise is not scaled with σ.", _sampled_with(torch.ones_like)),
        _m("kl-mc-from-prior", "kl-monte-carlo",
           "the samples come from the prior; the expectation is over q, so they must come from q.", _from_prior),
        _m("kl-mc-wrong-sign", "kl-monte-carlo", "log p − log q is averaged; the divergence is log q − log p.",
           lambda mu, logvar, num_samples, generator=None:
           -bound.kl_monte_carlo(mu, logvar, num_samples, generator)),
        _m("kl-mc-only-log-q", "kl-monte-carlo", "log p is missing: that is the negative entropy of q.",
           lambda mu, logvar, num_samples, generator=None:
           bound.log_normal(_sampled_kl(mu, logvar, num_samples, generator)[0], mu, logvar).mean(0)),
        _m("kl-mc-summed", "kl-monte-carlo", "the samples are added up instead of averaged.",
           lambda mu, logvar, num_samples, generator=None:
           _sampled_kl(mu, logvar, num_samples, generator)[1].sum(0)),
        _m("kl-mc-batch-mean", "sum-versus-mean", "batch and samples are averaged into one number.",
           lambda mu, logvar, num_samples, generator=None:
           _sampled_kl(mu, logvar, num_samples, generator)[1].mean()),
        _m("kl-mc-wrong-axis", "kl-monte-carlo", "the mean runs over the batch instead of the samples.",
           lambda mu, logvar, num_samples, generator=None:
           _sampled_kl(mu, logvar, num_samples, generator)[1].mean(1)),
        _m("kl-mc-mean-over-latents", "sum-versus-mean", "the latent dimensions are averaged instead of added up.",
           lambda mu, logvar, num_samples, generator=None:
           bound.kl_monte_carlo(mu, logvar, num_samples, generator) / mu.shape[1]),
        _m("kl-mc-uniform-noise", "kl-monte-carlo",
           "the noise is uniform (rand); a Gaussian needs normal noise (randn).",
           lambda mu, logvar, num_samples, generator=None:
           _sampled_kl(mu, logvar, num_samples, generator, torch.rand)[1].mean(0)),
        _m("kl-mc-shared-noise", "kl-monte-carlo", "all images share the same noise.", _shared_noise),
        _m("kl-mc-fixed-seed", "kl-monte-carlo", "the noise is seeded inside the function.", _fixed_seed),
        _m("kl-mc-closed-form", "kl-monte-carlo", "noise is added to the closed form, but nothing is sampled from q.",
           lambda mu, logvar, num_samples, generator=None:
           bound.kl_divergence(mu, logvar) + 1e-4 * torch.randn(len(mu), generator=generator)),
        _m("kl-mc-ignores-generator", "kl-monte-carlo", "the generator that is passed in is not used.",
           lambda mu, logvar, num_samples, generator=None: bound.kl_monte_carlo(mu, logvar, num_samples)),
    ),
    equivalents=(
        bound.kl_monte_carlo,
        lambda mu, logvar, num_samples, generator=None: torch.stack([
            _sampled_kl(mu, logvar, 1, generator)[1][0] for _ in range(num_samples)]).mean(0),
        _kl_of_pairs,
    ),
    helpers={"log_normal": (("x", "mu", "logvar"), "rows")},
    of_helpers=_monte_carlo_of,
)


def _squares(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).flatten(1).square()


RECONSTRUCTION = Check(
    name="reconstruction_log_likelihood",
    asks="the log likelihood of the images under a Gaussian around their reconstructions, one number for each image",
    section="reconstruction-likelihood",
    oracle=_reconstruction_oracle,
    parts=(
        Part("value", 2, _reconstruction_value),
        Part("edge cases", 1, _reconstruction_edges),
        Part("gradient", 1, lambda g: [_gradients(_images(g, 3, 3, 5, 4), (1,), g, sigma=0.4)]),
    ),
    misconceptions=(
        _m("reconstruction-mean-over-pixels", "sum-versus-mean",
           "the pixels are averaged; against a KL in nats, that makes the pictures worth almost nothing.",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, sigma) / x[0].numel()),
        _m("reconstruction-mse-mean", "sum-versus-mean",
           "this is minus the mean squared error: no σ, no constant, and a mean where a sum belongs.",
           lambda x, x_hat, sigma: -_squares(x, x_hat).mean(1)),
        _m("reconstruction-sse", "reconstruction-likelihood",
           "this is minus the sum of squared errors: σ, the ½ and the constant are missing.",
           lambda x, x_hat, sigma: -_squares(x, x_hat).sum(1)),
        _m("reconstruction-without-constant", "reconstruction-likelihood",
           "the normalising constant is missing, so that a smaller σ looks better than it is.",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma**2),
        _m("reconstruction-without-2pi", "reconstruction-likelihood", "log 2π is left out of the constant.",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma**2 - x[0].numel() * math.log(sigma)),
        _m("reconstruction-without-log-sigma", "reconstruction-likelihood",
           "log σ is left out of the constant: a larger σ would cost nothing.",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma**2 - 0.5 * x[0].numel() * LOG_2PI),
        _m("reconstruction-constant-once", "reconstruction-likelihood",
           "the constant is counted once for each image instead of once for each pixel and channel.",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma**2 - math.log(sigma) - 0.5 * LOG_2PI),
        _m("reconstruction-constant-per-pixel", "reconstruction-likelihood",
           "the constant is counted for H·W pixels; each of their C channels is a dimension too.",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma**2
           - x.shape[2] * x.shape[3] * (math.log(sigma) + 0.5 * LOG_2PI) if x.shape[1] > 1
           else bound.reconstruction_log_likelihood(x, x_hat, sigma)),
        _m("reconstruction-without-half", "reconstruction-likelihood",
           "the ½ before the squared error is missing.",
           lambda x, x_hat, sigma: -_squares(x, x_hat).sum(1) / sigma**2
           - x[0].numel() * (math.log(sigma) + 0.5 * LOG_2PI)),
        _m("reconstruction-sigma-is-variance", "std-or-logvar", "sigma is used as the variance σ².",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, sigma**0.5)),
        _m("reconstruction-divides-by-sigma", "reconstruction-likelihood",
           "the squared error is divided by σ instead of σ².",
           lambda x, x_hat, sigma: -0.5 * _squares(x, x_hat).sum(1) / sigma
           - x[0].numel() * (math.log(sigma) + 0.5 * LOG_2PI)),
        _m("reconstruction-sigma-is-logvar", "std-or-logvar", "sigma is used as if it were log σ².",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, math.exp(0.5 * sigma))),
        _m("reconstruction-ignores-sigma", "reconstruction-likelihood", "sigma is ignored; it is not always 1.",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, 1.0)),
        _m("reconstruction-sign", "reconstruction-likelihood",
           "the sign is turned: that is the negative log likelihood, a loss.",
           lambda x, x_hat, sigma: -bound.reconstruction_log_likelihood(x, x_hat, sigma)),
        _m("reconstruction-absolute-error", "reconstruction-likelihood",
           "the error is not squared: absolute errors belong to a Laplace distribution.",
           lambda x, x_hat, sigma: -0.5 * (x - x_hat).abs().flatten(1).sum(1) / sigma**2
           - x[0].numel() * (math.log(sigma) + 0.5 * LOG_2PI)),
        _m("reconstruction-batch-sum", "sum-versus-mean", "the whole batch is added into one number.",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, sigma).sum()),
        _m("reconstruction-batch-mean", "sum-versus-mean",
           "the batch is averaged into one number; return one for each image.",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, sigma).mean()),
        _m("reconstruction-cross-entropy", "reconstruction-likelihood",
           "this is minus the binary cross-entropy, the likelihood of black-or-white pixels.",
           lambda x, x_hat, sigma: -torch.nn.functional.binary_cross_entropy(
               x_hat.clamp(0, 1), x.clamp(0, 1), reduction="none").flatten(1).sum(1)),
        _m("reconstruction-detached", "reconstruction-likelihood",
           "the result is cut off from its inputs (detach, .data, .item, no_grad or numpy).",
           lambda x, x_hat, sigma: bound.reconstruction_log_likelihood(x, x_hat, sigma).detach()),
    ),
    equivalents=(
        bound.reconstruction_log_likelihood,
        lambda x, x_hat, sigma: Normal(x_hat, sigma).log_prob(x).sum(dim=(1, 2, 3)),
        lambda x, x_hat, sigma: Normal(x_hat, torch.as_tensor(sigma)).log_prob(x).flatten(1).sum(-1),
        lambda x, x_hat, sigma: bound.log_normal(
            x.flatten(1), x_hat.flatten(1), 2 * torch.log(torch.as_tensor(sigma, dtype=x.dtype)).expand(x[0].numel())),
        lambda x, x_hat, sigma: torch.stack([
            -((a - b) ** 2).sum() / (2 * float(sigma) ** 2)
            - a.numel() * math.log(float(sigma) * math.sqrt(2 * math.pi))
            for a, b in zip(x, x_hat, strict=True)]),
    ),
)


def _elbo_like(combine: Callable[[Tensor, Tensor, float, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A variant of the bound from its two right terms: ``combine(reconstruction, kl, beta, x)``."""

    def variant(
        x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor, sigma: float = 1.0, beta: float = 1.0
    ) -> Tensor:
        return combine(
            bound.reconstruction_log_likelihood(x, x_hat, sigma), bound.kl_divergence(mu, logvar), beta, x
        )

    return variant


def _elbo_of(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """The bound when other functions stand in for its two terms."""

    def combined(
        x: Tensor, x_hat: Tensor, mu: Tensor, logvar: Tensor, sigma: float = 1.0, beta: float = 1.0
    ) -> Tensor:
        reconstruction = helpers["reconstruction_log_likelihood"](x, x_hat, sigma)
        return reconstruction - beta * helpers["kl_divergence"](mu, logvar)

    return combined


ELBO = Check(
    name="elbo",
    asks="the evidence lower bound, one number for each image",
    section="elbo-assembled",
    oracle=_elbo_oracle,
    parts=(
        Part("value", 2, _elbo_value),
        Part("edge cases", 1, _elbo_edges),
        Part("gradient", 1, lambda g: [
            _gradients((*_images(g, 3, 3, 4, 4), *_codes(g, 3, 4)), (1, 2, 3), g, beta=2.0)]),
    ),
    misconceptions=(
        _m("elbo-adds-kl", "elbo-assembled", "the KL term is added; the bound subtracts it.",
           _elbo_like(lambda r, kl, beta, x: r + beta * kl)),
        _m("elbo-is-loss", "elbo-assembled",
           "the sign is turned: that is the loss to minimise, the bound is its negative.",
           _elbo_like(lambda r, kl, beta, x: beta * kl - r)),
        _m("elbo-ignores-beta", "beta-is-not-sigma", "beta is ignored.", _elbo_like(lambda r, kl, beta, x: r - kl)),
        _m("elbo-beta-on-reconstruction", "beta-is-not-sigma", "beta weights the reconstruction instead of the KL.",
           _elbo_like(lambda r, kl, beta, x: beta * r - kl)),
        _m("elbo-beta-on-both", "beta-is-not-sigma", "beta weights both terms, which only scales the loss.",
           _elbo_like(lambda r, kl, beta, x: beta * (r - kl))),
        _m("elbo-without-kl", "elbo-assembled", "the KL term is missing: that is an autoencoder.",
           _elbo_like(lambda r, kl, beta, x: r)),
        _m("elbo-mean-reconstruction", "sum-versus-mean",
           "a mean over pixels stands against a sum over latents: the KL wins, and every picture becomes the average.",
           _elbo_like(lambda r, kl, beta, x: r / x[0].numel() - beta * kl)),
        _m("elbo-ignores-sigma", "beta-is-not-sigma", "sigma is ignored; it is not always 1.",
           lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0: bound.elbo(x, x_hat, mu, logvar, 1.0, beta)),
        _m("elbo-mse", "reconstruction-likelihood",
           "the reconstruction term is minus the sum of squared errors, without σ and constants.",
           lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0:
           -_squares(x, x_hat).sum(1) - beta * bound.kl_divergence(mu, logvar)),
        _m("elbo-mse-mean", "sum-versus-mean",
           "the reconstruction term is minus the mean squared error: "
           "the KL wins, and every picture becomes the average.",
           lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0:
           -_squares(x, x_hat).mean(1) - beta * bound.kl_divergence(mu, logvar)),
        _m("elbo-mean-kl", "sum-versus-mean", "the KL is averaged over the latents instead of added up.",
           lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0: bound.reconstruction_log_likelihood(x, x_hat, sigma)
           - beta * bound.kl_divergence(mu, logvar) / mu.shape[1]),
        _m("elbo-batch-mean", "sum-versus-mean", "the batch is averaged into one number; return one for each image.",
           _elbo_like(lambda r, kl, beta, x: (r - beta * kl).mean())),
        _m("elbo-batch-sum", "sum-versus-mean", "the batch is added into one number; return one for each image.",
           _elbo_like(lambda r, kl, beta, x: (r - beta * kl).sum())),
        _m("elbo-detached-kl", "elbo-assembled", "the KL term is detached: its value counts, its gradient is lost.",
           _elbo_like(lambda r, kl, beta, x: r - beta * kl.detach())),
    ),
    equivalents=(
        bound.elbo,
        lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0: (
            Normal(x_hat, sigma).log_prob(x).sum((1, 2, 3))
            + 0.5 * beta * (1 + logvar - mu**2 - logvar.exp()).sum(1)),
        lambda x, x_hat, mu, logvar, sigma=1.0, beta=1.0: -(
            beta * bound.kl_divergence(mu, logvar) - bound.reconstruction_log_likelihood(x, x_hat, sigma)),
    ),
    helpers={
        "reconstruction_log_likelihood": (("x", "x_hat", "sigma"), "images"),
        "kl_divergence": (("mu", "logvar"), "images"),
    },
    of_helpers=_elbo_of,
)

CHECKS = (LOG_NORMAL, KL_DIVERGENCE, KL_MONTE_CARLO, RECONSTRUCTION, ELBO)

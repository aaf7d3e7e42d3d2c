"""Checks of assignment 09, tighter bounds, better likelihoods, honest numbers.

Four of the five functions are deterministic; their oracles run in double precision. The weights of ``log_weights`` are
random, and three models tell what is known about them:

* Probabilistic PCA with an encoder that misses the posterior by a given shift and stretch. A log weight is a quadratic
  function of the noise, so its mean, spread and the error of both are known. Each image stands there 1,024 times, with
  4 samples each: 4,096 weights that have to be independent, of samples and of images. Statistics may be 6.5 standard
  errors away. A normal tail bounds one comparison by 8e-11 and the sixteen of a run by 2e-9; log weights are skewed to
  the left, so near that limit the tail is heavier, which 1e-6 a run leaves room for.
* The same with the exact posterior: every weight is p(x), whatever was drawn. Nothing is random there.
* A nonlinear decoder of one latent, whose p(x) is an integral done by the trapezoidal rule. The mean of its bounded
  weights may be as far away as Bernstein's inequality allows with a probability of 1e-10, whatever their distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from autograder import toys
from autograder.checking import Check, Misconception, Part, Probe, Step
from autograder.comparing import STANDARD_ERRORS, difference, kind
from autograder.target import Call
from autograder.wire import Handle, Seed
from vae_ref import bound, tighter

LOG_2PI = math.log(2 * math.pi)
FLOOR = 1e-3  # of the tolerance of a statistic: sums of float32 log densities
NUM_SAMPLES = 4  # few, for who loops over them waits for each
NUM_COPIES = 1024  # of each image
NUM_WEIGHTS = NUM_SAMPLES * NUM_COPIES  # for each image
STEP = 5e-3  # of finite differences
BERNSTEIN = math.log(2 / 1e-10)
NOT_SEEDED = (
    "Two calls with equally seeded generators differ: draw all noise from the generator you are given."
)


def _randn(g: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=g)


def _between(g: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=g))


def _whole(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


# ---- log_weights ----------------------------------------------------------------------------------------------------


def _call(
    prop: str, arguments: tuple[Any, ...], call: Call, label: str, tolerance: Tensor | None = None
) -> Probe:
    """A call whose first argument, the model, is made just before it."""
    before = (Step(f"toys.{prop}", Call(arguments, keep="model")),)
    return Probe(call, label, tolerance, before=before)


def _weights_call(x: Tensor, num_samples: int, g: Generator, **more: Any) -> Call:
    return Call((Handle("model"), x, num_samples), {"generator": Seed(_whole(g))}, **more)


def _weights_value(g: Generator) -> list[Probe]:
    probes = []
    for latents, stretch in ((2, _between(g, 0.7, 0.8)), (3, _between(g, 1.25, 1.35))):
        shift = _between(g, 0.7, 1.0)
        # log w = const + Σ a ε + b ε², whose cumulants are known
        a, b = -shift * stretch, 0.5 * (1 - stretch**2)
        variance, fourth = latents * (a**2 + 2 * b**2), latents * 48 * (a**2 * b**2 + b**4)
        errors = [variance**0.5, ((fourth + 2 * variance**2) / (4 * variance)) ** 0.5, 1.0, 1.0]
        tolerance = STANDARD_ERRORS * torch.tensor(errors)[:, None].expand(-1, 2) / NUM_WEIGHTS**0.5 + FLOOR
        x = torch.rand(2, 3, 4, 4, generator=g).repeat_interleave(NUM_COPIES, dim=0)
        arguments = (latents, 4, _whole(g), 0.5, shift, stretch)
        label = f"a linear decoder of {latents} latents, the log weights summarised"
        probes.append(_call("LinearGaussian", arguments, _weights_call(x, NUM_SAMPLES, g), label, tolerance))
    return probes


def _weights_exact(g: Generator) -> list[Probe]:
    label = "an encoder that is the exact posterior"
    return [
        _call(
            "LinearGaussian",
            (latents, 4, _whole(g)),
            _weights_call(torch.rand(images, 3, 4, 4, generator=g), samples, g),
            label,
        )
        for latents, samples, images in ((2, 5, 4), (5, 2, 1))
    ]


def _weights_evidence(g: Generator) -> list[Probe]:
    seed, candidates = _whole(g), torch.rand(16, 3, 4, 4, generator=g)
    _, variance, largest = _integrals(toys.Tiny(1, 4, seed, 0.5), candidates)
    best = variance.argsort()[:2]  # images that this encoder codes well, so that their weights vary little
    # P(|mean − 1| > t) ≤ 2 exp(−n t² / (2 (variance + largest t / 3))) for weights divided by their mean
    linear = BERNSTEIN * largest[best] / 3
    t = (linear + (linear.square() + 2 * NUM_WEIGHTS * BERNSTEIN * variance[best]).sqrt()) / NUM_WEIGHTS
    tolerance = -torch.log1p(-t.clamp(max=0.9)) + FLOOR
    x = candidates[best].repeat_interleave(NUM_COPIES, dim=0)
    label = f"a nonlinear decoder, the log of the mean of {NUM_WEIGHTS} weights"
    nonlinear = _call("Tiny", (1, 4, seed, 0.5), _weights_call(x, NUM_SAMPLES, g), label, tolerance)
    return [*_weights_exact(g), nonlinear]


def _integrals(model: toys.Tiny, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x), and of w / p(x) the variance and the largest value, (B,) each, for one latent.

    Nothing is drawn further than 8 standard deviations from the encoder's mean, so nothing is added up there.
    """
    z = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    with torch.no_grad():
        x_hat, x = model.decode(z[:, None]).flatten(1), x.double().flatten(1)
        mu, logvar = (value[:, 0] for value in model.encode(x.unflatten(1, model.shape)))
    sigma = float(model.sigma)
    log_x = Normal(0.0, sigma).log_prob(torch.cdist(x_hat, x)) - (x.shape[1] - 1) * (
        0.5 * LOG_2PI + math.log(sigma)
    )
    q = Normal(mu, torch.exp(0.5 * logvar))
    log_q = q.log_prob(z[:, None])  # (Z, B)
    log_weight = log_x + Normal(0.0, 1.0).log_prob(z)[:, None] - log_q
    log_weight = log_weight.masked_fill((z[:, None] - mu).abs() > 8 * q.stddev, -math.inf)
    log_step = math.log(float(z[1] - z[0]))
    log_mean = torch.logsumexp(log_weight + log_q + log_step, dim=0)
    log_square = torch.logsumexp(2 * log_weight + log_q + log_step, dim=0)
    return (
        log_mean,
        torch.expm1(log_square - 2 * log_mean),
        torch.exp(log_weight.max(dim=0).values - log_mean),
    )


def _weights_oracle(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """What is known of the weights under each model: their summary, or all of them."""
    if not isinstance(model, toys.LinearGaussian):
        return _integrals(model, x[::NUM_COPIES])[0]
    weight, sigma = model.to_pixels.detach().double(), model.sigma.double()
    covariance = weight @ weight.T + sigma**2 * torch.eye(len(weight), dtype=torch.float64)
    evidence = MultivariateNormal(torch.full_like(weight[:, 0], 0.5), covariance)
    log_p = evidence.log_prob(x.double().flatten(1))
    shift, stretch = model.shift, model.stretch
    if shift == 0 and stretch == 1:
        return log_p.expand(num_samples, -1)
    # log w = log p(x) + Σ [ ½ ε² + log stretch − ½ (shift + stretch ε)² ], the sum over latents
    mean = log_p[::NUM_COPIES] + model.latent_dim * (0.5 - 0.5 * (shift**2 + stretch**2) + math.log(stretch))
    variance = model.latent_dim * ((shift * stretch) ** 2 + 0.5 * (1 - stretch**2) ** 2)
    none = torch.zeros_like(mean)
    return torch.stack([mean, none + variance**0.5, none, none])


def _weight_moments(log_weights: Tensor) -> Tensor:
    """Mean, standard deviation, and correlation of neighbouring samples and of neighbouring copies, (4, images)."""
    w = log_weights.double().unflatten(1, (-1, NUM_COPIES)).transpose(0, 1)  # (images, K, copies)
    mean = w.mean(dim=(1, 2))
    centred = w - mean[:, None, None]
    std = centred.square().mean(dim=(1, 2)).sqrt()
    unit = centred / std.clamp(min=1e-12)[:, None, None]
    between = [(unit * unit.roll(1, axis)).mean(dim=(1, 2)) for axis in (1, 2)]
    return torch.stack([mean, std, *between])


def _log_p(log_weights: Tensor) -> Tensor:
    """Log of the mean weight of each image where there are many, else the weights themselves."""
    if len(log_weights) != NUM_SAMPLES:
        return log_weights
    w = log_weights.double().unflatten(1, (-1, NUM_COPIES)).transpose(0, 1).flatten(1)
    return torch.logsumexp(w, dim=1) - math.log(NUM_WEIGHTS)


def _one_weight_a_sample(results: list[Any], probes: list[Probe]) -> str:
    for weights, probe in zip(results, probes, strict=True):
        num_samples, num_images = probe.call.args[2], len(probe.call.args[1])
        wanted = (num_samples, num_images)
        if not isinstance(weights, Tensor) or not weights.is_floating_point():
            return f"log_weights returned {kind(weights)}, not a tensor of log weights."
        if weights.shape != wanted:
            return (
                f"For {num_samples} samples and {num_images} images, log_weights returned shape "
                f"{tuple(weights.shape)}, not {wanted}: a row for each sample, a column for each image."
            )
        if not bool(weights.isfinite().all()):
            return "log_weights returned values that are not finite."
    return ""


def _weights_gradient(g: Generator) -> list[Probe]:
    """A gradient, and the values a step to both sides, with the same noise."""
    arguments, noise = (3, 4, _whole(g), 0.5), {"generator": Seed(_whole(g))}
    x, direction = torch.rand(4, 3, 4, 4, generator=g), _randn(g, 4, 3, 4, 4)
    cotangent = torch.rand(3, 4, generator=g) + 0.5
    model = Handle("model")
    calls = [Call((model, x, 3), noise, (1,), cotangent)]
    calls += [Call((model, x + step * direction, 3), noise) for step in (STEP, -STEP, STEP)]
    # the noise is random, so variants are compared with it draw for draw first
    return [_call("Tiny", arguments, call, "its result differentiated", torch.zeros(())) for call in calls]


def _weights_gradient_holds(results: list[Any], probes: list[Probe]) -> str:
    gradient, *sides = results
    problem = _one_weight_a_sample(sides, probes[1:])
    if problem or not isinstance(gradient, list):
        return problem or "log_weights gave no gradients."
    if not torch.allclose(sides[0], sides[2], rtol=1e-6, atol=1e-5):
        return NOT_SEEDED
    plus, minus = (probe.call.args[1].double() for probe in probes[1:3])
    cotangent = probes[0].call.cotangent
    assert cotangent is not None  # as it was drawn
    # the slope of each image's weighted sum along a direction, by the gradient and by differences
    slope = (gradient[0].double() * (plus - minus) / (2 * STEP)).flatten(1).sum(1)
    wanted = (cotangent * (sides[0] - sides[1]).double()).sum(0) / (2 * STEP)
    if difference(slope, wanted, 0.02 + 0.01 * wanted.abs()) is not None:
        return (
            "The gradient is not that of the weights with fixed noise: "
            "log p(x|z), log p(z) and log q(z|x) all pass it on."
        )
    return ""


def _weights_noise(g: Generator) -> list[Probe]:
    arguments, x = (3, 4, _whole(g)), torch.rand(1, 3, 4, 4, generator=g).expand(4, -1, -1, -1)

    def probe(images: Tensor, num_samples: int, **kwargs: Any) -> Probe:
        return _call("Tiny", arguments, Call((Handle("model"), images, num_samples), kwargs or None), "")

    given = [probe(x, 6, generator=Seed(seed)) for seed in (5, 5, 6)]
    return [*given, probe(x, 6), probe(x, 6), probe(x, 1), probe(x[:1], 3), probe(x[:1], 1)]


def _weights_are_fresh(results: list[Any], probes: list[Probe]) -> str:
    problem = _one_weight_a_sample(results, probes)
    if problem:
        return problem
    same, again, other, free, free_again = (w.double() for w in results[:5])
    if not torch.allclose(same, again, rtol=1e-6, atol=1e-6):
        return NOT_SEEDED
    if torch.allclose(same, other) or torch.allclose(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


# ---- iwae_bound -----------------------------------------------------------------------------------------------------


def _iwae_oracle(log_weights: Tensor) -> Tensor:
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def _iwae_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((3 * _randn(g, k, b) - 20,)), f"{k} samples of {b} images")
        for k, b in ((5, 3), (2, 7), (16, 4))
    ]


def _iwae_edges(g: Generator) -> list[Probe]:
    far = torch.tensor([1000.0, -1000.0, 1000.0, -20.0])
    weights = 2 * _randn(g, 6, 4)
    return [
        Probe(Call((3 * _randn(g, 1, 5) - 10,)), "a single sample"),
        Probe(Call((3 * _randn(g, 8, 1) - 10,)), "a single image"),
        Probe(Call((_randn(g, 1, 4).expand(3, 4) - 5,)), "equal weights"),
        Probe(Call(((weights - 30).double(),)), "float64"),
        Probe(Call((weights + 1000,)), "log weights around 1000"),
        Probe(Call((weights - 1000,)), "log weights around −1000"),
        Probe(Call((weights + far,)), "log weights around −1000 and 1000 in one batch"),
        Probe(Call((torch.where(weights > weights.median(), 900.0, -900.0),)), "samples from −900 to 900"),
    ]


def _all_finite(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        if isinstance(result, Tensor) and not bool(result.isfinite().all()):
            return f"With {probe.label}, iwae_bound returned values that are not finite."
    return ""


def _iwae_gradient(g: Generator) -> list[Probe]:
    def probe(weights: Tensor, label: str) -> Probe:
        return Probe(Call((weights,), None, (0,), torch.rand(weights.shape[1], generator=g) + 0.5), label)

    return [
        probe(2 * _randn(g, 5, 3) - 20, "its result weighted and differentiated"),
        probe(2 * _randn(g, 4, 2) - 1000, "log weights around −1000, weighted and differentiated"),
    ]


# ---- bits_per_dim ---------------------------------------------------------------------------------------------------


def _bits_oracle(log_likelihood: Tensor, num_dims: int) -> Tensor:
    # −log₂ of the probability of a level, whose interval is 1/256 wide, for one dimension
    return -(log_likelihood / num_dims - math.log(256)) / math.log(2)


def _nats(g: Generator, images: int, num_dims: int) -> Tensor:
    """Log likelihoods of images whose pixels are worth −1 to 4 nats each."""
    return num_dims * (torch.rand(images, generator=g) * 5 - 1)


def _bits_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_nats(g, b, d), d)), f"{b} images of {d} dimensions")
        for b, d in ((3, 12288), (5, 48), (2, 768))
    ]


def _bits_edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((torch.zeros(3), 192)), "the uniform density"),
        Probe(Call((_nats(g, 1, 27), 27)), "a single image"),
        Probe(Call((_nats(g, 4, 3), 3)), "a single pixel"),
        Probe(Call((_nats(g, 4, 300).double(), 300)), "float64"),
        Probe(Call((-1e6 * torch.rand(2, generator=g), 12288)), "very unlikely images"),
        Probe(Call((_nats(g, 5, 12288), 12288)), "five images that cost differently"),
    ]


def _bits_gradient(g: Generator) -> list[Probe]:
    cotangent = torch.rand(4, generator=g) + 0.5
    return [Probe(Call((_nats(g, 4, 6), 6), None, (0,), cotangent), "its result weighted and differentiated")]


# ---- beta_from_sigma ------------------------------------------------------------------------------------------------


def _beta_oracle(sigma: Any) -> Any:
    return float(sigma) ** 2


def _beta_probe(sigma: Any) -> Probe:
    # small weights count as much as large ones, so the tolerance is relative
    return Probe(Call((sigma,)), f"sigma = {float(sigma):.4g}", torch.tensor(1e-5 * float(sigma) ** 2))


def _beta_value(g: Generator) -> list[Probe]:
    return [_beta_probe(round(_between(g, *ends), 4)) for ends in ((0.05, 0.2), (0.3, 0.8), (1.2, 2.0))]


def _beta_edges(g: Generator) -> list[Probe]:
    return [
        _beta_probe(1.0),
        _beta_probe(2),
        _beta_probe(2 / 255),
        _beta_probe(78.0),
        _beta_probe(torch.tensor(round(_between(g, 0.05, 0.5), 3))),
    ]


# ---- colour_log_likelihood ------------------------------------------------------------------------------------------


def _colour_oracle(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    pixels, means = (image.permute(0, 2, 3, 1) for image in (x, x_hat))  # (B, H, W, 3)
    return MultivariateNormal(means, covariance).log_prob(pixels).sum(dim=(1, 2))


def _covariance(g: Generator) -> Tensor:
    """Of three channels with different spreads that move together, as residuals of photos do."""
    std = torch.tensor([0.15, 0.25, 0.35])[torch.randperm(3, generator=g)]
    mixed = torch.eye(3) + 0.35 * torch.rand(3, 3, generator=g) + 0.25
    correlation = mixed @ mixed.T
    scale = std / correlation.diagonal().sqrt()
    return correlation * scale[:, None] * scale


def _pictures(g: Generator, *shape: int) -> tuple[Tensor, Tensor]:
    return torch.rand(shape, generator=g), torch.rand(shape, generator=g)


def _colour_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((*_pictures(g, *shape), _covariance(g))), f"images of shape {shape}")
        for shape in ((3, 3, 8, 6), (5, 3, 4, 4), (2, 3, 3, 7))
    ]


def _colour_edges(g: Generator) -> list[Probe]:
    x, x_hat = _pictures(g, 2, 3, 5, 4)
    covariance = _covariance(g)
    return [
        Probe(Call((*_pictures(g, 1, 3, 4, 5), covariance)), "a single image"),
        Probe(Call((*_pictures(g, 4, 3, 1, 1), covariance)), "a single pixel"),
        Probe(Call((*_pictures(g, 2, 3, 64, 64), covariance)), "images of 64×64"),
        Probe(Call((x, x, covariance)), "perfect reconstructions"),
        Probe(Call((x.double(), x_hat.double(), covariance.double())), "float64"),
        Probe(Call((x, x_hat, 0.04 * torch.eye(3))), "channels that are independent"),
        Probe(Call((x, x + 1e-3 * _randn(g, *x.shape), 1e-5 * covariance)), "a covariance of a millionth"),
    ]


def _colour_gradient(g: Generator) -> list[Probe]:
    call = (*_pictures(g, 3, 3, 5, 4), _covariance(g))
    cotangent = torch.rand(3, generator=g) + 0.5
    # absolute: where the terms of Σ⁻¹ r cancel, float32 leaves no relative accuracy
    tolerance = torch.full((3, 3, 5, 4), 5e-3)
    return [Probe(Call(call, None, (0, 1), cotangent), "its result weighted and differentiated", tolerance)]


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _drawn(std: Callable[[Tensor], Tensor], *axes: int) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """A way to draw codes with another σ, or with noise that is shared along some axes."""

    def draw(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = model.encode(x)
        shape = [1 if axis in axes else size for axis, size in enumerate(mu.shape)]
        return mu + std(logvar) * torch.randn(shape, generator=generator, dtype=mu.dtype), mu, logvar

    return draw


def _half(logvar: Tensor) -> Tensor:
    return torch.exp(0.5 * logvar)


def _prior(z: Tensor) -> Tensor:
    return Normal(0.0, 1.0).log_prob(z).sum(-1)


def _likelihood(model: Any, x: Tensor, z: Tensor) -> Tensor:
    return bound.reconstruction_log_likelihood(x, model.decode(z), model.sigma)


def _weight(model: Any, x: Tensor, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return _likelihood(model, x, z) + _prior(z) - bound.log_normal(z, mu, logvar)


def _weights_like(
    weight: Callable[..., Tensor] = _weight,
    draw: Callable[..., tuple[Tensor, Tensor, Tensor]] = lambda model, x, generator: model.draw(x, generator),
    change: Callable[[Tensor], Tensor] = lambda weights: weights,
) -> Callable[..., Tensor]:
    """A variant with another weight of a sample, ``weight(model, x, z, mu, logvar)``, or another draw, or changed."""

    def variant(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
        return change(torch.stack([weight(model, x, *draw(model, x, generator)) for _ in range(num_samples)]))

    return variant


def _one_draw(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    return _weight(model, x, *model.draw(x, generator)).expand(num_samples, -1)


def _no_grad(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    with torch.no_grad():
        return tighter.log_weights(model, x, num_samples, generator)


def _from_prior(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    mu, logvar = model.encode(x)
    return torch.randn(mu.shape, generator=generator, dtype=mu.dtype), mu, logvar


def _cut_off(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    z, mu, logvar = model.draw(x, generator)
    return z.detach(), mu, logvar


def _all_at_once(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well: all samples are decoded in one batch."""
    mu, logvar = model.encode(x)
    std = torch.exp(logvar / 2)
    z = mu + std * torch.randn(num_samples, *mu.shape, generator=generator, dtype=mu.dtype)
    x_hat = model.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    return (Normal(x_hat, model.sigma).log_prob(x).sum((2, 3, 4))
            + Normal(0.0, 1.0).log_prob(z).sum(2) - Normal(mu, std).log_prob(z).sum(2))


def _repeated(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well: the images are repeated, and forget about samples until the end."""
    many = x.repeat(num_samples, 1, 1, 1)
    z, mu, logvar = model.draw(many, generator)
    q = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    log_w = Independent(Normal(model.decode(z), model.sigma), 3).log_prob(many) - q.log_prob(z)
    return (log_w + MultivariateNormal(torch.zeros_like(mu[0]), torch.eye(mu.shape[1])).log_prob(z)
            ).reshape(num_samples, len(x))


def _by_noise(model: Any, x: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well: the constants of prior and posterior cancel, and (z − μ) / σ is the noise."""
    mu, logvar = model.encode(x)
    rows = torch.empty(num_samples, len(x))
    for k in range(num_samples):
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + _half(logvar) * noise
        rows[k] = _likelihood(model, x, z) + 0.5 * (noise**2 - z**2 + logvar).sum(1)
    return rows


LOG_WEIGHTS = Check(
    name="log_weights",
    asks="log p(x|z) + log p(z) − log q(z|x) of codes drawn from the encoder, a row for each sample",
    section="importance-weights",
    oracle=_weights_oracle,
    parts=(
        Part("distribution", 2, _weights_value, _one_weight_a_sample, _weight_moments),
        Part("evidence", 2, _weights_evidence, _one_weight_a_sample, _log_p),
        Part("noise and shapes", 1, _weights_noise, _weights_are_fresh),
        Part("gradient", 1, _weights_gradient, _weights_gradient_holds),
    ),
    misconceptions=(
        _m("weights-without-q", "importance-weights",
           "log q(z|x) is missing: codes that the encoder draws often would count too often.",
           _weights_like(lambda model, x, z, mu, logvar: _likelihood(model, x, z) + _prior(z))),
        _m("weights-plus-q", "importance-weights", "log q(z|x) is added; a weight divides by q.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) + _prior(z) + bound.log_normal(z, mu, logvar))),
        _m("weights-without-prior", "importance-weights", "the prior log p(z) is missing.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) - bound.log_normal(z, mu, logvar))),
        _m("weights-likelihood-only", "importance-weights", "that is log p(x|z) alone, without prior and posterior.",
           _weights_like(lambda model, x, z, mu, logvar: _likelihood(model, x, z))),
        _m("weights-closed-form-kl", "importance-weights",
           "the closed-form KL is subtracted: it is right on average, but a weight needs densities of its own code.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) - bound.kl_divergence(mu, logvar))),
        _m("weights-unit-sigma", "importance-weights", "the model's sigma is ignored: the pixels have σ = 1.",
           _weights_like(lambda model, x, z, mu, logvar:
                         bound.reconstruction_log_likelihood(x, model.decode(z), 1.0) + _prior(z)
                         - bound.log_normal(z, mu, logvar))),
        _m("weights-sigma-is-variance", "importance-weights", "the model's sigma is used as the variance of a pixel.",
           _weights_like(lambda model, x, z, mu, logvar:
                         bound.reconstruction_log_likelihood(x, model.decode(z), model.sigma**0.5) + _prior(z)
                         - bound.log_normal(z, mu, logvar))),
        _m("weights-squared-error", "importance-weights",
           "minus the sum of squared errors stands for log p(x|z), without σ and constants.",
           _weights_like(lambda model, x, z, mu, logvar:
                         -(x - model.decode(z)).flatten(1).square().sum(1) + _prior(z)
                         - bound.log_normal(z, mu, logvar))),
        _m("weights-mean-over-pixels", "importance-weights",
           "the pixels are averaged against sums over latents; independent pixels multiply, so their logs add up.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) / x[0].numel() + _prior(z) - bound.log_normal(z, mu, logvar))),
        _m("weights-decode-mu", "importance-weights", "the mean is decoded instead of the code that was drawn.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, mu) + _prior(z) - bound.log_normal(z, mu, logvar))),
        _m("weights-at-mu", "importance-weights", "there is no noise: every code is the encoder's mean.",
           _weights_like(lambda model, x, z, mu, logvar: _weight(model, x, mu, mu, logvar))),
        _m("weights-std-is-exp-logvar", "importance-weights",
           "the codes are drawn with exp(logvar), the variance, for σ.", _weights_like(draw=_drawn(torch.exp))),
        _m("weights-q-logvar-is-log-std", "importance-weights", "in log q, logvar is taken for log σ.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) + _prior(z) - bound.log_normal(z, mu, 2 * logvar))),
        _m("weights-from-prior", "importance-weights",
           "the codes are drawn from the prior, yet divided by the encoder's density.",
           _weights_like(draw=_from_prior)),
        _m("weights-one-code", "importance-weights", "one code serves all samples of an image.", _one_draw),
        _m("weights-noise-shared-by-images", "importance-weights", "the same noise serves all images of the batch.",
           _weights_like(draw=_drawn(_half, 0))),
        _m("weights-noise-shared-by-latents", "importance-weights", "one number serves all latents of a code.",
           _weights_like(draw=_drawn(_half, 1))),
        _m("weights-transposed", "importance-weights", "rows and columns are exchanged: samples come first.",
           _weights_like(change=lambda weights: weights.T)),
        _m("weights-not-logs", "importance-weights",
           "these are the weights themselves: for real images they are far too small or large for a float.",
           _weights_like(change=torch.exp)),
        _m("weights-normalised", "importance-weights",
           "the weights of an image are made to add up to 1, which loses how likely the image is.",
           _weights_like(change=lambda weights: weights.log_softmax(0))),
        _m("weights-averaged", "importance-weights", "the samples are averaged already; return each of them.",
           _weights_like(change=lambda weights: weights.mean(0))),
        _m("weights-bound", "importance-weights", "that is the finished bound; return the weights it is made from.",
           _weights_like(change=tighter.iwae_bound)),
        _m("weights-no-grad", "importance-weights",
           "the weights are cut off from the model (no_grad or detach), so that nothing can be trained with them.",
           _no_grad),
        _m("weights-detached-code", "importance-weights",
           "the codes are cut off from the encoder: detached, or drawn under no_grad.", _weights_like(draw=_cut_off)),
        _m("weights-detached-q", "importance-weights", "log q is detached: its value counts, its gradient is lost.",
           _weights_like(lambda model, x, z, mu, logvar:
                         _likelihood(model, x, z) + _prior(z) - bound.log_normal(z, mu, logvar).detach())),
        _m("weights-ignore-generator", "importance-weights", "the generator that is passed in is not used.",
           lambda model, x, num_samples, generator=None: tighter.log_weights(model, x, num_samples)),
        _m("weights-fixed-seed", "importance-weights", "the noise is seeded inside the function.",
           lambda model, x, num_samples, generator=None:
           tighter.log_weights(model, x, num_samples, torch.Generator().manual_seed(0))),
    ),
    equivalents=(tighter.log_weights, _weights_like(), _all_at_once, _repeated, _by_noise),
)


def _from_largest(log_weights: Tensor) -> Tensor:
    """Right as well: the largest weight of each image is taken out of the sum."""
    largest = log_weights.max(dim=0).values
    return largest + torch.log(torch.exp(log_weights - largest).mean(dim=0))


def _one_by_one(log_weights: Tensor) -> Tensor:
    """Right as well: the sum grows by one weight at a time."""
    total = log_weights[0]
    for row in log_weights[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(log_weights.shape[0])


IWAE_BOUND = Check(
    name="iwae_bound",
    asks="the log of the mean weight of the samples, one number for each image",
    section="iwae-bound",
    oracle=_iwae_oracle,
    parts=(
        Part("value", 2, _iwae_value),
        # a part of its own kind, because values that are not finite equal nothing, not even those of a variant
        Part("edge cases", 1, _iwae_edges, _all_finite, lambda bound: bound),
        Part("gradient", 1, _iwae_gradient),
    ),
    misconceptions=(
        _m("iwae-mean-of-logs", "iwae-bound",
           "the logs are averaged: that is the ELBO, however many samples it takes.", lambda w: w.mean(0)),
        _m("iwae-without-log-k", "iwae-bound",
           "the weights are added but not averaged: the bound would grow with K for no reason.",
           lambda w: torch.logsumexp(w, 0)),
        _m("iwae-log-of-batch", "iwae-bound", "the sum is divided by the number of images instead of samples.",
           lambda w: torch.logsumexp(w, 0) - math.log(w.shape[1])),
        _m("iwae-divided-by-k", "iwae-bound", "the log of the sum is divided by K; K belongs inside the log.",
           lambda w: torch.logsumexp(w, 0) / len(w)),
        _m("iwae-over-batch", "iwae-bound",
           "the mean runs over the images, the second axis, instead of the samples.",
           lambda w: torch.logsumexp(w, 1) - math.log(w.shape[1])),
        _m("iwae-over-everything", "iwae-bound", "samples and images are mixed into one number.",
           lambda w: torch.logsumexp(w.flatten(), 0) - math.log(w.numel())),
        _m("iwae-batch-mean", "iwae-bound", "the batch is averaged into one number; return one for each image.",
           lambda w: tighter.iwae_bound(w).mean()),
        _m("iwae-largest", "iwae-bound", "only the best sample counts; the others belong to the mean.",
           lambda w: w.max(0).values),
        _m("iwae-softmax-weighted", "iwae-bound",
           "the logs are averaged with normalised weights: those weigh the gradient, not the value.",
           lambda w: (w.softmax(0) * w).sum(0)),
        _m("iwae-sign", "iwae-bound", "the sign is turned: that is a loss.", lambda w: -tighter.iwae_bound(w)),
        _m("iwae-without-log", "iwae-bound", "the log is missing: that is the mean weight itself.",
           lambda w: w.exp().mean(0)),
        _m("iwae-log-plus-eps", "iwae-bound",
           "a small number is added inside the log, though honest weights are smaller still.",
           lambda w: torch.log(w.exp().mean(0) + 1e-8)),
        _m("iwae-overflow", "iwae-bound",
           "exp is taken of the log weights as they are: it overflows, or its log is −∞.",
           lambda w: w.exp().mean(0).log()),
        _m("iwae-global-largest", "iwae-bound",
           "the largest weight of the whole batch is taken out, not that of each image: the others vanish.",
           lambda w: w.max() + (w - w.max()).exp().mean(0).log()),
        _m("iwae-detached", "iwae-bound",
           "the result is cut off from the weights (detach, .data, .item, no_grad or numpy).",
           lambda w: tighter.iwae_bound(w).detach()),
        _m("iwae-detached-weights", "iwae-bound",
           "the gradient is that of the mean of logs: every sample pulls equally, however good it is.",
           lambda w: tighter.iwae_bound(w).detach() + (w - w.detach()).mean(0)),
    ),
    equivalents=(
        tighter.iwae_bound,
        _from_largest,
        _one_by_one,
        lambda w: torch.logsumexp(w - math.log(w.shape[0]), dim=0),
        lambda w: torch.logsumexp(w.double(), dim=0).sub(math.log(len(w))).to(w.dtype),
        lambda w: torch.stack([torch.logsumexp(w[:, b], 0) for b in range(w.shape[1])]) - math.log(len(w)),
    ),
)

BITS_PER_DIM = Check(
    name="bits_per_dim",
    asks="the bits that a pixel value of an 8-bit image costs, one number for each image",
    section="bits-per-dim",
    oracle=_bits_oracle,
    parts=(
        Part("value", 3, _bits_value),
        Part("edge cases", 1, _bits_edges),
        Part("gradient", 1, _bits_gradient),
    ),
    misconceptions=(
        _m("bits-sign", "bits-per-dim", "the sign of the log likelihood is turned: likelier images cost fewer bits.",
           lambda ll, d: ll / (d * math.log(2)) + 8),
        _m("bits-without-8", "bits-per-dim",
           "the width of a grey level is left out: a density of [0, 1] is not yet a probability of 256 levels.",
           lambda ll, d: -ll / (d * math.log(2))),
        _m("bits-minus-8", "bits-per-dim", "the width of a grey level is counted with the wrong sign.",
           lambda ll, d: -ll / (d * math.log(2)) - 8),
        _m("bits-levels-in-nats", "bits-per-dim", "the width of a grey level is counted in nats, the rest in bits.",
           lambda ll, d: -ll / (d * math.log(2)) + math.log(256)),
        _m("bits-in-nats", "bits-per-dim", "the log likelihood is counted in nats, the 8 in bits.",
           lambda ll, d: -ll / d + 8),
        _m("bits-times-log-2", "bits-per-dim", "nats are multiplied with log 2 instead of divided.",
           lambda ll, d: -ll * math.log(2) / d + 8),
        _m("bits-log-10", "bits-per-dim", "that uses the logarithm to base 10; bits need base 2.",
           lambda ll, d: -ll / (d * math.log(10)) + 8),
        _m("bits-per-pixel", "bits-per-dim", "the channels are not counted as dimensions: num_dims has them already.",
           lambda ll, d: -ll / (d / 3 * math.log(2)) + 8),
        _m("bits-8-once", "bits-per-dim", "the 8 is divided by the dimensions: each of them has 256 levels.",
           lambda ll, d: (-ll / math.log(2) + 8) / d),
        _m("bits-of-image", "bits-per-dim", "these are the bits of a whole image; share them among its dimensions.",
           lambda ll, d: -ll / math.log(2) + 8 * d),
        _m("bits-255-levels", "bits-per-dim", "the levels of an 8-bit image are 0 to 255: one more than 255.",
           lambda ll, d: -ll / (d * math.log(2)) + math.log2(255)),
        _m("bits-batch-mean", "bits-per-dim", "the batch is averaged into one number; return one for each image.",
           lambda ll, d: tighter.bits_per_dim(ll, d).mean()),
        _m("bits-detached", "bits-per-dim",
           "the result is cut off from the log likelihood (detach, .data, .item, no_grad or numpy).",
           lambda ll, d: tighter.bits_per_dim(ll, d).detach()),
    ),
    equivalents=(
        tighter.bits_per_dim,
        lambda ll, d: (math.log(256) - ll / d) / math.log(2),
        lambda ll, d: math.log2(256) - ll / d * math.log2(math.e),
        lambda ll, d: -(ll - d * math.log(256)) / (d * math.log(2)),
        lambda ll, d: ll.neg().div(d).div(torch.log(torch.tensor(2.0))).add(8),
        lambda ll, d: torch.stack([8 - value / d / math.log(2) for value in ll]),
    ),
)

BETA_FROM_SIGMA = Check(
    name="beta_from_sigma",
    asks="the weight of the KL that says the same as sigma, beside half the squared error",
    section="what-beta-claims",
    oracle=_beta_oracle,
    parts=(
        Part("value", 2, _beta_value),
        Part("edge cases", 1, _beta_edges),
    ),
    misconceptions=(
        _m("beta-twice", "what-beta-claims",
           "that is the weight beside the whole squared error; here half of it is summed.",
           lambda sigma: 2 * sigma**2),
        _m("beta-half", "what-beta-claims", "the ½ of the squared error is counted twice.",
           lambda sigma: 0.5 * sigma**2),
        _m("beta-inverse", "what-beta-claims",
           "that is the weight of the error; a larger σ makes the KL count more, not less.",
           lambda sigma: 1 / sigma**2),
        _m("beta-half-inverse", "what-beta-claims",
           "that is the factor before the squared error in the likelihood, not the weight of the KL.",
           lambda sigma: 1 / (2 * sigma**2)),
        _m("beta-is-sigma", "what-beta-claims", "β is not σ itself: think of the units of the squared error.",
           lambda sigma: sigma),
        _m("beta-root", "what-beta-claims", "that is the other way round: the σ that a β claims.",
           lambda sigma: sigma**0.5),
        _m("beta-times-dims", "what-beta-claims",
           "the number of dimensions comes in, as if the error were summed and the KL averaged.",
           lambda sigma: sigma**2 * 3 * 64 * 64),
        _m("beta-of-mean", "what-beta-claims",
           "that is the weight beside the mean squared error; here the error is summed.",
           lambda sigma: 2 * sigma**2 / (3 * 64 * 64)),
    ),
    equivalents=(
        tighter.beta_from_sigma,
        lambda sigma: sigma * sigma,
        lambda sigma: math.exp(2 * math.log(sigma)),
        lambda sigma: torch.as_tensor(sigma).square(),
        lambda sigma: torch.as_tensor(sigma, dtype=torch.float64).pow(2).item(),
    ),
)


def _colour_like(
    square: Callable[[Tensor, Tensor], Tensor] = lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c.inverse(), r),
    log_det: Callable[[Tensor], Tensor] = torch.logdet,
    constant: float = 3 * LOG_2PI,
    residual: Callable[[Tensor], Tensor] = lambda r: r.flatten(2),
    change: Callable[[Tensor], Tensor] = lambda per_pixel: per_pixel.sum(1),
) -> Callable[..., Tensor]:
    """−½ (square + log_det + constant) at each pixel, (B, P), with any of these another one."""

    def variant(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
        per_pixel = -0.5 * (square(residual(x - x_hat), covariance) + log_det(covariance) + constant)
        return change(per_pixel)

    return variant


def _squares(x: Tensor, x_hat: Tensor, matrix: Tensor) -> Tensor:
    """rᵀ matrix r, summed over pixels, (B,)."""
    r = (x - x_hat).flatten(2)
    return torch.einsum("bip,ij,bjp->b", r, matrix, r)


def _by_eigenvectors(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: along the eigenvectors, the channels are independent."""
    values, directions = torch.linalg.eigh(covariance)
    turned = torch.einsum("ck,bchw->bkhw", directions, x - x_hat)
    return Normal(0.0, values.sqrt()[:, None, None]).log_prob(turned).sum(dim=(1, 2, 3))


def _pixel_by_pixel(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: all pixels of an image are points of three numbers."""
    density = MultivariateNormal(torch.zeros(3, dtype=x.dtype), covariance)
    rows = [density.log_prob((a - b).flatten(1).T).sum() for a, b in zip(x, x_hat, strict=True)]
    return torch.stack(rows)


def _solved(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Right as well: a linear system in place of the inverse."""
    r = (x - x_hat).permute(1, 0, 2, 3).reshape(3, -1)  # (3, B·H·W)
    squares = (r * torch.linalg.solve(covariance, r)).sum(0).reshape(len(x), -1)
    return -0.5 * (squares + torch.linalg.slogdet(covariance).logabsdet + 3 * LOG_2PI).sum(1)


COLOUR = Check(
    name="colour_log_likelihood",
    asks="the log likelihood of images under a Gaussian over the channels of each pixel, one number for each image",
    section="colour-covariance",
    oracle=_colour_oracle,
    parts=(
        Part("value", 2, _colour_value),
        Part("edge cases", 1, _colour_edges),
        Part("gradient", 1, _colour_gradient),
    ),
    misconceptions=(
        _m("colour-without-log-det", "colour-covariance",
           "the determinant is left out: a wider Gaussian would never pay for its width.",
           _colour_like(log_det=lambda c: c.new_zeros(()))),
        _m("colour-log-det-once", "colour-covariance",
           "the determinant is counted once for each image; every pixel has a density of its own.",
           lambda x, x_hat, covariance: _colour_like(log_det=lambda c: c.new_zeros(()))(x, x_hat, covariance)
           - 0.5 * torch.logdet(covariance)),
        _m("colour-constants-once", "colour-covariance",
           "determinant and 2π are counted once for each image; every pixel has a density of its own.",
           lambda x, x_hat, covariance: -0.5 * (
               _squares(x, x_hat, covariance.inverse()) + torch.logdet(covariance) + 3 * LOG_2PI)),
        _m("colour-log-det-sign", "colour-covariance", "the determinant has the wrong sign.",
           _colour_like(log_det=lambda c: -torch.logdet(c))),
        _m("colour-square-without-half", "colour-covariance", "the ½ before the squared distance is missing.",
           _colour_like(lambda r, c: 2 * torch.einsum("bip,ij,bjp->bp", r, c.inverse(), r))),
        _m("colour-without-half", "colour-covariance", "the factor ½ is left out.",
           _colour_like(change=lambda per_pixel: 2 * per_pixel.sum(1))),
        _m("colour-without-2pi", "colour-covariance", "log 2π is left out.", _colour_like(constant=0.0)),
        _m("colour-2pi-once", "colour-covariance",
           "log 2π is counted once for each pixel; a pixel has three dimensions.", _colour_like(constant=LOG_2PI)),
        _m("colour-not-inverted", "colour-covariance",
           "the distance is measured with the covariance; it needs the inverse, the precision.",
           _colour_like(lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c, r))),
        _m("colour-is-precision", "colour-covariance",
           "the covariance is taken for the precision, in the distance and in the determinant.",
           _colour_like(lambda r, c: torch.einsum("bip,ij,bjp->bp", r, c, r), lambda c: -torch.logdet(c))),
        _m("colour-is-cholesky", "colour-covariance",
           "the lower triangle of the covariance is taken for its Cholesky factor.",
           _colour_like(
               lambda r, c: torch.linalg.solve_triangular(c.tril(), r, upper=False).square().sum(1),
               lambda c: 2 * c.diagonal().log().sum())),
        _m("colour-factor-transposed", "colour-covariance",
           "the Cholesky factor is used the wrong way round: the channels are not whitened by its transpose.",
           _colour_like(lambda r, c: torch.linalg.solve_triangular(
               torch.linalg.cholesky(c).mT, r, upper=True).square().sum(1))),
        _m("colour-diagonal", "colour-covariance",
           "only the variances are used: how the channels move together is lost.",
           lambda x, x_hat, covariance: tighter.colour_log_likelihood(x, x_hat, covariance.diagonal().diag())),
        _m("colour-one-variance", "colour-covariance", "one mean variance serves all channels.",
           lambda x, x_hat, covariance: bound.reconstruction_log_likelihood(
               x, x_hat, covariance.diagonal().mean().sqrt())),
        _m("colour-mixed-channels", "colour-covariance",
           "the images are reshaped to rows of three without moving the channels last: neighbours pose as colours.",
           _colour_like(residual=lambda r: r.reshape(len(r), -1, 3).mT)),
        _m("colour-mean-over-pixels", "colour-covariance",
           "the pixels are averaged; independent pixels multiply, so their logs add up.",
           _colour_like(change=lambda per_pixel: per_pixel.mean(1))),
        _m("colour-not-summed", "colour-covariance", "the pixels are not added up.",
           lambda x, x_hat, covariance: _colour_like(change=lambda per_pixel: per_pixel)(
               x, x_hat, covariance).unflatten(1, x.shape[2:])),
        _m("colour-batch-mean", "colour-covariance",
           "the batch is averaged into one number; return one for each image.",
           _colour_like(change=lambda per_pixel: per_pixel.sum(1).mean())),
        _m("colour-sign", "colour-covariance", "the sign is turned: that is the negative log likelihood, a loss.",
           _colour_like(change=lambda per_pixel: -per_pixel.sum(1))),
        _m("colour-detached", "colour-covariance",
           "the result is cut off from its inputs (detach, .data, .item, no_grad or numpy).",
           lambda x, x_hat, covariance: tighter.colour_log_likelihood(x, x_hat, covariance).detach()),
    ),
    equivalents=(
        tighter.colour_log_likelihood,
        _colour_like(),
        _by_eigenvectors,
        _pixel_by_pixel,
        _solved,
        lambda x, x_hat, covariance: MultivariateNormal(
            x_hat.movedim(1, -1), scale_tril=torch.linalg.cholesky(covariance)).log_prob(x.movedim(1, -1)).sum((1, 2)),
    ),
)

CHECKS = (LOG_WEIGHTS, IWAE_BOUND, BITS_PER_DIM, BETA_FROM_SIGMA, COLOUR)

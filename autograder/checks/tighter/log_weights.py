"""The check of ``log_weights``.

Asked for: log p(x|z) + log p(z) − log q(z|x) of codes drawn from the encoder, a row for each sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from autograder.both_sides import toys
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.tighter import shared
from autograder.judge.comparing import GENERATOR_IGNORED, STANDARD_ERRORS, difference, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import bound, tighter

FLOOR = 1e-3  # of the tolerance of a statistic: sums of float32 log densities

NUM_SAMPLES = 4  # few, for who loops over them waits for each

NUM_COPIES = 1024  # of each image

NUM_WEIGHTS = NUM_SAMPLES * NUM_COPIES  # for each image

STEP = 5e-3  # of finite differences

BERNSTEIN = math.log(2 / 1e-10)


def _whole(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


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
    for latents, stretch in ((2, shared.between(g, 0.7, 0.8)), (3, shared.between(g, 1.25, 1.35))):
        shift = shared.between(g, 0.7, 1.0)
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
        0.5 * shared.LOG_2PI + math.log(sigma)
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
    x, direction = torch.rand(4, 3, 4, 4, generator=g), shared.randn(g, 4, 3, 4, 4)
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
        return GENERATOR_IGNORED
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
        return GENERATOR_IGNORED
    if torch.allclose(same, other) or torch.allclose(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


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

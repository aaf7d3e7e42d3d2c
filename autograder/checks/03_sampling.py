"""Checks of assignment 03, the reparameterization trick.

The three functions of the contract are random. Their moments over thousands of draws are compared with exact ones from
closed forms, and may be 6.5 standard errors away; ``autograder.checks`` says what that makes of all statistical checks
together. The short questions and the draws of another distribution are in ``sampling``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Normal

from autograder.both_sides import props
from autograder.both_sides.stand_in import NOISE_OF_STAND_IN, Gives, StandIn
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.sampling.draw_exponential import DRAW_EXPONENTIAL
from autograder.checks.sampling.questions import GRADIENT_AFTER_DETACH, VARIANCE_RATIO
from autograder.judge.comparing import GENERATOR_IGNORED, STANDARD_ERRORS, difference, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import sampling

NUM_ROWS = 8192
NUM_SAMPLES = 20_000
FLOOR = 1e-5  # of every tolerance: float32 sums
# of cos 2u: ½ (1 + e⁻⁸) − e⁻⁴, and 8 e⁻⁴ less because u is measured in the spread of the same draws
COSINE_ERROR = (0.5 * (1 + math.exp(-8)) - 9 * math.exp(-4)) ** 0.5


def _seed(g: Generator) -> Seed:
    return Seed(int(torch.randint(2**31, (), generator=g)))


# ---- reparameterize -------------------------------------------------------------------------------------------------


def _moments(z: Tensor) -> Tensor:
    """Mean and spread of each column, mean of cos 2u of the standardised u, correlation of neighbours, (4, L).

    The cosine tells shapes apart as a kurtosis would, but it is bounded: no rare draw decides about it.
    """
    z = z.double()
    centred = z - z.mean(0)
    std = centred.square().mean(0).sqrt()
    unit = centred / std.clamp(min=1e-12)
    return torch.stack([z.mean(0), std, torch.cos(2 * unit).mean(0), (unit * unit.roll(1, 1)).mean(0)])


def _exact_moments(mu: Tensor, logvar: Tensor, generator: Any = None) -> Tensor:
    """Of N(mu, diag exp(logvar)), of which mu and logvar hold equal rows."""
    std = torch.exp(0.5 * logvar[0])
    return torch.stack([mu[0], std, torch.full_like(std, math.exp(-2)), torch.zeros_like(std)])


def _draws_value(g: Generator) -> list[Probe]:
    probes = []
    for dims in (3, 5):
        mu = torch.randn(dims, generator=g) + 1
        logvar = torch.rand(dims, generator=g) * 2 - 1
        logvar = torch.where(
            logvar.abs() < 0.3, logvar + 0.7, logvar
        )  # far from 0, where exp and ½ do nothing
        std = torch.exp(0.5 * logvar).double()
        # standard errors of the four for normal draws, in their order
        errors = [std, std / 2**0.5, torch.full_like(std, COSINE_ERROR), torch.ones_like(std)]
        spread = torch.stack(errors) / NUM_ROWS**0.5
        call = Call((mu.expand(NUM_ROWS, -1), logvar.expand(NUM_ROWS, -1)), {"generator": _seed(g)})
        probes.append(
            Probe(call, f"{NUM_ROWS} equal rows of {dims} numbers", STANDARD_ERRORS * spread + FLOOR)
        )
    return probes


def _rows_differ(results: list[Any], probes: list[Probe]) -> str:
    for z, probe in zip(results, probes, strict=True):
        wanted = probe.call.args[0].shape
        if not isinstance(z, Tensor) or z.shape != wanted or not z.is_floating_point():
            got = f"shape {tuple(z.shape)}" if isinstance(z, Tensor) else kind(z)
            return f"reparameterize returned {got}, not codes of shape {tuple(wanted)}."
        if not bool(z.isfinite().all()):
            return "reparameterize returned values that are not finite."
        if torch.equal(z, z[:1].expand_as(z)):
            return "All rows got the same code, though each needs noise of its own."
    return ""


def _draws_edges(g: Generator) -> list[Probe]:
    def probe(mu: Tensor, logvar: Tensor, label: str, **kwargs: Any) -> Probe:
        return Probe(Call((mu, logvar), kwargs or None), label)

    mu = 3 * torch.randn(2, 3, generator=g)
    return [
        probe(torch.randn(1, 4, generator=g), torch.zeros(1, 4), "a single row", generator=_seed(g)),
        probe(torch.randn(5, 1, generator=g), torch.zeros(5, 1), "a single column", generator=_seed(g)),
        probe(mu.double(), mu.double(), "float64 inputs", generator=_seed(g)),
        probe(mu, torch.full((2, 3), -100.0), "logvar = −100", generator=_seed(g)),
        probe(mu, torch.full((2, 3), 60.0), "logvar = 60", generator=_seed(g)),
        probe(mu, mu, "no generator"),
    ]


def _edges_hold(results: list[Any], probes: list[Probe]) -> str:
    for z, probe in zip(results, probes, strict=True):
        if not isinstance(z, Tensor) or z.shape != probe.call.args[0].shape:
            return f"With {probe.label}, reparameterize returned another shape than mu has."
        if not bool(z.isfinite().all()):
            return f"With {probe.label}, reparameterize returned values that are not finite."
        if z.dtype != probe.call.args[0].dtype:
            return f"With {probe.label}, reparameterize returned {z.dtype}: draw the noise in the type of mu."
    narrow, wide = results[3] - probes[3].call.args[0], results[4]
    if float(narrow.abs().max()) > 1e-6:
        return "With logvar = −100, the codes still spread: add nothing to σ, and do not clamp logvar."
    if float(wide.abs().max()) < 1e9:
        return "With logvar = 60, the codes hardly spread: do not clamp logvar so early."
    return ""


def _draws_noise(g: Generator) -> list[Probe]:
    mu = torch.zeros(6, 2)
    given = [Probe(Call((mu, mu), {"generator": Seed(seed)}), "") for seed in (5, 5, 6)]
    return [*given, Probe(Call((mu, mu)), ""), Probe(Call((mu, mu)), "")]


def _noise_is_fresh(results: list[Any], _: list[Probe]) -> str:
    same, again, other, free, free_again = (z.double() for z in results)
    if not torch.equal(same, again):
        return GENERATOR_IGNORED
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


def _draws_gradient(g: Generator) -> list[Probe]:
    mu, logvar = torch.randn(4, 3, generator=g), torch.rand(4, 3, generator=g) + 0.3
    noise, cotangent = {"generator": _seed(g)}, torch.rand(4, 3, generator=g) + 0.5
    value = Probe(Call((mu, logvar), noise), "its result")
    return [value, value, Probe(Call((mu, logvar), noise, (0, 1), cotangent), "its result differentiated")]


def _gradient_holds(results: list[Any], probes: list[Probe]) -> str:
    z, again, gradients = results
    if not torch.equal(z, again):
        return GENERATOR_IGNORED
    if not isinstance(gradients, list) or len(gradients) != 2:
        return "reparameterize gave no gradients."
    mu, cotangent = probes[2].call.args[0], probes[2].call.cotangent
    assert cotangent is not None  # as it was drawn
    # z = μ + σε, so dz/dμ = 1 and dz/dlogvar = ½ σε = ½ (z − μ)
    wanted = {"mu": cotangent, "logvar": 0.5 * cotangent * (z - mu)}
    for (name, right), got in zip(wanted.items(), gradients, strict=True):
        if difference(got, right, torch.full_like(right, 1e-3)) is not None:
            if isinstance(got, Tensor) and not bool(got.any()):
                return f"No gradient reaches {name}: the sample is cut off from it."
            return f"The gradient with respect to {name} is not that of mu + σε with fixed noise ε."
    return ""


# ---- the two estimators ---------------------------------------------------------------------------------------------


def _problem(g: Generator, dims: int) -> tuple[Tensor, Tensor, Tensor]:
    """mu, logvar (L,) and frequencies (2, L) of a sum of two sines."""
    mu = 0.5 * torch.randn(dims, generator=g)
    logvar = -0.5 - torch.rand(dims, generator=g)
    frequencies = torch.randn(2, dims, generator=g)
    return mu, logvar, frequencies + torch.where(frequencies > 0, 0.5, -0.5)


def _sine_gradients(frequencies: Tensor, z: Tensor) -> Tensor:
    """Per-sample gradients of Σ sin(ω · z), (N, L)."""
    return torch.cos(z @ frequencies.T) @ frequencies


def _sine_exact(frequencies: Tensor, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the pathwise estimates under N(mu, diag exp(logvar)), (L,) each.

    E cos(ω·z) = cos(ω·μ) exp(−½ ωΣω), and cos a cos b = ½ cos(a − b) + ½ cos(a + b) gives the second moments.
    """
    w, variance = frequencies.double(), logvar.double().exp()

    def mean_cos(v: Tensor) -> Tensor:
        return torch.cos(v @ mu.double()) * torch.exp(-0.5 * (v.square() @ variance))

    mean = mean_cos(w) @ w
    products = 0.5 * (mean_cos(w[:, None] - w[None]) + mean_cos(w[:, None] + w[None]))  # (2, 2)
    second = torch.einsum("ij,il,jl->l", products, w, w)
    return mean, (second - mean.square()).clamp(min=0).sqrt()


def _pathwise_value(g: Generator) -> list[Probe]:
    return [
        _through_sine(g, dims, lambda w, z, mu, logvar: _sine_gradients(w, z), spread=True) for dims in (2, 4)
    ]


def _score_value(g: Generator) -> list[Probe]:
    return [
        _through_sine(
            g,
            dims,
            lambda w, z, mu, logvar: torch.sin(z @ w.T).sum(1, keepdim=True) * (z - mu) / logvar.exp(),
        )
        for dims in (2, 4)
    ]


def _through_sine(g: Generator, dims: int, estimator: Callable[..., Tensor], spread: bool = False) -> Probe:
    """A call with a sum of sines for f; the tolerance comes from how the right estimates spread."""
    mu, logvar, frequencies = _problem(g, dims)
    noise = torch.randn(NUM_SAMPLES, dims, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = mu + (0.5 * logvar.double()).exp() * noise
    estimates = estimator(frequencies.double(), z, mu.double(), logvar.double())
    errors = [estimates.std(0), _error_of_std(estimates)] if spread else [estimates.std(0)]
    return Probe(
        Call((Handle("f"), mu, logvar, NUM_SAMPLES), {"generator": _seed(g)}),
        f"f a sum of sines of {dims} numbers and {NUM_SAMPLES} samples",
        STANDARD_ERRORS * torch.stack(errors) / NUM_SAMPLES**0.5 + FLOOR,
        before=(Step("props.Sine", Call((frequencies,), keep="f")),),
    )


def _error_of_std(values: Tensor) -> Tensor:
    """Standard error of the standard deviation, times √N: by the delta method, (L,)."""
    centred = values - values.mean(0)
    variance = centred.square().mean(0)
    return ((centred.pow(4).mean(0) - variance.square()) / (4 * variance)).clamp(min=0).sqrt()


def _stairs(g: Generator) -> list[Probe]:
    """Calls with an f that has no useful derivative."""
    mu, logvar = 0.3 * torch.randn(3, generator=g), -0.3 * torch.rand(3, generator=g)
    direction = torch.tensor([1.0, -0.7, 0.5])
    # f is 0 or 1, so an estimate varies no more than (z − μ) / σ² does
    tolerance = STANDARD_ERRORS * (-0.5 * logvar.double()).exp()[None] / NUM_SAMPLES**0.5
    call = Call((Handle("f"), mu, logvar, NUM_SAMPLES), {"generator": _seed(g)})
    before = (Step("props.Stairs", Call((direction,), keep="f")),)
    return [Probe(call, "f a step, which has no derivative", tolerance, before=before)]


def _exact(f: Any, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    """d/dmu E[f(z)], and how the pathwise estimates spread where there are any."""
    if isinstance(f, props.Sine):
        return _sine_exact(f.frequencies, mu, logvar)
    w, variance = f.direction.double(), logvar.double().exp()
    scale = (w.square() @ variance).sqrt()  # of w · z, so that E[f] = Φ(w·μ / scale)
    density = torch.exp(Normal(0.0, 1.0).log_prob(w @ mu.double() / scale))
    return density * w / scale, torch.zeros_like(w)


def _pathwise_oracle(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    return torch.stack(_exact(f, mu, logvar))


def _score_oracle(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    return _exact(f, mu, logvar)[0][None]


# With a stand-in for reparameterize the codes are N(mu, NOISE_OF_STAND_IN²), narrower than any of the cases ask for:
# so is what the estimates spread, and the tolerances are wide enough.
HELPERS: dict[str, tuple[tuple[str, ...], Gives]] = {
    "reparameterize": (("mu", "logvar", "generator"), "noise")
}


def _stand_in_logvar(logvar: Tensor) -> Tensor:
    return torch.full_like(logvar, 2 * math.log(NOISE_OF_STAND_IN))


def _pathwise_of(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """What the pathwise estimates are like when something else draws the codes."""

    def stacked(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
        return torch.stack(_exact(f, mu, _stand_in_logvar(logvar)))

    return stacked


def _score_of(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """The mean of f(z) (z − μ) / exp(logvar) when something else draws the codes."""

    def mean(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
        # of f(z) (z − μ) it is the variance of the draws times the slope of the average
        return (
            NOISE_OF_STAND_IN**2 * (_exact(f, mu, _stand_in_logvar(logvar))[0] / logvar.double().exp())[None]
        )

    return mean


def _means(estimates: Tensor) -> Tensor:
    return estimates.double().mean(0, keepdim=True)


def _means_and_spreads(estimates: Tensor) -> Tensor:
    return torch.stack([estimates.double().mean(0), estimates.double().std(0)])


def _one_estimate_a_sample(results: list[Any], probes: list[Probe]) -> str:
    for estimates, probe in zip(results, probes, strict=True):
        wanted = (probe.call.args[3], len(probe.call.args[1]))
        if not isinstance(estimates, Tensor) or not estimates.is_floating_point():
            return f"It returned {kind(estimates)}, not a tensor of estimates."
        if estimates.shape != wanted:
            return f"It returned shape {tuple(estimates.shape)}, not {wanted}: one estimate a sample."
        if not bool(estimates.isfinite().all()):
            return "It returned values that are not finite."
        if len(estimates) > 1 and torch.equal(estimates, estimates[:1].expand_as(estimates)):
            return "All estimates are equal, though each sample needs noise of its own."
    return ""


def _estimates_edges(g: Generator) -> list[Probe]:
    mu, logvar = torch.randn(3, generator=g), -torch.rand(3, generator=g)
    before = (Step("props.quadratic", Call((torch.eye(3), torch.zeros(3), 0.0), keep="f")),)

    def probe(a: Tensor, b: Tensor, count: int, **kwargs: Any) -> Probe:
        return Probe(Call((Handle("f"), a, b, count), kwargs or None), "", before=before)

    few = [probe(mu, logvar, 4, generator=Seed(seed)) for seed in (5, 5, 6)]
    return [*few, probe(mu, logvar, 1), probe(mu.double(), logvar.double(), 2), probe(mu, logvar, 4)]


def _edges_of_estimates_hold(results: list[Any], probes: list[Probe]) -> str:
    problem = _one_estimate_a_sample(results, probes)
    if problem:
        return f"With few samples: {problem[0].lower()}{problem[1:]}"
    if not torch.equal(results[0], results[1]):
        return GENERATOR_IGNORED
    if torch.equal(results[0], results[2]) or torch.equal(results[0], results[5]):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _eps(mu: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


def _no_gradient(mu: Tensor, logvar: Tensor, generator: Generator | None = None) -> Tensor:
    with torch.no_grad():
        return sampling.reparameterize(mu, logvar, generator)


REPARAMETERIZE = Check(
    name="reparameterize",
    asks="one code for each row, drawn from N(mu, diag exp(logvar)) so that gradients reach mu and logvar",
    section="reparameterization-trick",
    oracle=_exact_moments,
    parts=(
        Part("distribution", 2, _draws_value, _rows_differ, _moments),
        Part("gradient", 2, _draws_gradient, _gradient_holds),
        Part("noise", 1, _draws_noise, _noise_is_fresh),
        Part("edge cases", 1, _draws_edges, _edges_hold),
    ),
    misconceptions=(
        _m("z-std-is-exp-logvar", "std-is-half-logvar", "exp(logvar) is the variance; σ is exp(½ logvar).",
           lambda mu, logvar, generator=None: mu + logvar.exp() * _eps(mu, generator)),
        _m("z-std-is-logvar", "std-is-half-logvar", "logvar itself is used as the standard deviation.",
           lambda mu, logvar, generator=None: mu + logvar * _eps(mu, generator)),
        _m("z-logvar-is-log-std", "std-is-half-logvar", "logvar is squared on the way: the ½ became a 2.",
           lambda mu, logvar, generator=None: mu + (2 * logvar).exp() * _eps(mu, generator)),
        _m("z-std-inverted", "std-is-half-logvar",
           "the sign in the exponent is turned: large variances draw close codes.",
           lambda mu, logvar, generator=None: mu + (-0.5 * logvar).exp() * _eps(mu, generator)),
        _m("z-std-is-root-of-logvar", "std-is-half-logvar", "the root is taken of logvar, which may be negative.",
           lambda mu, logvar, generator=None: mu + logvar.abs().sqrt() * _eps(mu, generator)),
        _m("z-unit-std", "reparameterization-trick", "the noise is not scaled with σ.",
           lambda mu, logvar, generator=None: mu + _eps(mu, generator)),
        _m("z-is-mu", "reparameterization-trick", "there is no noise: the code is mu itself.",
           lambda mu, logvar, generator=None: mu.clone()),
        _m("z-without-mu", "reparameterization-trick", "mu is left out: that is the noise alone.",
           lambda mu, logvar, generator=None: (0.5 * logvar).exp() * _eps(mu, generator)),
        _m("z-is-prior", "reparameterization-trick", "the code is drawn from the prior, whatever mu and logvar are.",
           lambda mu, logvar, generator=None: _eps(mu, generator)),
        _m("z-uniform-noise", "reparameterization-trick", "the noise is uniform (rand); a Gaussian needs randn.",
           lambda mu, logvar, generator=None:
           mu + (0.5 * logvar).exp() * torch.rand(mu.shape, generator=generator, dtype=mu.dtype)),
        _m("z-uniform-unit-noise", "reparameterization-trick",
           "the noise is uniform, with the right mean and width, but not normal.",
           lambda mu, logvar, generator=None: mu + (0.5 * logvar).exp() * 12**0.5 * (
               torch.rand(mu.shape, generator=generator, dtype=mu.dtype) - 0.5)),
        _m("z-noise-shared-by-rows", "reparameterization-trick", "one noise vector serves all rows.",
           lambda mu, logvar, generator=None:
           mu + (0.5 * logvar).exp() * torch.randn(1, mu.shape[1], generator=generator, dtype=mu.dtype)),
        _m("z-noise-shared-by-latents", "reparameterization-trick",
           "one number serves all latents of a row: they would move together.",
           lambda mu, logvar, generator=None:
           mu + (0.5 * logvar).exp() * torch.randn(len(mu), 1, generator=generator, dtype=mu.dtype)),
        _m("z-noise-times-mu", "reparameterization-trick", "mu is multiplied with the noise instead of added.",
           lambda mu, logvar, generator=None: mu * (0.5 * logvar).exp() * _eps(mu, generator)),
        _m("z-no-grad", "gradient-through-a-sample",
           "the code is drawn in a way that no gradient passes (no_grad, detach, .sample() or torch.normal): the "
           "encoder would learn nothing from the pictures.",
           _no_gradient),
        _m("z-detached-std", "gradient-through-a-sample", "σ is detached, so that nothing tells it to shrink.",
           lambda mu, logvar, generator=None: mu + (0.5 * logvar).exp().detach() * _eps(mu, generator)),
        _m("z-detached-mu", "gradient-through-a-sample", "mu is detached, so that nothing moves it.",
           lambda mu, logvar, generator=None: mu.detach() + (0.5 * logvar).exp() * _eps(mu, generator)),
        _m("z-fixed-seed", "reparameterization-trick", "the noise is seeded inside the function.",
           lambda mu, logvar, generator=None:
           sampling.reparameterize(mu, logvar, torch.Generator().manual_seed(0))),
        _m("z-ignores-generator", "reparameterization-trick", "the generator that is passed in is not used.",
           lambda mu, logvar, generator=None: sampling.reparameterize(mu, logvar)),
        _m("z-eps-in-std", "std-is-half-logvar", "something is added to σ, so that it can never become small.",
           lambda mu, logvar, generator=None: mu + ((0.5 * logvar).exp() + 1e-5) * _eps(mu, generator)),
        _m("z-clamped-logvar", "std-is-half-logvar", "logvar is clamped so early that wide posteriors become narrow.",
           lambda mu, logvar, generator=None:
           mu + (0.5 * logvar.clamp(max=10)).exp() * _eps(mu, generator)),
        _m("z-float32-noise", "reparameterization-trick", "the result does not have the type of mu.",
           lambda mu, logvar, generator=None:
           (mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator)).float()),
    ),
    equivalents=(
        sampling.reparameterize,
        lambda mu, logvar, generator=None: mu + torch.exp(logvar / 2) * _eps(mu, generator),
        lambda mu, logvar, generator=None: mu - torch.exp(logvar).sqrt() * _eps(mu, generator),
        lambda mu, logvar, generator=None: torch.addcmul(mu, logvar.div(2).exp(), _eps(mu, generator)),
        lambda mu, logvar, generator=None: torch.stack([
            m + v.exp() ** 0.5 * torch.randn(len(m), generator=generator, dtype=m.dtype)
            for m, v in zip(mu, logvar, strict=True)]),
    ),
)


def _drawn(
    mu: Tensor, logvar: Tensor, num_samples: int, generator: Generator | None,
    std: Callable[[Tensor], Tensor] = lambda logvar: (0.5 * logvar).exp(),
) -> Tensor:
    noise = torch.randn((num_samples, len(mu)), generator=generator, dtype=mu.dtype)
    return (mu + std(logvar) * noise).detach().requires_grad_(True)


def _pathwise_like(
    change: Callable[[Tensor], Tensor] = lambda gradient: gradient, **std: Callable[[Tensor], Tensor]
) -> Callable[..., Tensor]:
    """A variant that draws with another σ or changes the estimates."""

    def variant(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
        z = _drawn(mu, logvar, num_samples, generator, **std)
        return change(torch.autograd.grad(f(z).sum(), z)[0])

    return variant


def _score_like(
    estimate: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], **std: Callable[[Tensor], Tensor]
) -> Callable[..., Tensor]:
    """A variant from ``estimate(values (N, 1), z, mu, logvar)``."""

    def variant(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
        z = _drawn(mu, logvar, num_samples, generator, **std).detach()
        return estimate(f(z)[:, None], z, mu, logvar)

    return variant


def _at_the_mean(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    z = mu.detach().expand(num_samples, -1).clone().requires_grad_(True)
    return torch.autograd.grad(f(z).sum(), z)[0]


def _wrt_logvar(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    z = _drawn(mu, logvar, num_samples, generator)
    return torch.autograd.grad(f(z).sum(), z)[0] * 0.5 * (z - mu).detach()


def _by_loop(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well: mu is what is differentiated, a copy of it for each sample."""
    means = mu.detach().repeat(num_samples, 1).requires_grad_(True)
    z = means + torch.exp(0.5 * logvar) * torch.randn(num_samples, len(mu), generator=generator, dtype=mu.dtype)
    f(z).sum().backward()
    assert means.grad is not None
    return means.grad


def _by_log_prob(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well: the score comes from autograd."""
    means = mu.detach().repeat(num_samples, 1).requires_grad_(True)
    std = torch.exp(0.5 * logvar)
    z = (means + std * torch.randn(means.shape, generator=generator, dtype=mu.dtype)).detach()
    (score,) = torch.autograd.grad(Normal(means, std).log_prob(z).sum(), means)
    return f(z).detach()[:, None] * score


def _leave_one_out(f: Any, mu: Tensor, logvar: Tensor, num_samples: int, generator: Any = None) -> Tensor:
    """Right as well, and less noisy: what the other samples gave on average is subtracted."""
    z = _drawn(mu, logvar, num_samples, generator).detach()
    values = f(z)
    if num_samples > 1:
        values = values - (values.sum() - values) / (num_samples - 1)
    return values[:, None] * (z - mu) / logvar.exp()


PATHWISE = Check(
    name="pathwise_gradient",
    asks="one estimate of d/dmu E[f(z)] for each sample, through the derivative of f",
    section="pathwise-estimator",
    oracle=_pathwise_oracle,
    parts=(
        Part("estimates", 3, _pathwise_value, _one_estimate_a_sample, _means_and_spreads),
        Part("edge cases", 1, _estimates_edges, _edges_of_estimates_hold),
    ),
    misconceptions=(
        _m("pathwise-std-is-exp-logvar", "std-is-half-logvar",
           "the samples are drawn with exp(logvar), the variance, for σ.",
           _pathwise_like(std=torch.exp)),
        _m("pathwise-std-is-logvar", "std-is-half-logvar", "the samples are drawn with logvar itself for σ.",
           _pathwise_like(std=lambda logvar: logvar)),
        _m("pathwise-unit-std", "pathwise-estimator",
           "the samples are drawn with σ = 1.", _pathwise_like(std=torch.ones_like)),
        _m("pathwise-at-the-mean", "pathwise-estimator",
           "the gradient is taken at mu; it belongs to samples.", _at_the_mean),
        _m("pathwise-averaged", "pathwise-estimator", "the samples are averaged; return one estimate for each.",
           _pathwise_like(lambda gradient: gradient.mean(0))),
        _m("pathwise-divided-by-n", "pathwise-estimator",
           "f is averaged before it is differentiated, so that each estimate is divided by the number of samples.",
           _pathwise_like(lambda gradient: gradient / len(gradient))),
        _m("pathwise-summed", "pathwise-estimator", "every row holds the sum over all samples.",
           _pathwise_like(lambda gradient: gradient.sum(0).expand_as(gradient))),
        _m("pathwise-mean-repeated", "pathwise-estimator", "every row holds the mean of all samples.",
           _pathwise_like(lambda gradient: gradient.mean(0).expand_as(gradient))),
        _m("pathwise-sign", "pathwise-estimator", "the sign is turned.", _pathwise_like(lambda gradient: -gradient)),
        _m("pathwise-wrt-logvar", "pathwise-estimator", "that is the derivative with respect to logvar.", _wrt_logvar),
        _m("pathwise-is-score", "score-function-estimator",
           "that is the score function estimator: right on average, but much noisier.", _by_log_prob),
        _m("pathwise-divided-by-std", "pathwise-estimator", "the gradient is divided by σ; dz/dmu is 1.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.pathwise_gradient(f, mu, logvar, num_samples, generator) / (0.5 * logvar).exp()),
        _m("pathwise-times-std", "pathwise-estimator",
           "the gradient is multiplied by σ; that belongs to the derivative with respect to σ, while dz/dmu is 1.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.pathwise_gradient(f, mu, logvar, num_samples, generator) * (0.5 * logvar).exp()),
        _m("pathwise-returns-values", "pathwise-estimator", "those are values of f; its derivatives are asked for.",
           lambda f, mu, logvar, num_samples, generator=None: f(_drawn(mu, logvar, num_samples, generator))),
        _m("pathwise-ignores-generator", "pathwise-estimator", "the generator that is passed in is not used.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.pathwise_gradient(f, mu, logvar, num_samples)),
        _m("pathwise-fixed-seed", "pathwise-estimator", "the noise is seeded inside the function.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.pathwise_gradient(f, mu, logvar, num_samples, torch.Generator().manual_seed(0))),
    ),
    equivalents=(
        sampling.pathwise_gradient,
        _by_loop,
        _pathwise_like(),
        lambda f, mu, logvar, num_samples, generator=None: torch.func.vmap(torch.func.grad(
            lambda z: f(z[None])[0]))(_drawn(mu, logvar, num_samples, generator).detach()),
    ),
    helpers=HELPERS,
    of_helpers=_pathwise_of,
)

SCORE = Check(
    name="score_function_gradient",
    asks="one estimate of d/dmu E[f(z)] for each sample, from values of f alone",
    section="score-function-estimator",
    oracle=_score_oracle,
    parts=(
        Part("estimates", 3, _score_value, _one_estimate_a_sample, _means),
        Part("any f", 2, _stairs, _one_estimate_a_sample, _means),
        Part("edge cases", 1, _estimates_edges, _edges_of_estimates_hold),
    ),
    misconceptions=(
        _m("score-without-variance", "score-function-estimator", "the score is (z − mu) / σ²; σ² is missing.",
           _score_like(lambda values, z, mu, logvar: values * (z - mu))),
        _m("score-divided-by-std", "score-function-estimator", "the score is divided by σ instead of σ².",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) / (0.5 * logvar).exp())),
        _m("score-times-variance", "score-function-estimator", "the score is multiplied by σ² instead of divided.",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) * logvar.exp())),
        _m("score-divided-by-logvar", "std-is-half-logvar", "the score is divided by logvar instead of exp(logvar).",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) / logvar)),
        _m("score-sign", "score-function-estimator", "the sign is turned: the score is (z − mu) / σ².",
           _score_like(lambda values, z, mu, logvar: values * (mu - z) / logvar.exp())),
        _m("score-without-f", "score-function-estimator", "the values of f are left out: that is the score alone.",
           _score_like(lambda values, z, mu, logvar: (z - mu) / logvar.exp())),
        _m("score-times-log-prob", "score-function-estimator",
           "f is multiplied with log q itself; its derivative with respect to mu belongs there.",
           _score_like(lambda values, z, mu, logvar:
                       values * (-0.5 * (z - mu).square() / logvar.exp() - 0.5 * logvar))),
        _m("score-averaged", "score-function-estimator", "the samples are averaged; return one estimate for each.",
           _score_like(lambda values, z, mu, logvar: (values * (z - mu) / logvar.exp()).mean(0))),
        _m("score-mean-repeated", "score-function-estimator", "every row holds the mean of all samples.",
           _score_like(lambda values, z, mu, logvar: (values * (z - mu) / logvar.exp()).mean(0).expand_as(z))),
        _m("score-divided-by-n", "score-function-estimator", "each estimate is divided by the number of samples.",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) / logvar.exp() / len(z))),
        _m("score-of-z", "score-function-estimator", "mu is left out of the score, which is (z − mu) / σ².",
           _score_like(lambda values, z, mu, logvar: values * z / logvar.exp())),
        _m("score-std-is-exp-logvar", "std-is-half-logvar",
           "the samples are drawn with exp(logvar), the variance, for σ.",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) / logvar.exp(), std=torch.exp)),
        _m("score-unit-std", "score-function-estimator", "the samples are drawn with σ = 1.",
           _score_like(lambda values, z, mu, logvar: values * (z - mu) / logvar.exp(), std=torch.ones_like)),
        _m("score-mean-of-f", "score-function-estimator",
           "one mean value of f serves all samples: each sample has to be weighted with its own.",
           _score_like(lambda values, z, mu, logvar: values.mean() * (z - mu) / logvar.exp())),
        _m("score-is-pathwise", "pathwise-estimator",
           "f is differentiated: that is the pathwise estimator, and not every f has a derivative.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.pathwise_gradient(f, mu, logvar, num_samples, generator)),
        _m("score-ignores-generator", "score-function-estimator", "the generator that is passed in is not used.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.score_function_gradient(f, mu, logvar, num_samples)),
        _m("score-fixed-seed", "score-function-estimator", "the noise is seeded inside the function.",
           lambda f, mu, logvar, num_samples, generator=None:
           sampling.score_function_gradient(f, mu, logvar, num_samples, torch.Generator().manual_seed(0))),
    ),
    equivalents=(
        sampling.score_function_gradient,
        _by_log_prob,
        _leave_one_out,
        _score_like(lambda values, z, mu, logvar: values * (z - mu) * (-logvar).exp()),
    ),
    helpers=HELPERS,
    of_helpers=_score_of,
)

CHECKS = (REPARAMETERIZE, GRADIENT_AFTER_DETACH, PATHWISE, SCORE, VARIANCE_RATIO, DRAW_EXPONENTIAL)

"""The check of ``draw_exponential``.

Asked for: draws of an exponential distribution that are differentiable in its rate. If z has rate λ, exp(−λz) is
uniform between 0 and 1; so draws are judged by means of such bounded numbers, which may be 7.5 standard errors away:
each of the six goes beyond in less than one of 10¹² runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Exponential

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Seed
from autograder.judge.comparing import GENERATOR_IGNORED, difference, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe

NUM_ROWS = 4096
LIMIT = 7.5  # standard errors
RANDOM = torch.zeros(())  # says that results depend on noise; nothing is compared with it


def _seed(g: Generator) -> Seed:
    return Seed(int(torch.randint(2**31, (), generator=g)))


def _rates(g: Generator, *shape: int) -> Tensor:
    """Away from 1, where multiplying and dividing are the same."""
    rate = torch.rand(shape, generator=g)
    return torch.where(torch.rand(shape, generator=g) < 0.5, 0.2 + 0.4 * rate, 2 + 2 * rate)


def _well_formed(z: Any, rate: Tensor, label: str) -> str:
    if not isinstance(z, Tensor):
        return f"{label}, draw_exponential returned {kind(z)}, not a tensor."
    if z.shape != rate.shape:
        return f"{label}, draw_exponential returned shape {tuple(z.shape)}, not {tuple(rate.shape)}."
    if z.dtype != rate.dtype:
        return f"{label}, draw_exponential returned {z.dtype}, not {rate.dtype}."
    return f"{label}, draw_exponential returned NaN." if bool(z.isnan().any()) else ""


def _draws(g: Generator) -> list[Probe]:
    rate = torch.tensor([0.3, 3.0])[torch.randperm(2, generator=g)] * (1 + 0.2 * torch.rand(2, generator=g))
    call = Call((rate.expand(NUM_ROWS, -1),), {"generator": _seed(g)})
    return [Probe(call, f"With {NUM_ROWS} equal rows of 2 rates", RANDOM)]


def _draws_hold(results: list[Any], probes: list[Probe]) -> str:
    z, rate = results[0], probes[0].call.args[0]
    problem = _well_formed(z, rate, probes[0].label)
    if problem:
        return problem
    if float(z.max()) <= 0:
        return "All draws are negative or 0; an exponential variable is positive."
    if float(z.min()) < 0:
        return "Some draws are negative; an exponential variable is positive."
    if torch.equal(z, z[:1].expand_as(z)):
        return "All rows got the same draw, though each needs noise of its own."
    u = torch.exp(-rate.double() * z.double())  # uniform, if all is right
    error = LIMIT / NUM_ROWS**0.5
    means = u.mean(0)
    if float((means - 0.5).abs().max()) > error / 12**0.5:
        sizes = ", ".join(f"{float(mean):.3g}" for mean in z.double().mean(0))
        wanted = ", ".join(f"{1 / float(r):.3g}" for r in rate[0])
        return f"Draws of these rates have the means {sizes}; they should have {wanted}, the reciprocals of the rates."
    if float(torch.cos(2 * math.pi * u).mean(0).abs().max()) > error / 2**0.5:
        return "The draws have the right size, but their distribution is not exponential."
    unit = (u - 0.5) * 12**0.5
    if (
        abs(float((unit[:, 0] * unit[:, 1]).mean())) > error
        or abs(float((unit * unit.roll(1, 0)).mean())) > error
    ):
        return "The draws of a row depend on each other: each needs noise of its own."
    return ""


def _gradient(g: Generator) -> list[Probe]:
    rate, cotangent, noise = _rates(g, 5, 3), torch.rand(5, 3, generator=g) + 0.5, {"generator": _seed(g)}
    return [Probe(Call((rate,), noise), "", RANDOM), Probe(Call((rate,), noise, (0,), cotangent), "", RANDOM)]


def _gradient_holds(results: list[Any], probes: list[Probe]) -> str:
    z, gradients = results
    rate, cotangent = probes[1].call.args[0], probes[1].call.cotangent
    assert cotangent is not None  # as it was drawn
    # z = −log(1 − u) / λ, so dz/dλ = −z/λ
    wanted = -cotangent * z / rate
    if difference(gradients[0], wanted, 1e-3 * wanted.abs() + 1e-5) is None:
        return ""
    if not bool(gradients[0].any()):
        return "No gradient reaches the rate: the draw is cut off from it."
    return "The gradient with respect to the rate is not that of a draw with fixed noise, −z / rate."


def _noise(g: Generator) -> list[Probe]:
    rate = torch.full((6, 2), 1.5)
    given = [Probe(Call((rate,), {"generator": Seed(seed)}), "", RANDOM) for seed in (5, 5, 6)]
    return [*given, Probe(Call((rate,)), "", RANDOM), Probe(Call((rate,)), "", RANDOM)]


def _noise_is_fresh(results: list[Any], _: list[Probe]) -> str:
    same, again, other, free, free_again = results
    if not torch.equal(same, again):
        return GENERATOR_IGNORED
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


def _edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_rates(g, *shape).to(dtype),), {"generator": _seed(g)}), f"With {label}", RANDOM)
        for shape, dtype, label in (
            ((1, 4), torch.float32, "a single row"),
            ((3, 1), torch.float32, "a single column"),
            ((3, 2), torch.float64, "float64 rates"),
        )
    ]


def _edges_hold(results: list[Any], probes: list[Probe]) -> str:
    for z, probe in zip(results, probes, strict=True):
        problem = _well_formed(z, probe.call.args[0], probe.label)
        if problem:
            return problem
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _uniform(rate: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(rate.shape, generator=generator, dtype=rate.dtype)


def _like(
    make: Callable[[Tensor, Tensor], Tensor], noise: Callable[..., Tensor] = _uniform
) -> Callable[..., Tensor]:
    """A variant from ``make(rate, u)``."""
    return lambda rate, generator=None: make(rate, noise(rate, generator))


def _right(rate: Tensor, u: Tensor) -> Tensor:
    return -torch.log1p(-u) / rate


def _no_gradient(rate: Tensor, generator: Generator | None = None) -> Tensor:
    with torch.no_grad():
        return _right(rate, _uniform(rate, generator))


def _shared(rate: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(1, rate.shape[1], generator=generator, dtype=rate.dtype).expand_as(rate)


DRAW_EXPONENTIAL = Check(
    name="draw_exponential",
    asks="a draw for each rate, from uniform noise through the inverse of the distribution function",
    section="inverse-cdf",
    oracle=None,
    parts=(
        Part("distribution", 2, _draws, _draws_hold),
        Part("gradient", 2, _gradient, _gradient_holds),
        Part("noise", 1, _noise, _noise_is_fresh),
        Part("edge cases", 1, _edges, _edges_hold),
    ),
    misconceptions=(
        _m("exponential-times-rate", "inverse-cdf",
           "the rate multiplies; a high rate means short times, so it divides.",
           _like(lambda rate, u: -torch.log1p(-u) * rate)),
        _m("exponential-negative", "inverse-cdf",
           "the minus is missing: the logarithm of a number below 1 is negative.",
           _like(lambda rate, u: torch.log1p(-u) / rate)),
        _m("exponential-without-rate", "inverse-cdf", "the rate is not used: that is a draw with rate 1.",
           _like(lambda rate, u: -torch.log1p(-u) + 0 * rate)),
        _m("exponential-not-inverted", "inverse-cdf",
           "that is the distribution function itself, 1 − exp(−rate · u); its inverse is meant.",
           _like(lambda rate, u: 1 - torch.exp(-rate * u))),
        _m("exponential-density", "inverse-cdf", "that is the density at a random place; draws are asked for.",
           _like(lambda rate, u: rate * torch.exp(-rate * u))),
        _m("exponential-uniform", "inverse-cdf", "the draws are uniform, with the right mean.",
           _like(lambda rate, u: 2 * u / rate)),
        _m("exponential-of-normal", "inverse-cdf",
           "the noise is normal (randn); the inverse wants uniform noise (rand).",
           _like(lambda rate, u: u.abs() / rate, lambda rate, generator: torch.randn(
               rate.shape, generator=generator, dtype=rate.dtype))),
        _m("exponential-log-two", "inverse-cdf", "the logarithm is to base 2; the natural one is meant.",
           _like(lambda rate, u: -torch.log2(1 - u) / rate)),
        _m("exponential-log-ten", "inverse-cdf", "the logarithm is to base 10; the natural one is meant.",
           _like(lambda rate, u: -torch.log10(1 - u) / rate)),
        _m("exponential-shared-noise", "inverse-cdf", "one row of noise serves all rows.", _like(_right, _shared)),
        _m("exponential-detached", "gradient-through-a-sample",
           "the draw is made with .sample(), or under no_grad: no gradient reaches the rate.", _no_gradient),
        _m("exponential-fixed-seed", "inverse-cdf", "the noise is seeded inside the function.",
           lambda rate, generator=None: _right(rate, _uniform(rate, torch.Generator().manual_seed(0)))),
        _m("exponential-ignores-generator", "inverse-cdf", "the generator that is passed in is not used.",
           lambda rate, generator=None: _right(rate, _uniform(rate, None))),
        _m("exponential-float32-noise", "inverse-cdf", "the result does not have the type of the rate.",
           lambda rate, generator=None: _right(rate, torch.rand(rate.shape, generator=generator)).float()),
    ),
    equivalents=(
        _like(_right),
        _like(lambda rate, u: -torch.log(1 - u) / rate),
        _like(lambda rate, u: -(u.clamp(min=1e-12)).log() / rate),
        lambda rate, generator=None: torch.empty_like(rate).exponential_(generator=generator) / rate,
        lambda rate, generator=None: Exponential(rate).icdf(_uniform(rate, generator)),
    ),
)

"""The check of ``log_aggregated_posterior``: the log density of codes under the mean of all posteriors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from autograder.both_sides.target import Call
from autograder.checks.generation import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import generation
from vae_ref.bound import log_normal


def _mixture(mu: Tensor, logvar: Tensor) -> MixtureSameFamily:
    posteriors = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(mu), dtype=mu.dtype)), posteriors)


def _oracle(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return _mixture(mu, logvar).log_prob(z)


def _posteriors(g: Generator, num_images: int, dims: int) -> tuple[Tensor, Tensor]:
    """Some that overlap and some that do not, of different widths, around a mean that is not 0."""
    mu = 1.2 * torch.randn(num_images, dims, generator=g) + 0.7
    return mu, 0.8 * torch.randn(num_images, dims, generator=g) - 0.6


def _value(g: Generator) -> list[Probe]:
    probes = []
    for num_codes, num_images, dims in ((5, 5, 3), (4, 9, 2), (7, 3, 4)):
        z = torch.randn(num_codes, dims, generator=g) + 0.5
        label = f"{num_codes} codes of {dims} numbers and {num_images} images"
        probes.append(Probe(Call((z, *_posteriors(g, num_images, dims))), label))
    return probes


def _far_away(g: Generator) -> list[Probe]:
    mu, logvar = _posteriors(g, 6, 4)
    narrow = torch.full((6, 4), -9.0)
    return [
        Probe(
            Call((torch.randn(3, 4, generator=g) + 60, mu, logvar.clamp(max=0))), "codes far from all images"
        ),
        Probe(Call((mu[:3] + 0.02, mu, narrow)), "posteriors as narrow as those of a good encoder"),
    ]


def _stay_finite(results: list[Any], probes: list[Probe]) -> str:
    for got, probe in zip(results, probes, strict=True):
        if isinstance(got, Tensor) and not bool(got.isfinite().all()):
            return f"With {probe.label}, there are values that are not finite: what is exp(−2000) in floating point?"
    return ""


def _edges(g: Generator) -> list[Probe]:
    z, (mu, logvar) = torch.randn(4, 3, generator=g), _posteriors(g, 5, 3)
    return [
        Probe(Call((z, mu[:1], logvar[:1])), "a single image"),
        Probe(Call((z[:1], mu, logvar)), "a single code"),
        Probe(Call((z[:, :1], mu[:, :1], logvar[:, :1])), "codes of one number"),
        Probe(Call((z, mu[:1].expand(5, -1), logvar[:1].expand(5, -1))), "equal posteriors"),
        Probe(Call((z.double(), mu.double(), logvar.double())), "float64"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _pairs(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(zᵢ; muₙ, exp(logvarₙ)) of all pairs, number by number, (B, N, L)."""
    return -0.5 * (math.log(2 * math.pi) + logvar + (z[:, None] - mu).square() / logvar.exp())


def _like(combine: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """A variant that combines the log densities of all pairs, (B, N)."""
    return lambda z, mu, logvar: combine(_pairs(z, mu, logvar).sum(-1))


def _one_gaussian(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    mean, variance = mu.mean(0), mu.var(0, unbiased=False) + logvar.exp().mean(0)
    return log_normal(z, mean.expand_as(z), variance.log().expand_as(z))


def _mean_parameters(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return log_normal(z, mu.mean(0).expand_as(z), logvar.mean(0).expand_as(z))


def _latents_apart(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    return (torch.logsumexp(_pairs(z, mu, logvar), 1) - math.log(len(mu))).sum(-1)


def _row_by_row(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Right as well: codes one after the other."""
    return torch.stack([
        torch.logsumexp(log_normal(code.expand_as(mu), mu, logvar) - math.log(len(mu)), 0) for code in z])


def _from_the_largest(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Right as well: the largest is taken out of the sum by hand."""
    pairs = _pairs(z, mu, logvar).sum(-1)
    largest = pairs.amax(1)
    return largest + (pairs - largest[:, None]).exp().mean(1).log()


def _by_addition(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Right as well: one posterior after the other."""
    total = torch.full(z.shape[:1], -math.inf, dtype=z.dtype)
    for mean, spread in zip(mu, logvar, strict=True):
        total = torch.logaddexp(total, log_normal(z, mean.expand_as(z), spread.expand_as(z)))
    return total - math.log(len(mu))


LOG_AGGREGATED_POSTERIOR = Check(
    name="log_aggregated_posterior",
    asks="the log density of codes under the mean of the posteriors of all images",
    section="aggregated-posterior",
    oracle=_oracle,
    parts=(
        Part("value", 3, _value),
        Part("far away", 1, _far_away, _stay_finite, shared.itself),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("aggregate-without-log-n", "aggregated-posterior",
           "the densities are added up and not averaged: − log N is missing.",
           _like(lambda pairs: torch.logsumexp(pairs, 1))),
        _m("aggregate-mean-of-logs", "aggregated-posterior",
           "the logs are averaged; average the densities, and take the log then.",
           _like(lambda pairs: pairs.mean(1))),
        _m("aggregate-wrong-axis", "aggregated-posterior",
           "the mean runs over the codes, so that there is a number for each image; average over the images.",
           _like(lambda pairs: torch.logsumexp(pairs, 0) - math.log(len(pairs)))),
        _m("aggregate-is-prior", "aggregated-posterior", "this is the prior N(0, I), which the images have no part in.",
           lambda z, mu, logvar: log_normal(z, torch.zeros_like(z), torch.zeros_like(z))),
        _m("aggregate-one-gaussian", "aggregated-posterior",
           "this is one Gaussian with the mean and the variances of all codes; a mixture of many bumps is none.",
           _one_gaussian),
        _m("aggregate-mean-parameters", "aggregated-posterior",
           "means and log variances are averaged into one Gaussian; average the densities of all N.",
           _mean_parameters),
        _m("aggregate-own-posterior", "aggregated-posterior",
           "each code meets the posterior of one image only; average over all images.",
           lambda z, mu, logvar: log_normal(z, mu, logvar)),
        _m("aggregate-latents-apart", "aggregated-posterior",
           "each latent is mixed by itself; the numbers of a code belong together: sum over them first.",
           _latents_apart),
        _m("aggregate-density", "aggregated-posterior", "this is the density; its log is asked for.",
           _like(lambda pairs: pairs.exp().mean(1))),
        _m("aggregate-nearest", "aggregated-posterior", "only the likeliest image is counted; average over all.",
           _like(lambda pairs: pairs.amax(1))),
        _m("aggregate-one-number", "aggregated-posterior", "the codes are averaged as well; return a number for each.",
           _like(lambda pairs: (torch.logsumexp(pairs, 1) - math.log(pairs.shape[1])).mean())),
        _m("aggregate-underflow", "log-mean-exp",
           "far from all images exp underflows to 0, whose log is −∞; logsumexp does the same sum safely.",
           _like(lambda pairs: pairs.exp().mean(1).log())),
    ),
    equivalents=(
        generation.log_aggregated_posterior,
        _like(lambda pairs: torch.logsumexp(pairs, 1) - math.log(pairs.shape[1])),
        _oracle,
        _row_by_row,
        _from_the_largest,
        _by_addition,
    ),
)

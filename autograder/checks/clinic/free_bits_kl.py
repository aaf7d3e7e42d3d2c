"""The check of ``free_bits_kl``: the KL of a batch in which no latent counts as less than a floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl

from autograder.both_sides.target import Call
from autograder.checks.clinic.shared import between
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import bound, clinic


def _of_each(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL of each latent of each image, (B, L)."""
    return exact_kl(Normal(mu, torch.exp(0.5 * logvar)), Normal(torch.zeros_like(mu), torch.ones_like(mu)))


def _oracle(mu: Tensor, logvar: Tensor, floor: float) -> Tensor:
    means = _of_each(mu, logvar).mean(0)
    return torch.where(means > floor, means, torch.full_like(means, floor)).sum()


def _codes(g: Generator, batch: int, latent_dim: int, loudness: float = 1.0) -> tuple[Tensor, Tensor]:
    """Latents from nearly silent to talkative, and images from quiet to loud, so that means differ from sums."""
    latents = loudness * torch.linspace(0.03, 1.8, latent_dim)[torch.randperm(latent_dim, generator=g)]
    rows = torch.linspace(0.2, 1.6, batch)[:, None]
    mu = rows * latents * (1 + 0.3 * torch.rand(batch, latent_dim, generator=g))
    logvar = -0.7 * latents * (1 + torch.rand(batch, latent_dim, generator=g))
    return mu, logvar


def _value(g: Generator) -> list[Probe]:
    probes = []
    # the last two say less in all than their floors together, and than one of them
    for batch, latent_dim, low, high, loudness in (
        (7, 5, 0.2, 0.4, 1.0), (4, 6, 0.05, 0.15, 1.0), (9, 5, 0.4, 0.5, 0.5), (5, 3, 0.5, 0.8, 0.2),
    ):  # fmt: skip
        floor = round(between(g, low, high), 3)
        label = f"{batch} images, {latent_dim} latents and a floor of {floor}"
        probes.append(Probe(Call((*_codes(g, batch, latent_dim, loudness), floor)), label))
    return probes


def _edges(g: Generator) -> list[Probe]:
    mu, logvar = _codes(g, 6, 4)
    return [
        Probe(Call((mu, logvar, 0.0)), "no floor"),
        Probe(Call((mu, logvar, 50.0)), "a floor above everything"),
        Probe(Call((torch.zeros(5, 3), torch.zeros(5, 3), 0.25)), "a silent code"),
        Probe(Call((mu[:1], logvar[:1], 0.3)), "a single image"),
        Probe(Call((mu[:, :1], logvar[:, :1], 0.2)), "a single latent"),
        Probe(Call((mu.double(), logvar.double(), 0.3)), "float64 codes"),
    ]


def _gradients(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((*_codes(g, batch, latent_dim), floor), wrt=(0, 1), cotangent=torch.tensor(1.3)),
            f"{batch} images, {latent_dim} latents, a floor of {floor} and the result differentiated",
        )
        for batch, latent_dim, floor in ((6, 5, 0.3), (3, 4, 0.1))
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1)  # (B, L)



def _like(reduce: Callable[[Tensor, float], Any]) -> Callable[..., Any]:
    return lambda mu, logvar, floor: reduce(_kl(mu, logvar), floor)



FREE_BITS_KL = Check(
    name="free_bits_kl",
    asks="the sum over latents of the mean KL of each, or of the floor where that is more",
    section="free-bits",
    oracle=_oracle,
    parts=(
        Part("value", 3, _value),
        Part("edge cases", 1, _edges),
        Part("gradient", 1, _gradients),
    ),
    misconceptions=(
        _m("free-bits-per-image", "free-bits",
           "the floor is applied to each image; it is for a latent's mean over the batch.",
           _like(lambda kl, floor: kl.clamp(min=floor).mean(0).sum())),
        _m("free-bits-on-the-total", "free-bits",
           "the floor is applied to the sum over latents; each latent has its own.",
           _like(lambda kl, floor: kl.mean(0).sum().clamp(min=floor))),
        _m("free-bits-shared", "free-bits",
           "L floors are applied to the sum: then one talkative latent makes all others free.",
           _like(lambda kl, floor: kl.mean(0).sum().clamp(min=floor * kl.shape[1]))),
        _m("free-bits-ceiling", "free-bits", "the smaller of KL and floor is taken: a ceiling, not a floor.",
           _like(lambda kl, floor: kl.mean(0).clamp(max=floor).sum())),
        _m("free-bits-subtracted", "free-bits",
           "the floor is subtracted, and what is left counted; the gradient is the same, the number is not.",
           _like(lambda kl, floor: (kl.mean(0) - floor).clamp(min=0).sum())),
        _m("free-bits-added", "free-bits", "the floor is added to every latent.",
           _like(lambda kl, floor: (kl.mean(0) + floor).sum())),
        _m("free-bits-averaged", "free-bits", "the latents are averaged; sum them.",
           _like(lambda kl, floor: kl.mean(0).clamp(min=floor).mean())),
        _m("free-bits-summed-over-images", "free-bits", "the images are summed; take their mean.",
           _like(lambda kl, floor: kl.sum(0).clamp(min=floor).sum())),
        _m("free-bits-over-latents", "free-bits",
           "the mean is taken over latents and the floor applied to images: the axes are exchanged.",
           _like(lambda kl, floor: kl.mean(1).clamp(min=floor).sum())),
        _m("free-bits-without-floor", "free-bits", "the floor has no effect.",
           _like(lambda kl, floor: kl.mean(0).sum())),
        _m("free-bits-for-each", "free-bits", "one number for each latent is returned; sum them.",
           _like(lambda kl, floor: kl.mean(0).clamp(min=floor))),
        _m("free-bits-silenced", "free-bits",
           "latents below the floor count as 0; they count as the floor.",
           _like(lambda kl, floor: torch.where(kl.mean(0) > floor, kl.mean(0), 0.0).sum())),
        _m("free-bits-detached", "free-bits", "the result is cut off: no gradient reaches mu and logvar.",
           lambda mu, logvar, floor: torch.tensor(float(clinic.free_bits_kl(mu, logvar, floor)), dtype=mu.dtype)),
    ),
    equivalents=(
        clinic.free_bits_kl,
        _like(lambda kl, floor: torch.maximum(kl.mean(0), torch.tensor(floor, dtype=kl.dtype)).sum()),
        _like(lambda kl, floor: floor * kl.shape[1] + (kl.mean(0) - floor).relu().sum()),
        lambda mu, logvar, floor: sum(
            bound.kl_divergence(m[:, None], v[:, None]).mean().clamp(min=floor)
            for m, v in zip(mu.T, logvar.T, strict=True)),
        lambda mu, logvar, floor: _of_each(mu, logvar).mean(0).clamp_min(floor).sum(),
    ),
)

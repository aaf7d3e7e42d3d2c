"""The check of ``generate``: pictures of codes drawn from the prior N(0, I)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.generation import shared
from autograder.judge.comparing import STANDARD_ERRORS, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import generation

NUM_IMAGES = 8192

FLOOR = 1e-4  # of every tolerance: codes are read back from float32 pixels


def _moments(images: Tensor) -> Tensor:
    """Of the codes that the pictures show, (L, 5): means of z, z², cos 2z, of neighbouring latents and rows."""
    z = torch.logit(images[:, 0, 0].double().clamp(1e-7, 1 - 1e-7))
    terms = (z, z.square(), torch.cos(2 * z), z * z.roll(1, 1), z * z.roll(1, 0))
    return torch.stack([term.mean(0) for term in terms], dim=1)


def _generate_oracle(model: Any, num_images: int, generator: Any = None) -> Tensor:
    return torch.tensor([0, 1, math.exp(-2), 0, 0], dtype=torch.float64).repeat(model.latent_dim, 1)


def _generate_value(g: Generator) -> list[Probe]:
    # Var cos 2z = ½ (1 + E cos 4z) − (E cos 2z)²
    variances = torch.tensor([1, 2, 0.5 * (1 + math.exp(-8)) - math.exp(-4), 1, 1], dtype=torch.float64)
    tolerance = STANDARD_ERRORS * (variances / NUM_IMAGES).sqrt() + FLOOR
    return [
        Probe(
            Call((Handle("model"), NUM_IMAGES), {"generator": Seed(shared.integer(g))}),
            f"codes read back from {NUM_IMAGES} images (means of z, z² and cos 2z)",
            tolerance.repeat(latent_dim, 1),
            before=(Step("toys.Readable", Call((latent_dim, shared.integer(g)), keep="model")),),
        )
        for latent_dim in (3, 5)
    ]


def _are_pictures(results: list[Any], probes: list[Probe]) -> str:
    for images, probe in zip(results, probes, strict=True):
        size = probe.before[0].call.args[0]
        wanted = (probe.call.args[1], 3, size, size)
        if not isinstance(images, Tensor) or not images.is_floating_point():
            got = str(images.dtype) if isinstance(images, Tensor) else kind(images)
            return f"generate returned {got}, not a tensor of images in [0, 1]."
        if images.shape != wanted:
            return (
                f"Asked for {wanted[0]} images, generate returned shape {tuple(images.shape)}, not {wanted}."
            )
        if not bool(((images >= 0) & (images <= 1)).all()):
            return "generate returned pixels outside [0, 1]."
    return ""


def _generate_noise(g: Generator) -> list[Probe]:
    before = (Step("toys.Readable", Call((4, shared.integer(g)), keep="model")),)
    seed = shared.integer(g)
    seeds = ({"generator": Seed(s)} for s in (seed, seed, seed ^ 1))
    return [Probe(Call((Handle("model"), 3), kwargs), "", before=before) for kwargs in (*seeds, None, None)]


def _noise_is_fresh(results: list[Any], probes: list[Probe]) -> str:
    problem = _are_pictures(results, probes)
    if problem:
        return problem
    same, again, other, free, free_again = results
    if not torch.equal(same, again):
        return "Two calls with equally seeded generators differ: draw all codes from the generator you are given."
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise gave the same pictures: draw new codes in each call."
    return ""


def _generate_edges(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((Handle("model"), count), kwargs),
            "",
            before=(Step("toys.Readable", Call((latent_dim, shared.integer(g)), keep="model")),),
        )
        for count, latent_dim, kwargs in ((1, 4, {"generator": Seed(3)}), (1, 3, None), (5, 1, None))
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _generate_with(codes: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A variant that decodes ``codes(num_images, L, generator)``."""
    return lambda model, num_images, generator=None: model.decode(codes(num_images, model.latent_dim, generator))



def _normal(num_images: int, dims: int, generator: Generator | None) -> Tensor:
    return torch.randn(num_images, dims, generator=generator)



def _noise_images(num_images: int, generator: Generator | None) -> Tensor:
    return torch.rand(num_images, *shared.IMAGES, generator=generator)



def _ignoring(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    return generation.generate(model, num_images)



def _seeded(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    return generation.generate(model, num_images, torch.Generator().manual_seed(0))



def _one_by_one(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    """Right as well: one code at a time, all decoded together."""
    return model.decode(torch.stack([
        torch.randn(model.latent_dim, generator=generator) for _ in range(num_images)]))



GENERATE = Check(
    name="generate",
    asks="pictures of codes drawn from the prior N(0, I)",
    section="generation-from-the-prior",
    oracle=_generate_oracle,
    parts=(
        Part("distribution", 2, _generate_value, _are_pictures, _moments),
        Part("noise", 1, _generate_noise, _noise_is_fresh),
        Part("edge cases", 1, _generate_edges, _are_pictures),
    ),
    misconceptions=(
        _m("generate-uniform", "generation-from-the-prior",
           "the codes are uniform in [0, 1] (rand); the prior is normal.",
           _generate_with(lambda n, dims, generator: torch.rand(n, dims, generator=generator))),
        _m("generate-uniform-both-signs", "generation-from-the-prior",
           "the codes are uniform in [−1, 1]; the prior is normal.",
           _generate_with(lambda n, dims, generator: 2 * torch.rand(n, dims, generator=generator) - 1)),
        _m("generate-encodes-noise", "generation-from-the-prior",
           "random pixels go through the encoder, which has no part in this; draw the codes themselves.",
           lambda model, num_images, generator=None:
           model.decode(model.encode(_noise_images(num_images, generator))[0])),
        _m("generate-forward-noise", "generation-from-the-prior",
           "random pixels go through the whole model: that reconstructs noise.",
           lambda model, num_images, generator=None:
           model(_noise_images(num_images, generator), generator)[0]),
        _m("generate-sigma", "generation-from-the-prior",
           "the codes are scaled with model.sigma, which is the noise of a pixel and not of a code.",
           lambda model, num_images, generator=None:
           model.decode(model.sigma * _normal(num_images, model.latent_dim, generator))),
        _m("generate-too-wide", "generation-from-the-prior", "the codes are drawn with σ = 2 instead of 1.",
           _generate_with(lambda n, dims, generator: 2 * _normal(n, dims, generator))),
        _m("generate-zeros", "generation-from-the-prior",
           "all codes are zero: that is the middle of the prior, always the same picture.",
           _generate_with(lambda n, dims, generator: torch.zeros(n, dims))),
        _m("generate-ones", "generation-from-the-prior", "all codes are one: nothing is drawn.",
           _generate_with(lambda n, dims, generator: torch.ones(n, dims))),
        _m("generate-one-code", "generation-from-the-prior", "a single code serves all pictures.",
           _generate_with(lambda n, dims, generator: _normal(1, dims, generator).expand(n, -1))),
        _m("generate-one-number", "generation-from-the-prior", "a single number fills the whole code of a picture.",
           _generate_with(lambda n, dims, generator: _normal(n, 1, generator).expand(-1, dims))),
        _m("generate-second-sigmoid", "generation-from-the-prior",
           "the decoder's output goes through a sigmoid once more; it is in [0, 1] already.",
           lambda model, num_images, generator=None:
           torch.sigmoid(generation.generate(model, num_images, generator))),
        _m("generate-returns-codes", "generation-from-the-prior", "the codes are returned without being decoded.",
           lambda model, num_images, generator=None: _normal(num_images, model.latent_dim, generator)),
        _m("generate-ignores-generator", "generation-from-the-prior",
           "the generator that is passed in is not used.", _ignoring),
        _m("generate-fixed-seed", "generation-from-the-prior", "the noise is seeded inside the function.", _seeded),
        _m("generate-squeezed", "generation-from-the-prior", "squeeze drops the batch dimension of a single picture.",
           lambda model, num_images, generator=None: generation.generate(model, num_images, generator).squeeze(0)),
    ),
    equivalents=(
        generation.generate,
        _generate_with(_normal),
        _generate_with(lambda n, dims, generator: torch.empty(n, dims).normal_(generator=generator)),
        _generate_with(lambda n, dims, generator: -torch.randn(dims, n, generator=generator).T.double()),
        _one_by_one,
    ),
)

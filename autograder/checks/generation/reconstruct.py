"""The check of ``reconstruct``: what the decoder makes of the mean codes of some images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.generation import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import generation


def _reconstruct_oracle(model: Any, x: Tensor) -> Tensor:
    return shared.pictures(model, shared.means(model, x))


def _reconstruct_probe(g: Generator, x: Tensor, latent_dim: int, label: str) -> Probe:
    return Probe(
        Call((Handle("model"), x)), label, before=shared.tiny(latent_dim, shared.integer(g), x.shape[-1])
    )


def _reconstruct_value(g: Generator) -> list[Probe]:
    first = _reconstruct_probe(g, torch.rand(4, *shared.IMAGES, generator=g), 3, "4 images and 3 latents")
    other = _reconstruct_probe(g, torch.rand(3, *shared.IMAGES, generator=g), 6, "3 images and 6 latents")
    return [first, first, other]


def _reconstruct_edges(g: Generator) -> list[Probe]:
    black_and_white = torch.stack([torch.zeros(shared.IMAGES), torch.ones(shared.IMAGES)])
    return [
        _reconstruct_probe(g, torch.rand(1, *shared.IMAGES, generator=g), 4, "a single image"),
        _reconstruct_probe(g, torch.rand(3, *shared.IMAGES, generator=g), 1, "a single latent"),
        _reconstruct_probe(g, black_and_white, 4, "a black and a white image"),
        _reconstruct_probe(g, torch.rand(2, 3, 64, 64, generator=g), 4, "images of 64×64"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



RECONSTRUCT = Check(
    name="reconstruct",
    asks="what the decoder makes of the mean codes of some images",
    section="reconstruction-from-the-mean",
    oracle=_reconstruct_oracle,
    parts=(
        Part("value", 2, _reconstruct_value, shared.repeats, shared.itself),
        Part("edge cases", 1, _reconstruct_edges),
    ),
    misconceptions=(
        _m("reconstruct-samples", "reconstruction-from-the-mean",
           "a code is drawn, so that sampling noise blurs what the model knows of the image.",
           lambda model, x: model.decode(shared.sampled(model, x))),
        _m("reconstruct-returns-mu", "reconstruction-from-the-mean", "the codes are returned without being decoded.",
           lambda model, x: model.encode(x)[0]),
        _m("reconstruct-decodes-logvar", "reconstruction-from-the-mean",
           "logvar is decoded: encode gives the mean first.",
           lambda model, x: model.decode(model.encode(x)[1])),
        _m("reconstruct-adds-std", "reconstruction-from-the-mean", "σ is added to the mean before it is decoded.",
           lambda model, x: model.decode(model.encode(x)[0] + (0.5 * model.encode(x)[1]).exp())),
        _m("reconstruct-returns-x", "reconstruction-from-the-mean", "these are the images themselves.",
           lambda model, x: x),
        _m("reconstruct-second-sigmoid", "reconstruction-from-the-mean",
           "the decoder's output goes through a sigmoid once more; it is in [0, 1] already.",
           lambda model, x: torch.sigmoid(model.decode(model.encode(x)[0]))),
        _m("reconstruct-scales-input", "reconstruction-from-the-mean",
           "the images are scaled to [−1, 1] first; the encoder takes them as they are.",
           lambda model, x: model.decode(model.encode(2 * x - 1)[0])),
        _m("reconstruct-scales-output", "reconstruction-from-the-mean",
           "the pictures are scaled to [−1, 1]; leave them in [0, 1].",
           lambda model, x: 2 * model.decode(model.encode(x)[0]) - 1),
        _m("reconstruct-bytes", "reconstruction-from-the-mean",
           "the pictures are turned into bytes; leave them as numbers in [0, 1].",
           lambda model, x: (255 * model.decode(model.encode(x)[0])).to(torch.uint8)),
        _m("reconstruct-flat", "reconstruction-from-the-mean", "the pictures are flattened.",
           lambda model, x: model.decode(model.encode(x)[0]).flatten(1)),
        _m("reconstruct-mean-code", "reconstruction-from-the-mean",
           "the codes of the batch are averaged: all images get the same picture.",
           lambda model, x: model.decode(model.encode(x)[0].mean(0, keepdim=True)).expand_as(x)),
        _m("reconstruct-squeezed", "reconstruction-from-the-mean",
           "squeeze drops the batch dimension of a single image.",
           lambda model, x: model.decode(model.encode(x)[0]).squeeze()),
    ),
    equivalents=(
        generation.reconstruct,
        lambda model, x: model.decode(model.encode(x)[0]),
        lambda model, x: torch.cat([model.decode(model.encode(image[None])[0]) for image in x]),
        lambda model, x: model.eval().decode(model(x)[1]).clamp(0, 1),
        lambda model, x: model.decode(model.encode(x.double())[0]),
    ),
)

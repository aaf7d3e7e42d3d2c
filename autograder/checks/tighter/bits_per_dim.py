"""The check of ``bits_per_dim``: the bits that a pixel value of an 8-bit image costs, one number for each image."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import tighter


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


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



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

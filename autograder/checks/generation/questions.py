"""The checks of the questions of assignment 06 that have a number for an answer."""

from __future__ import annotations

import math

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.generation import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe


def _on_line(latent_dim: int, t: float) -> Probe:
    return Probe(Call((latent_dim, t)), f"codes of {latent_dim} numbers and t = {t:.2f}")


def _line_value(g: Generator) -> list[Probe]:
    dims = torch.randperm(60, generator=g)[:3] + 5
    return [_on_line(int(number), round(shared.share(g), 2)) for number in dims]


def _line_edges(g: Generator) -> list[Probe]:
    return [_on_line(16, 0.0), _on_line(16, 1.0), _on_line(1, 0.25), _on_line(192, 0.5)]


def _on_line_oracle(latent_dim: int, t: float) -> float:
    return latent_dim * ((1 - t) ** 2 + t**2)


def _information_value(g: Generator) -> list[Probe]:
    counts = torch.randint(20, 5000, (3,), generator=g).tolist()
    return [Probe(Call((count,)), f"{count} images") for count in counts]


def _information_edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((1,)), "a single image"),
        Probe(Call((2,)), "2 images"),
        Probe(Call((10**6,)), "a million"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


SQUARED_NORM_ON_LINE = Check(
    name="squared_norm_on_line",
    asks="the mean squared length of the point at share t of the line between two codes drawn from the prior",
    section="shell",
    oracle=_on_line_oracle,  # type: ignore[arg-type]  # a number
    parts=(Part("value", 2, _line_value), Part("edge cases", 1, _line_edges)),
    misconceptions=(
        _m("norm-line-stays", "shell",
           "the whole line gets the squared length L of its ends; two independent codes stand at about a right angle, "
           "and the line between them takes the short way.",
           lambda latent_dim, t: float(latent_dim)),
        _m("norm-line-half", "shell", "this is the value in the middle, whatever t is.",
           lambda latent_dim, t: latent_dim / 2),
        _m("norm-line-opposite", "shell",
           "a product of two independent numbers is 0 on average; it is counted here as if a and b were opposite.",
           lambda latent_dim, t: latent_dim * (1 - 2 * t) ** 2),
        _m("norm-line-forgets-b", "shell", "only a is counted; b brings its share of the length.",
           lambda latent_dim, t: latent_dim * (1 - t) ** 2),
        _m("norm-line-one-number", "shell", "this is the mean square of one number of the code; there are L of them.",
           lambda latent_dim, t: (1 - t) ** 2 + t**2),
        _m("norm-line-root", "shell", "this is a length; the square of it is asked for.",
           lambda latent_dim, t: math.sqrt(_on_line_oracle(latent_dim, t))),
        _m("norm-line-squared-twice", "shell", "the mean square of a number is 1, so L numbers make L and not L².",
           lambda latent_dim, t: latent_dim * _on_line_oracle(latent_dim, t)),
    ),
    equivalents=(
        lambda latent_dim, t: latent_dim * ((1 - t) ** 2 + t**2),
        lambda latent_dim, t: latent_dim * (1 - 2 * t * (1 - t)),
        lambda latent_dim, t: latent_dim * (0.5 + 2 * (t - 0.5) ** 2),
        lambda latent_dim, t: torch.tensor([1 - t, t]).square().sum() * latent_dim,
    ),
)

LARGEST_INFORMATION = Check(
    name="largest_information",
    asks="the most that a code can tell about which of N images it came from, in nats",
    section="average-kl-in-two",
    oracle=lambda num_images: math.log(num_images),  # type: ignore[arg-type,return-value]
    parts=(Part("value", 2, _information_value), Part("edge cases", 1, _information_edges)),
    misconceptions=(
        _m("information-in-bits", "average-kl-in-two", "this is in bits; a nat is 1.44 of them.",
           lambda num_images: math.log2(num_images)),
        _m("information-in-digits", "average-kl-in-two", "this is in decimal digits; a nat is 0.43 of them.",
           lambda num_images: math.log10(num_images)),
        _m("information-is-count", "average-kl-in-two",
           "this is the number of possible answers; information is its logarithm.",
           lambda num_images: float(num_images)),
        _m("information-negative", "average-kl-in-two",
           "this is the log probability of each image; what one learns from the answer is minus that.",
           lambda num_images: -math.log(num_images)),
        _m("information-of-others", "average-kl-in-two", "all N images are possible answers, the right one as well.",
           lambda num_images: math.log(max(num_images - 1, 1))),
        _m("information-of-pairs", "average-kl-in-two", "this counts pairs of images; one image is asked for.",
           lambda num_images: 2 * math.log(num_images)),
    ),
    equivalents=(
        lambda num_images: math.log(num_images),
        lambda num_images: torch.tensor(float(num_images)).log(),
        lambda num_images: -sum(math.log(1 / num_images) / num_images for _ in range(num_images)),
        lambda num_images: math.log2(num_images) * math.log(2),
    ),
)

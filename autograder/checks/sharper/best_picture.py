"""The check of ``best_picture``.

Asked for: the one picture that is closest to several possible ones on average, in squared error.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe


def _oracle(pictures: Tensor, weights: Tensor) -> Tensor:
    """Found as a minimum, by one Newton step: the expected squared error is a parabola."""
    guess = torch.zeros_like(pictures[0]).requires_grad_()
    share = weights / weights.sum()
    error = sum(w * (guess - picture).square().sum() for w, picture in zip(share, pictures, strict=True))
    assert isinstance(error, Tensor)
    (slope,) = torch.autograd.grad(error, guess)
    return guess.detach() - slope / 2


def _probe(g: Generator, count: int, *shape: int, total: float = 1.0, label: str = "") -> Probe:
    weights = torch.rand(count, generator=g) + 0.2
    weights = total * weights / weights.sum()
    words = label or f"{count} pictures of shape {tuple(shape)}"
    return Probe(Call((torch.rand(count, *shape, generator=g), weights)), words)


def _value(g: Generator) -> list[Probe]:
    return [_probe(g, 4, 3, 6, 5), _probe(g, 7, 3, 4, 4), _probe(g, 5, 1, 3, 8)]


def _edges(g: Generator) -> list[Probe]:
    pictures = torch.rand(3, 3, 4, 4, generator=g)
    return [
        _probe(g, 6, 3, 4, 4, total=30.0, label="weights that are counts and do not add up to 1"),
        _probe(g, 3, 3, 4, 3, total=0.5, label="weights that add up to one half"),
        _probe(g, 1, 3, 4, 4, label="a single picture"),
        Probe(Call((pictures, torch.tensor([0.0, 1.0, 0.0]))), "only one picture that is possible"),
        Probe(Call((pictures.double(), torch.tensor([0.2, 0.3, 0.5]).double())), "float64"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _mean(pictures: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("k,k...->...", weights, pictures) / weights.sum()



def _weighted_median(pictures: Tensor, weights: Tensor) -> Tensor:
    """For each pixel the value below which half of the weight lies."""
    values, order = pictures.sort(dim=0)
    reached = weights[order].cumsum(dim=0) >= 0.5 * weights.sum()
    first = reached.int().argmax(dim=0, keepdim=True)
    return values.gather(0, first)[0]



BEST_PICTURE = Check(
    name="best_picture",
    asks="the picture with the smallest expected squared error to pictures that are possible with given weights",
    section="why-blur",
    oracle=_oracle,
    parts=(
        Part("value", 2, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("best-picture-most-likely", "why-blur",
           "that is the picture with the largest weight; it is sharp, but others are far from it.",
           lambda pictures, weights: pictures[weights.argmax()]),
        _m("best-picture-unweighted", "why-blur", "all pictures count the same; the likelier ones should count more.",
           lambda pictures, weights: pictures.mean(0)),
        _m("best-picture-median", "why-blur",
           "that is the median of each pixel: it has the smallest absolute error, not the smallest squared one.",
           lambda pictures, weights: pictures.median(0).values),
        _m("best-picture-weighted-median", "why-blur",
           "that is the weighted median of each pixel: it has the smallest absolute error, not squared error.",
           _weighted_median),
        _m("best-picture-squared-weights", "why-blur",
           "the weights are squared; only the errors are.",
           lambda pictures, weights: _mean(pictures, weights.square())),
        _m("best-picture-root-mean-square", "why-blur",
           "the pixels are squared before they are averaged; the squares are those of the errors.",
           lambda pictures, weights: _mean(pictures.square(), weights).sqrt()),
        _m("best-picture-divided-by-count", "why-blur",
           "the weighted sum is divided by the number of pictures; the weights say already what each counts.",
           lambda pictures, weights: torch.einsum("k,k...->...", weights, pictures) / len(pictures)),
        _m("best-picture-weights-must-sum-to-one", "why-blur",
           "weights need not add up to 1: divide by their sum.",
           lambda pictures, weights: torch.einsum("k,k...->...", weights, pictures)),
        _m("best-picture-every-one", "why-blur", "the pictures are weighted but not added up.",
           lambda pictures, weights: pictures * (weights / weights.sum())[:, None, None, None]),
    ),
    equivalents=(
        _mean,
        lambda pictures, weights: (pictures * (weights / weights.sum()).view(-1, 1, 1, 1)).sum(0),
        lambda pictures, weights: torch.tensordot(weights / weights.sum(), pictures, dims=1),
        lambda pictures, weights: sum(
            w * picture for w, picture in zip(weights, pictures, strict=True)) / sum(weights),
    ),
)

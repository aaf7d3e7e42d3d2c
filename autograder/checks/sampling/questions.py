"""The checks of ``gradient_after_detach`` and ``variance_ratio``: short questions that a function answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.polynomial import hermite_e
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.choices import asked, one_of
from autograder.judge.definitions import Check, Misconception, Part, Probe

CHOICES = ("a", "b", "c", "d")
RIGHT = "c"
NODES = 12  # of a quadrature that is exact for polynomials up to degree 23; ours have degree 6


_is_right = one_of(CHOICES, RIGHT, 'Return one of the letters "a", "b", "c" and "d".')


def _ratio_oracle(distance: float, sigma: float) -> Any:
    """Of the variances of both estimators, each an integral over the noise."""
    eps, weights = hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()

    def variance(estimates: np.ndarray) -> float:
        return float(weights @ estimates**2 - (weights @ estimates) ** 2)

    from_target = distance + sigma * eps  # z − a
    return variance(from_target**2 * eps / sigma) / variance(2 * from_target)


def _ratio_probe(distance: float, sigma: float) -> Probe:
    return Probe(Call((distance, sigma)), f"distance = {distance:g} and sigma = {sigma:g}")


def _ratio_value(g: Generator) -> list[Probe]:
    def between(low: float, high: float) -> float:
        return round(low + (high - low) * float(torch.rand((), generator=g)), 2)

    return [
        _ratio_probe(between(*d), between(*s)) for d, s in (((0.6, 1.5), (0.5, 0.9)), ((-2, -1), (1.2, 1.8)))
    ]


def _ratio_edges(g: Generator) -> list[Probe]:
    return [_ratio_probe(0.0, 0.7), _ratio_probe(3.0, 0.1), _ratio_probe(1.0, 2.0)]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _of_moments(distance: float, sigma: float, linear: float = 14.0) -> float:
    return (distance**4 / sigma**2 + linear * distance**2 + 15 * sigma**2) / (4 * sigma**2)


GRADIENT_AFTER_DETACH = Check(
    name="gradient_after_detach",
    asks="what still sends a gradient into the encoder when the code is detached",
    section="gradient-through-a-sample",
    oracle=None,
    parts=(Part("value", 1, asked, _is_right),),
    misconceptions=(
        _m("detached-learns-nothing", "gradient-through-a-sample",
           "one term does not pass through the code at all: which one is computed from mu and logvar alone?",
           lambda: "a"),
        _m("detached-learns-pictures", "gradient-through-a-sample",
           "the reconstruction sees the encoder through the code only, and there the way is cut.",
           lambda: "b"),
        _m("detached-learns-everything", "gradient-through-a-sample",
           "detach changes no value, so that the loss looks as ever; but no derivative passes it.",
           lambda: "d"),
    ),
    equivalents=(lambda: "c", lambda: "C", lambda: " c "),
)

VARIANCE_RATIO = Check(
    name="variance_ratio",
    asks="how many times larger the variance of the score function estimate is, for a parabola",
    section="gradient-variance",
    oracle=_ratio_oracle,
    parts=(
        Part("value", 2, _ratio_value),
        Part("edge cases", 1, _ratio_edges),
    ),
    misconceptions=(
        _m("ratio-upside-down", "gradient-variance",
           "the fraction is turned over: score function over pathwise is meant.",
           lambda distance, sigma: 1 / _of_moments(distance, sigma)),
        _m("ratio-of-deviations", "gradient-variance",
           "that is the ratio of the standard deviations; square it.",
           lambda distance, sigma: _of_moments(distance, sigma) ** 0.5),
        _m("ratio-without-mean", "gradient-variance",
           "the square of the mean, 4d², is not subtracted from the mean square of the score function estimate.",
           lambda distance, sigma: _of_moments(distance, sigma, 18)),
        _m("ratio-of-mean-squares", "gradient-variance",
           "those are mean squares; subtract the square of the mean, 4d², from both.",
           lambda distance, sigma: 4 * sigma**2 * _of_moments(distance, sigma, 18) / (4 * distance**2 + 4 * sigma**2)),
        _m("ratio-cross-term", "gradient-variance",
           "when the sum is squared, the product of its first and last term is forgotten: it adds 6d².",
           lambda distance, sigma: _of_moments(distance, sigma, 8)),
        _m("ratio-largest-term", "gradient-variance",
           "that is the largest term only; for small distances the others count.",
           lambda distance, sigma: distance**4 / (4 * sigma**4)),
        _m("ratio-at-the-minimum", "gradient-variance", "that is the ratio at the minimum, where the distance is 0.",
           lambda distance, sigma: 15 / 4),
        _m("ratio-sigma-is-variance", "gradient-variance", "sigma is used as the variance; it is its root.",
           lambda distance, sigma: _of_moments(distance, abs(sigma) ** 0.5)),
        _m("ratio-score-not-divided", "score-function-estimator",
           "the score is (z − μ) / σ²; without the division its variance is σ⁴ times as large.",
           lambda distance, sigma: sigma**4 * _of_moments(distance, sigma)),
        _m("ratio-score-without-sigma", "score-function-estimator",
           "the score of a sample is ε / σ; without the division its variance is σ² times as large.",
           lambda distance, sigma: sigma**2 * _of_moments(distance, sigma)),
        _m("ratio-of-variance-and-deviation", "gradient-variance",
           "the pathwise estimate 2(d + σε) has the variance 4σ²; 2σ is its standard deviation.",
           lambda distance, sigma: 2 * sigma * _of_moments(distance, sigma)),
        _m("ratio-without-middle-term", "gradient-variance",
           "the terms with d²σ² are missing: square the whole sum before you take its mean.",
           lambda distance, sigma: _of_moments(distance, sigma, 0)),
        _m("ratio-noise-to-the-fourth", "gradient-variance", "the fourth moment of normal noise is 3, not 1.",
           lambda distance, sigma: _of_moments(distance, sigma, 2)),
        _m("ratio-noise-to-the-sixth", "gradient-variance", "the sixth moment of normal noise is 15, not 3.",
           lambda distance, sigma: _of_moments(distance, sigma) - 3),
    ),
    equivalents=(
        _of_moments,
        lambda distance, sigma: (distance / sigma) ** 4 / 4 + 3.5 * (distance / sigma) ** 2 + 3.75,
        lambda distance, sigma: torch.as_tensor(
            (distance**4 + 14 * distance**2 * sigma**2 + 15 * sigma**4) / (4 * sigma**4), dtype=torch.float64),
    ),
)

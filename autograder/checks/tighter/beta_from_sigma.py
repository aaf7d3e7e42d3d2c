"""The check of ``beta_from_sigma``.

Asked for: the weight of the KL that says the same as sigma, beside half the squared error.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.tighter import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import tighter


def _beta_oracle(sigma: Any) -> Any:
    return float(sigma) ** 2


def _beta_probe(sigma: Any) -> Probe:
    # small weights count as much as large ones, so the tolerance is relative
    return Probe(Call((sigma,)), f"sigma = {float(sigma):.4g}", torch.tensor(1e-5 * float(sigma) ** 2))


def _beta_value(g: Generator) -> list[Probe]:
    return [_beta_probe(round(shared.between(g, *ends), 4)) for ends in ((0.05, 0.2), (0.3, 0.8), (1.2, 2.0))]


def _beta_edges(g: Generator) -> list[Probe]:
    return [
        _beta_probe(1.0),
        _beta_probe(2),
        _beta_probe(2 / 255),
        _beta_probe(78.0),
        _beta_probe(torch.tensor(round(shared.between(g, 0.05, 0.5), 3))),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



BETA_FROM_SIGMA = Check(
    name="beta_from_sigma",
    asks="the weight of the KL that says the same as sigma, beside half the squared error",
    section="what-beta-claims",
    oracle=_beta_oracle,
    parts=(
        Part("value", 2, _beta_value),
        Part("edge cases", 1, _beta_edges),
    ),
    misconceptions=(
        _m("beta-twice", "what-beta-claims",
           "that is the weight beside the whole squared error; here half of it is summed.",
           lambda sigma: 2 * sigma**2),
        _m("beta-half", "what-beta-claims", "the ½ of the squared error is counted twice.",
           lambda sigma: 0.5 * sigma**2),
        _m("beta-inverse", "what-beta-claims",
           "that is the weight of the error; a larger σ makes the KL count more, not less.",
           lambda sigma: 1 / sigma**2),
        _m("beta-half-inverse", "what-beta-claims",
           "that is the factor before the squared error in the likelihood, not the weight of the KL.",
           lambda sigma: 1 / (2 * sigma**2)),
        _m("beta-is-sigma", "what-beta-claims", "β is not σ itself: think of the units of the squared error.",
           lambda sigma: sigma),
        _m("beta-root", "what-beta-claims", "that is the other way round: the σ that a β claims.",
           lambda sigma: sigma**0.5),
        _m("beta-times-dims", "what-beta-claims",
           "the number of dimensions comes in, as if the error were summed and the KL averaged.",
           lambda sigma: sigma**2 * 3 * 64 * 64),
        _m("beta-of-mean", "what-beta-claims",
           "that is the weight beside the mean squared error; here the error is summed.",
           lambda sigma: 2 * sigma**2 / (3 * 64 * 64)),
    ),
    equivalents=(
        tighter.beta_from_sigma,
        lambda sigma: sigma * sigma,
        lambda sigma: math.exp(2 * math.log(sigma)),
        lambda sigma: torch.as_tensor(sigma).square(),
        lambda sigma: torch.as_tensor(sigma, dtype=torch.float64).pow(2).item(),
    ),
)

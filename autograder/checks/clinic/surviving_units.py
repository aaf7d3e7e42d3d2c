"""The check of ``surviving_units``: how many latents of a linear VAE say anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.checks.clinic.shared import between
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import clinic


def _oracle(variances: Tensor, sigma: float, beta: float = 1.0) -> int:
    return sum(value > beta * sigma**2 for value in variances.double().tolist())


def _variances(g: Generator, limit: float, factors: tuple[float, ...]) -> Tensor:
    """These multiples of a limit, shaken a little, in a random order."""
    shaken = torch.tensor(factors) * (1 + 0.1 * torch.rand(len(factors), generator=g))
    return limit * shaken[torch.randperm(len(factors), generator=g)]


def _units(g: Generator, sigma: float, beta: float | None, factors: tuple[float, ...]) -> Probe:
    weight = 1.0 if beta is None else beta
    arguments = (sigma,) if beta is None else (sigma, beta)
    label = f"sigma = {sigma:.3g} and {'beta left out' if beta is None else f'beta = {beta:.3g}'}"
    return Probe(Call((_variances(g, weight * sigma**2, factors), *arguments)), label)


def _value(g: Generator) -> list[Probe]:
    # between the right limit and each wrong one lie a few variances, another number of them for each
    return [
        _units(
            g, round(between(g, 0.25, 0.35), 3), None, (0.01, 0.03, 0.5, 0.6, 0.7, 1.3, 1.6, 2.5, 5, 8, 40)
        ),
        _units(
            g,
            round(between(g, 0.25, 0.35), 3),
            4.0,
            (0.02, 0.1, 0.15, 0.4, 0.7, 1.3, 1.4, 2.6, 3.5, 6, 7, 60),
        ),
        _units(
            g,
            round(between(g, 0.15, 0.2), 3),
            0.25,
            (0.01, 0.6, 0.7, 1.3, 1.5, 1.6, 2.6, 3.1, 5, 6, 17, 30, 99),
        ),
    ]


def _edges(g: Generator) -> list[Probe]:
    variances = torch.tensor([0.25, 0.5, 0.125, 1.0, 0.25])
    return [
        Probe(Call((variances, 0.5)), "two variances equal to σ²"),
        Probe(Call((variances, 0.5, 100.0)), "no survivor"),
        Probe(Call((variances, 78.38)), "the σ that a mean over pixels claims"),
        Probe(Call((variances, 0.1)), "survivors only"),
        Probe(Call((variances[:1], 0.4), {"beta": 1.5}), "a single latent"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _above(limit: Callable[[float, float], float]) -> Callable[..., Any]:
    return lambda variances, sigma, beta=1.0: int((variances > limit(sigma, beta)).sum())



SURVIVING_UNITS = Check(
    name="surviving_units",
    asks="how many variances are greater than the price of a latent",
    section="linear-collapse",
    oracle=_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("count", 2, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("survive-sigma", "linear-collapse", "variances are compared with σ, not with σ².",
           _above(lambda sigma, beta: beta * sigma)),
        _m("survive-beta-ignored", "linear-collapse", "β has no effect; a dearer code keeps fewer latents.",
           _above(lambda sigma, beta: sigma**2)),
        _m("survive-beta-divides", "linear-collapse", "the limit falls with β; it rises.",
           _above(lambda sigma, beta: sigma**2 / beta)),
        _m("survive-beta-squared", "linear-collapse", "β is squared together with σ.",
           _above(lambda sigma, beta: (beta * sigma) ** 2)),
        _m("survive-beta-root", "linear-collapse", "that is √β; the weight counts as it is.",
           _above(lambda sigma, beta: beta**0.5 * sigma**2)),
        _m("survive-half", "linear-collapse", "a ½ has come in: it stands before both terms, and cancels.",
           _above(lambda sigma, beta: 0.5 * beta * sigma**2)),
        _m("survive-twice", "linear-collapse",
           "the noise is counted twice; along a principal direction it is part of the variance already.",
           _above(lambda sigma, beta: 2 * beta * sigma**2)),
        _m("survive-silent", "linear-collapse", "the silent latents are counted.",
           lambda variances, sigma, beta=1.0: int((variances <= beta * sigma**2).sum())),
        _m("survive-equal", "linear-collapse", "at the limit itself a latent gains nothing and stays silent.",
           lambda variances, sigma, beta=1.0: int((variances >= beta * sigma**2).sum())),
        _m("survive-share", "linear-collapse", "that is their share; give their number.",
           lambda variances, sigma, beta=1.0: float((variances > beta * sigma**2).float().mean())),
    ),
    equivalents=(
        clinic.surviving_units,
        _above(lambda sigma, beta: beta * sigma * sigma),
        lambda variances, sigma, beta=1.0: sum(v > beta * sigma**2 for v in variances.tolist()),
        lambda variances, sigma, beta=1.0: torch.count_nonzero(variances / beta > sigma**2),
        lambda variances, sigma, beta=1.0: (variances - beta * sigma**2 > 0).sum(),
    ),
)

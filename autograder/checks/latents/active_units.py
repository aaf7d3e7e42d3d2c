"""The check of ``active_units``: how many latents have means that vary from image to image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import latents


def _active_oracle(mu: Tensor, threshold: float = 0.01) -> int:
    variances = mu.double().numpy().var(axis=0, ddof=1)
    return int((variances > threshold).sum())


def _units(g: Generator, num_images: int, variances: Tensor) -> Tensor:
    """Codes whose columns have these variances, in a random order, around means of 1 and −1."""
    z = torch.randn(num_images, len(variances), generator=g, dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0) * variances.double().sqrt()
    means = torch.where(torch.arange(len(variances)) <= len(variances) // 2, 1.0, -1.0)
    means = means[torch.randperm(len(variances), generator=g)]
    return (z + means)[:, torch.randperm(len(variances), generator=g)].float()


def _groups(threshold: float, *counts: int) -> Tensor:
    """Variances far from the threshold: so many at 0.005, 0.1, 10 and 300 times of it."""
    return torch.cat([
        torch.full((count,), factor * threshold)
        for count, factor in zip(counts, (5e-3, 0.1, 10.0, 300.0), strict=True)
    ])  # fmt: skip


def _active_value(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((_units(g, num_images, _groups(0.01, *counts)),)),
            f"{num_images} codes of {sum(counts)} numbers",
        )
        for num_images, counts in ((50, (3, 2, 4, 6)), (500, (4, 3, 5, 1)))
    ]


def _active_threshold(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_units(g, 60, _groups(threshold, *counts)), threshold)), f"threshold = {threshold}")
        for threshold, counts in ((0.2, (3, 2, 4, 1)), (0.0005, (2, 5, 2, 4)))
    ]


def _active_edges(g: Generator) -> list[Probe]:
    constant = torch.zeros(20, 3)
    constant[:, 0] = torch.linspace(-1, 1, 20)
    return [
        Probe(Call((_units(g, 40, _groups(0.01, 3, 3, 0, 0)),)), "no active unit"),
        Probe(Call((_units(g, 40, _groups(0.01, 0, 0, 3, 4)),)), "active units only"),
        Probe(Call((_units(g, 40, _groups(0.01, 0, 0, 0, 1)),)), "a single latent"),
        Probe(Call((constant, 0.0)), "threshold = 0 and two latents that never vary"),
        Probe(
            Call((_units(g, 40, _groups(0.01, 2, 2, 3, 1)).double(),), {"threshold": 0.01}), "float64 codes"
        ),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _active_like(count: Callable[[Tensor, float], Any]) -> Callable[..., Any]:
    """A variant with the right arguments."""
    return lambda mu, threshold=0.01: count(mu, threshold)



ACTIVE_UNITS = Check(
    name="active_units",
    asks="how many latents have means that vary from image to image",
    section="active-units",
    oracle=_active_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("value", 2, _active_value),
        Part("threshold", 1, _active_threshold),
        Part("edge cases", 1, _active_edges),
    ),
    misconceptions=(
        _m("active-std", "active-units", "the standard deviation is compared with the threshold; it is for variances.",
           _active_like(lambda mu, threshold: int((mu.std(0) > threshold).sum()))),
        _m("active-second-moment", "active-units",
           "the squares are averaged without the mean being subtracted: a constant is no information.",
           _active_like(lambda mu, threshold: int((mu.square().mean(0) > threshold).sum()))),
        _m("active-mean", "active-units", "the mean over the images is compared, not how much they vary.",
           _active_like(lambda mu, threshold: int((mu.mean(0) > threshold).sum()))),
        _m("active-over-latents", "active-units",
           "the variance is taken over the latents, so that images are counted instead of latents.",
           _active_like(lambda mu, threshold: int((mu.var(1) > threshold).sum()))),
        _m("active-inactive", "active-units", "the latents that do not vary are counted.",
           _active_like(lambda mu, threshold: int((mu.var(0) < threshold).sum()))),
        _m("active-entries", "active-units", "single numbers of the codes are counted instead of latents.",
           _active_like(lambda mu, threshold: int(((mu - mu.mean(0)).square() > threshold).sum()))),
        _m("active-summed", "active-units",
           "the squared distances are added up instead of averaged: with many images everything counts.",
           _active_like(lambda mu, threshold: int(((mu - mu.mean(0)).square().sum(0) > threshold).sum()))),
        _m("active-one-variance", "active-units", "one variance is taken over all numbers; each latent has its own.",
           _active_like(lambda mu, threshold: int(mu.var() > threshold))),
        _m("active-relative", "active-units", "the variances are divided by the greatest one first.",
           _active_like(lambda mu, threshold: int((mu.var(0) / mu.var(0).max() > threshold).sum()))),
        _m("active-share", "active-units", "this is the share of active latents, not their number.",
           _active_like(lambda mu, threshold: float((mu.var(0) > threshold).float().mean()))),
        _m("active-indices", "active-units", "these are the places of the active latents; count them.",
           _active_like(lambda mu, threshold: (mu.var(0) > threshold).nonzero().flatten())),
        _m("active-variances", "active-units", "these are the variances themselves; count those above the threshold.",
           _active_like(lambda mu, threshold: mu.var(0))),
        _m("active-ignores-threshold", "active-units", "the threshold is ignored; it is not always 0.01.",
           _active_like(lambda mu, threshold: latents.active_units(mu))),
        _m("active-at-least", "active-units", "a latent whose variance equals the threshold counts; ask for more.",
           _active_like(lambda mu, threshold: int((mu.var(0) >= threshold).sum()))),
    ),
    equivalents=(
        latents.active_units,
        _active_like(lambda mu, threshold: (mu.var(dim=0, unbiased=False) > threshold).sum()),
        _active_like(lambda mu, threshold: sum(bool(column.std() ** 2 > threshold) for column in mu.T)),
        _active_like(lambda mu, threshold: float(torch.count_nonzero(
            (mu - mu.mean(0)).square().mean(0) > threshold))),
        _active_like(lambda mu, threshold: int(np.sum(np.var(mu.double().numpy(), axis=0) > threshold))),
    ),
)

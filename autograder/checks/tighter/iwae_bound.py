"""The check of ``iwae_bound``: the log of the mean weight of the samples, one number for each image."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.checks.tighter import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import tighter


def _iwae_oracle(log_weights: Tensor) -> Tensor:
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def _iwae_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((3 * shared.randn(g, k, b) - 20,)), f"{k} samples of {b} images")
        for k, b in ((5, 3), (2, 7), (16, 4))
    ]


def _iwae_edges(g: Generator) -> list[Probe]:
    far = torch.tensor([1000.0, -1000.0, 1000.0, -20.0])
    weights = 2 * shared.randn(g, 6, 4)
    return [
        Probe(Call((3 * shared.randn(g, 1, 5) - 10,)), "a single sample"),
        Probe(Call((3 * shared.randn(g, 8, 1) - 10,)), "a single image"),
        Probe(Call((shared.randn(g, 1, 4).expand(3, 4) - 5,)), "equal weights"),
        Probe(Call(((weights - 30).double(),)), "float64"),
        Probe(Call((weights + 1000,)), "log weights around 1000"),
        Probe(Call((weights - 1000,)), "log weights around −1000"),
        Probe(Call((weights + far,)), "log weights around −1000 and 1000 in one batch"),
        Probe(Call((torch.where(weights > weights.median(), 900.0, -900.0),)), "samples from −900 to 900"),
    ]


def _all_finite(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        if isinstance(result, Tensor) and not bool(result.isfinite().all()):
            return f"With {probe.label}, iwae_bound returned values that are not finite."
    return ""


def _iwae_gradient(g: Generator) -> list[Probe]:
    def probe(weights: Tensor, label: str) -> Probe:
        return Probe(Call((weights,), None, (0,), torch.rand(weights.shape[1], generator=g) + 0.5), label)

    return [
        probe(2 * shared.randn(g, 5, 3) - 20, "its result weighted and differentiated"),
        probe(2 * shared.randn(g, 4, 2) - 1000, "log weights around −1000, weighted and differentiated"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _from_largest(log_weights: Tensor) -> Tensor:
    """Right as well: the largest weight of each image is taken out of the sum."""
    largest = log_weights.max(dim=0).values
    return largest + torch.log(torch.exp(log_weights - largest).mean(dim=0))



def _one_by_one(log_weights: Tensor) -> Tensor:
    """Right as well: the sum grows by one weight at a time."""
    total = log_weights[0]
    for row in log_weights[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(log_weights.shape[0])



IWAE_BOUND = Check(
    name="iwae_bound",
    asks="the log of the mean weight of the samples, one number for each image",
    section="iwae-bound",
    oracle=_iwae_oracle,
    parts=(
        Part("value", 2, _iwae_value),
        # a part of its own kind, because values that are not finite equal nothing, not even those of a variant
        Part("edge cases", 1, _iwae_edges, _all_finite, lambda bound: bound),
        Part("gradient", 1, _iwae_gradient),
    ),
    misconceptions=(
        _m("iwae-mean-of-logs", "iwae-bound",
           "the logs are averaged: that is the ELBO, however many samples it takes.", lambda w: w.mean(0)),
        _m("iwae-without-log-k", "iwae-bound",
           "the weights are added but not averaged: the bound would grow with K for no reason.",
           lambda w: torch.logsumexp(w, 0)),
        _m("iwae-log-of-batch", "iwae-bound", "the sum is divided by the number of images instead of samples.",
           lambda w: torch.logsumexp(w, 0) - math.log(w.shape[1])),
        _m("iwae-divided-by-k", "iwae-bound", "the log of the sum is divided by K; K belongs inside the log.",
           lambda w: torch.logsumexp(w, 0) / len(w)),
        _m("iwae-over-batch", "iwae-bound",
           "the mean runs over the images, the second axis, instead of the samples.",
           lambda w: torch.logsumexp(w, 1) - math.log(w.shape[1])),
        _m("iwae-over-everything", "iwae-bound", "samples and images are mixed into one number.",
           lambda w: torch.logsumexp(w.flatten(), 0) - math.log(w.numel())),
        _m("iwae-batch-mean", "iwae-bound", "the batch is averaged into one number; return one for each image.",
           lambda w: tighter.iwae_bound(w).mean()),
        _m("iwae-largest", "iwae-bound", "only the best sample counts; the others belong to the mean.",
           lambda w: w.max(0).values),
        _m("iwae-softmax-weighted", "iwae-bound",
           "the logs are averaged with normalised weights: those weigh the gradient, not the value.",
           lambda w: (w.softmax(0) * w).sum(0)),
        _m("iwae-sign", "iwae-bound", "the sign is turned: that is a loss.", lambda w: -tighter.iwae_bound(w)),
        _m("iwae-without-log", "iwae-bound", "the log is missing: that is the mean weight itself.",
           lambda w: w.exp().mean(0)),
        _m("iwae-log-plus-eps", "iwae-bound",
           "a small number is added inside the log, though honest weights are smaller still.",
           lambda w: torch.log(w.exp().mean(0) + 1e-8)),
        _m("iwae-overflow", "iwae-bound",
           "exp is taken of the log weights as they are: it overflows, or its log is −∞.",
           lambda w: w.exp().mean(0).log()),
        _m("iwae-global-largest", "iwae-bound",
           "the largest weight of the whole batch is taken out, not that of each image: the others vanish.",
           lambda w: w.max() + (w - w.max()).exp().mean(0).log()),
        _m("iwae-detached", "iwae-bound",
           "the result is cut off from the weights (detach, .data, .item, no_grad or numpy).",
           lambda w: tighter.iwae_bound(w).detach()),
        _m("iwae-detached-weights", "iwae-bound",
           "the gradient is that of the mean of logs: every sample pulls equally, however good it is.",
           lambda w: tighter.iwae_bound(w).detach() + (w - w.detach()).mean(0)),
    ),
    equivalents=(
        tighter.iwae_bound,
        _from_largest,
        _one_by_one,
        lambda w: torch.logsumexp(w - math.log(w.shape[0]), dim=0),
        lambda w: torch.logsumexp(w.double(), dim=0).sub(math.log(len(w))).to(w.dtype),
        lambda w: torch.stack([torch.logsumexp(w[:, b], 0) for b in range(w.shape[1])]) - math.log(len(w)),
    ),
)

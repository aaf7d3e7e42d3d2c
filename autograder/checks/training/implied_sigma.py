"""The checks of ``implied_sigma`` and ``same_model``: which likelihood a loss stands for.

What the weights imply is found without its formula: by the σ at which the gradient of the bound points where that of
the loss does.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe

NUM_DIMS = 3 * 64 * 64
LETTERS = "ABCD"
RIGHT = "AC"


def _oracle(error_weight: float, kl_weight: float = 1.0) -> Any:
    """By bisection: under the right σ an error costs as many units of KL in the bound as it does in the loss."""
    low, high = 1e-6, 1e6
    wanted = error_weight / kl_weight
    for _ in range(200):
        sigma = math.sqrt(low * high)
        squared_error = torch.ones((), dtype=torch.float64, requires_grad=True)
        # −log p(x|z) = ‖x − x̂‖² / 2σ² + constant
        nll = -torch.distributions.Normal(0.0, sigma).log_prob(squared_error.sqrt())
        (price,) = torch.autograd.grad(nll, squared_error)
        low, high = (sigma, high) if price.item() > wanted else (low, sigma)
    return math.sqrt(low * high)


def _probe(error_weight: float, label: str, *kl_weight: float) -> Probe:
    return Probe(Call((error_weight, *kl_weight)), label)


def _alone(g: Generator) -> list[Probe]:
    weight = 2 + 20 * float(torch.rand((), generator=g))
    return [
        _probe(1.0, "the sum of squared errors"),
        _probe(weight, f"{weight:.3g} times the sum of squared errors"),
        _probe(1 / NUM_DIMS, "the mean over 12,288 numbers of squared errors"),
    ]


def _with_beta(g: Generator) -> list[Probe]:
    beta = 2 + 6 * float(torch.rand((), generator=g))
    return [
        _probe(1.0, f"the sum of squared errors and a weight of {beta:.3g} on the KL", beta),
        _probe(50.0, "50 times the sum of squared errors and a weight of 0.25 on the KL", 0.25),
    ]


def _choice(results: list[Any], _: list[Probe]) -> str:
    (answer,) = results
    letters = "".join(sorted(answer.upper())) if isinstance(answer, str) else ""
    if len(letters) < 2 or not set(letters) <= set(LETTERS) or len(set(letters)) < len(letters):
        return 'Return the letters of the losses that train the same model, such as "BD" or "ABD".'
    return "" if letters == RIGHT else f"They are not {' and '.join(letters)}."


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


IMPLIED_SIGMA = Check(
    name="implied_sigma",
    asks="the σ of the likelihood that a loss of squared errors and KL stands for",
    section="sigma-in-training",
    oracle=_oracle,
    parts=(Part("weight of the error", 1, _alone), Part("weight of the KL", 1, _with_beta)),
    misconceptions=(
        _m("implied-sigma-without-half", "sigma-in-training", "the ½ before the squared error is forgotten.",
           lambda error_weight, kl_weight=1.0: math.sqrt(kl_weight / error_weight)),
        _m("implied-sigma-variance", "sigma-in-training", "that is σ²: take its root.",
           lambda error_weight, kl_weight=1.0: kl_weight / (2 * error_weight)),
        _m("implied-sigma-half-twice", "sigma-in-training", "that is half of 1/√w: the ½ belongs under the root.",
           lambda error_weight, kl_weight=1.0: 0.5 * math.sqrt(kl_weight / error_weight)),
        _m("implied-sigma-inverse", "sigma-in-training", "that is 1/σ: a heavier error means a smaller σ.",
           lambda error_weight, kl_weight=1.0: math.sqrt(2 * error_weight / kl_weight)),
        _m("implied-sigma-doubled", "sigma-in-training", "the 2 is on the wrong side of the fraction.",
           lambda error_weight, kl_weight=1.0: math.sqrt(2 * kl_weight / error_weight)),
        _m("implied-sigma-is-weight", "sigma-in-training", "the weight is taken for σ itself.",
           lambda error_weight, kl_weight=1.0: error_weight / kl_weight),
        _m("implied-sigma-always-one", "sigma-in-training",
           "σ is not 1 because nobody has written it down: the weights have chosen it.",
           lambda error_weight, kl_weight=1.0: 1.0),
        _m("implied-sigma-ignores-beta", "sigma-in-training",
           "the weight of the KL is left out; only the ratio of both decides.",
           lambda error_weight, kl_weight=1.0: math.sqrt(1 / (2 * error_weight))),
        _m("implied-sigma-beta-times", "sigma-in-training",
           "the weights are multiplied; a heavier KL makes errors cheaper, so it divides.",
           lambda error_weight, kl_weight=1.0: math.sqrt(1 / (2 * error_weight * kl_weight))),
        _m("implied-sigma-beta-outside", "sigma-in-training", "the weight of the KL belongs under the root.",
           lambda error_weight, kl_weight=1.0: kl_weight * math.sqrt(1 / (2 * error_weight))),
    ),
    equivalents=(
        lambda error_weight, kl_weight=1.0: math.sqrt(kl_weight / (2 * error_weight)),
        lambda error_weight, kl_weight=1.0: (0.5 * kl_weight / error_weight) ** 0.5,
        lambda error_weight, kl_weight=1.0: torch.tensor(kl_weight / error_weight / 2).sqrt(),
    ),
)


SAME_MODEL = Check(
    name="same_model",
    asks="the letters of the losses that train the same model",
    section="one-reduction",
    oracle=None,
    parts=(Part("answer", 1, lambda g: [Probe(Call(), "your answer")], _choice),),
    misconceptions=(
        _m("same-model-sum-and-unit-sigma", "sigma-in-training",
           "the sum of squared errors is not the likelihood with σ = 1: there the error is halved.",
           lambda: "AD"),
        _m("same-model-sum-and-mean", "one-reduction",
           "a mean in one term only changes the balance: in one of these two an error costs 12,288 times less.",
           lambda: "AB"),
        _m("same-model-both-mse", "one-reduction",
           "both say mse_loss, but in one of them the KL is divided as well, and in the other it is not.",
           lambda: "BC"),
        _m("same-model-mean-and-unit-sigma", "one-reduction",
           "mse_loss is a mean over 12,288 numbers, and the log likelihood a sum over them.",
           lambda: "BD"),
        _m("same-model-divided-and-unit-sigma", "sigma-in-training",
           "times 12,288 the first of these is squared error plus KL; with σ = 1 the error is halved.",
           lambda: "CD"),
        _m("same-model-all", "one-reduction",
           "all four fall as the pictures get better, but they weigh errors against nats differently.",
           lambda: "ABCD"),
        _m("same-model-all-sums", "sigma-in-training",
           "two of these are the same up to a factor; in the third the error weighs half as much.",
           lambda: "ACD"),
        _m("same-model-without-likelihood", "one-reduction",
           "two of these are the same up to a factor; in the third the error is divided and the KL is not.",
           lambda: "ABC"),
    ),
    equivalents=(lambda: RIGHT, lambda: RIGHT.lower()[::-1]),
)

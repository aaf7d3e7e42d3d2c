"""The check of ``posterior_sample_mse``.

Asked for: the error of a draw from the posterior, where the error of its mean is known. The oracle measures it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe

_VALUES = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)  # what a pixel may be, and how likely
_SHARES = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def _oracle(minimal_mse: float) -> Any:
    """In a world of three equal guesses: the true pixel and the draw are independent, so all pairs are known."""
    mean = (_SHARES * _VALUES).sum()
    least = (_SHARES * (_VALUES - mean).square()).sum()
    pairs = _SHARES[:, None] * _SHARES[None, :] * (_VALUES[:, None] - _VALUES[None, :]).square()
    return float(pairs.sum() / least * float(minimal_mse))


def _value(g: Generator) -> list[Probe]:
    low = 0.002 + 0.01 * float(torch.rand((), generator=g))
    return [
        Probe(Call((mse,)), f"a minimal error of {mse:.4g}", torch.tensor(1e-5 * mse))
        for mse in (round(low, 5), round(10 * low, 4), 1.0 + round(low, 3), 0.25)
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



POSTERIOR_SAMPLE_MSE = Check(
    name="posterior_sample_mse",
    asks="the mean squared error of a picture that is drawn from the posterior, from that of the posterior's mean",
    section="perception-distortion",
    oracle=_oracle,
    parts=(Part("value", 1, _value),),
    misconceptions=(
        _m("posterior-sample-as-good", "perception-distortion",
           "a draw is as likely as the truth but not as close: its own spread comes on top.", lambda mse: mse),
        _m("posterior-sample-better", "perception-distortion",
           "a draw looks better, but no guess has a smaller squared error than the mean.", lambda mse: mse / 2),
        _m("posterior-sample-root-two", "perception-distortion",
           "the root of the error grows by √2; the mean squared error itself by more.", lambda mse: 2**0.5 * mse),
        _m("posterior-sample-four", "perception-distortion",
           "the two spreads are added as if truth and draw always fell on opposite sides; they are independent, "
           "so their variances add.", lambda mse: 4 * mse),
        _m("posterior-sample-in-decibels", "perception-distortion",
           "the 3 dB of PSNR are added to an error; decibels are logarithms of it.", lambda mse: mse + 3.0103),
    ),
    equivalents=(lambda mse: 2 * mse, lambda mse: mse + mse, lambda mse: torch.tensor(2.0) * mse),
)

"""The check of ``adapt_log_beta``: one step of the weight of the KL term towards a committed rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.tighter import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref.rate import STEP

_CLOSE = torch.tensor(1e-5)


def _oracle(log_beta: Any, kl: Any, rate: Any) -> Any:
    return log_beta + STEP * float(np.clip(np.log(max(kl, 1e-9)) - np.log(rate), -1, 1))


def _probe(log_beta: float, kl: float, rate: float, label: str = "") -> Probe:
    said = label or f"log_beta = {log_beta}, kl = {kl} and rate = {rate}"
    return Probe(Call((log_beta, kl, rate)), said, _CLOSE)


def _value(g: Generator) -> list[Probe]:
    probes = []
    for low, high in ((1.2, 2.4), (0.45, 0.85)):  # too much is said, too little
        rate = round(shared.between(g, 30, 90), 1)
        kl = round(rate * shared.between(g, low, high), 1)
        probes.append(_probe(round(shared.between(g, -2, -0.5), 2), kl, rate))
    return [*probes, _probe(round(shared.between(g, 0.5, 2), 2), 60.0, 60.0)]


def _edges(g: Generator) -> list[Probe]:
    return [
        _probe(0.0, 900.0, 60.0, "a KL of fifteen times the rate"),
        _probe(0.3, 2.0, 60.0, "a KL of a thirtieth of the rate"),
        _probe(-0.7, 0.0, 60.0, "a KL of 0"),
        _probe(0.0, 0.8, 0.5, "a rate of half a nat"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _error(kl: float, rate: float) -> float:
    return min(max(math.log(max(kl, 1e-9) / rate), -1.0), 1.0)


ADAPT_LOG_BETA = Check(
    name="adapt_log_beta",
    asks="the logarithm of the weight for the next step: larger if the KL was above the rate",
    section="committed-rate",
    oracle=_oracle,
    parts=(Part("value", 2, _value), Part("edge cases", 1, _edges)),
    misconceptions=(
        _m("rate-sign", "committed-rate",
           "the sign is turned: where the code says too much its price has to rise, not fall.",
           lambda log_beta, kl, rate: log_beta - STEP * _error(kl, rate)),
        _m("rate-difference", "committed-rate",
           "the difference KL − rate is taken instead of the log of their quotient: the step depends on the units.",
           lambda log_beta, kl, rate: log_beta + STEP * min(max(kl - rate, -1.0), 1.0)),
        _m("rate-relative-difference", "committed-rate",
           "the relative error is taken; for a KL near 0 that is −1, where its log goes on to fall.",
           lambda log_beta, kl, rate: log_beta + STEP * min(max(kl / rate - 1, -1.0), 1.0)),
        _m("rate-log-10", "committed-rate", "the logarithm to base 10 is taken; all logs of this course are natural.",
           lambda log_beta, kl, rate: log_beta + STEP * min(max(math.log10(max(kl, 1e-9) / rate), -1.0), 1.0)),
        _m("rate-without-step", "committed-rate", "the step of 0.05 is left out: β would jump about.",
           lambda log_beta, kl, rate: log_beta + _error(kl, rate)),
        _m("rate-not-clipped", "committed-rate",
           "the error is not clipped: a new model, whose KL is nearly 0, would throw β away in a few steps.",
           lambda log_beta, kl, rate: log_beta + STEP * math.log(max(kl, 1e-9) / rate)),
        _m("rate-step-clipped", "committed-rate",
           "the whole step is clipped to ±1, after the 0.05: clip the error before.",
           lambda log_beta, kl, rate: log_beta + min(max(STEP * math.log(max(kl, 1e-9) / rate), -1.0), 1.0)),
        _m("rate-clipped-above-only", "committed-rate",
           "the error is clipped above only; below it can be far larger, for a KL may be 0.",
           lambda log_beta, kl, rate: log_beta + STEP * min(math.log(max(kl, 1e-9) / rate), 1.0)),
        _m("rate-forgets", "committed-rate", "only the change is returned; add it to log_beta.",
           lambda log_beta, kl, rate: STEP * _error(kl, rate)),
        _m("rate-of-beta", "committed-rate", "β is returned instead of its logarithm.",
           lambda log_beta, kl, rate: math.exp(log_beta + STEP * _error(kl, rate))),
        _m("rate-log-beta-is-beta", "committed-rate", "log_beta is taken for β, and its logarithm is taken again.",
           lambda log_beta, kl, rate: math.log(abs(log_beta)) + STEP * _error(kl, rate)),
    ),
    equivalents=(
        lambda log_beta, kl, rate: log_beta + STEP * min(max(math.log(max(kl, 1e-9) / rate), -1.0), 1.0),
        lambda log_beta, kl, rate: log_beta + 0.05 * float(
            torch.clamp(torch.log(torch.tensor(kl, dtype=torch.float64) / rate), -1, 1)),
        lambda log_beta, kl, rate: log_beta + math.log(min(max(kl / rate, math.exp(-1)), math.e)) / 20,
        lambda log_beta, kl, rate: torch.as_tensor(
            log_beta + 0.05 * max(-1.0, min(1.0, math.log(kl + 1e-12) - math.log(rate)))),
    ),
)

"""The check of ``kl_weight``.

Asked for: a weight that rises in a straight line from 0 to 1 while the warm-up lasts, and stays there.
"""

from __future__ import annotations

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.training import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import training


def _kl_weight_probe(step: int, warmup_steps: int) -> Probe:
    return Probe(Call((step, warmup_steps)), f"step {step} of {warmup_steps} of warm-up")


def _rising(g: Generator) -> list[Probe]:
    warmup_steps = (10, shared.number(g, 11, 40), 2 * shared.number(g, 100, 500))
    steps = [
        (w, shared.number(g, w // 5, w // 2 - 1), shared.number(g, w // 2 + 1, w - 2)) for w in warmup_steps
    ]
    return [_kl_weight_probe(step, w) for w, *some in steps for step in (0, 1, *some)]


def _risen(g: Generator) -> list[Probe]:
    warmup_steps = shared.number(g, 5, 50)
    return [_kl_weight_probe(warmup_steps + more, warmup_steps) for more in (0, 1, shared.number(g, 5, 90))]


def _no_warmup(g: Generator) -> list[Probe]:
    return [_kl_weight_probe(step, 0) for step in (0, 1, shared.number(g, 5, 90))]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



KL_WEIGHT = Check(
    name="kl_weight",
    asks="a weight that rises in a straight line from 0 to 1 while the warm-up lasts, and stays there",
    section="kl-warm-up",
    oracle=shared.kl_weight_oracle,
    parts=(
        Part("rising", 1, _rising),
        Part("after the warm-up", 1, _risen),
        Part("no warm-up", 1, _no_warmup),
    ),
    misconceptions=(
        _m("kl-weight-percent", "kl-warm-up", "the weight is a percentage; it should end at 1.",
           lambda step, warmup_steps: 100 * training.kl_weight(step, warmup_steps)),
        _m("kl-weight-reversed", "kl-warm-up", "the weight falls from 1 to 0; a warm-up starts without the KL term.",
           lambda step, warmup_steps: 1 - training.kl_weight(step, warmup_steps)),
        _m("kl-weight-switched-on", "kl-warm-up", "the weight jumps from 0 to 1 at the end, without a slope.",
           lambda step, warmup_steps: 1.0 if step >= warmup_steps else 0.0),
        _m("kl-weight-one-early", "kl-warm-up", "it is one step ahead: before the first step, none has been taken.",
           lambda step, warmup_steps: min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0),
        _m("kl-weight-sigmoid", "kl-warm-up", "the weight follows a sigmoid; a straight line is asked for.",
           lambda step, warmup_steps:
           torch.sigmoid(torch.tensor(10 * (step / max(warmup_steps, 1) - 0.5))).item()),
        _m("kl-weight-not-capped", "kl-warm-up", "the weight grows beyond 1 when the warm-up is over.",
           lambda step, warmup_steps: step / warmup_steps if warmup_steps else 1.0),
        _m("kl-weight-cyclical", "kl-warm-up", "the weight falls back to 0 and starts again when the warm-up is over.",
           lambda step, warmup_steps: (step % warmup_steps) / warmup_steps if warmup_steps else 1.0),
        _m("kl-weight-division-by-zero", "kl-warm-up", "without a warm-up it divides by 0.",
           lambda step, warmup_steps: min(1.0, step / warmup_steps)),
        _m("kl-weight-zero-without-warmup", "kl-warm-up", "without a warm-up the KL term never counts.",
           lambda step, warmup_steps: min(1.0, step / warmup_steps) if warmup_steps else 0.0),
        _m("kl-weight-first-step-zero", "kl-warm-up",
           "without a warm-up the KL term is left out of the very first step.",
           lambda step, warmup_steps: min(1.0, step / max(1, warmup_steps))),
    ),
    equivalents=(
        training.kl_weight,
        lambda step, warmup_steps: 1 if step >= warmup_steps else step / warmup_steps,
        lambda step, warmup_steps: torch.tensor(step / warmup_steps if warmup_steps else 1.0).clamp(max=1.0),
        lambda step, warmup_steps: min(step, warmup_steps) / warmup_steps if warmup_steps > 0 else 1.0,
        lambda step, warmup_steps: 1.0 - max(0, warmup_steps - step) / max(1, warmup_steps),
    ),
)

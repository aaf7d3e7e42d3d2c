"""What several checks of assignment 08 use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.judge.definitions import Probe, Step

SIZE = 8  # side of the images


def number(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def between(g: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=g))


def patient(g: Generator, latent_dim: int, **ailments: Any) -> Step:
    """A step that makes a patient and keeps it as "model"."""
    return Step("toys.Patient", Call((latent_dim, SIZE, number(g)), ailments, keep="model"))


def images(g: Generator, count: int) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=g)


TO_EVALUATION = Step("model.eval", Call(keep="model"))


def examination(
    g: Generator,
    label: str,
    count: int = 5,
    latent_dim: int = 4,
    evaluation: bool = False,
    further: tuple[Any, ...] = (),
    tolerance: Tensor | None = None,
    after: tuple[Step, ...] = (),
    **ailments: Any,
) -> Probe:
    """A call f(model, x, *further) with a patient that was just made."""
    before = (patient(g, latent_dim, **ailments), *((TO_EVALUATION,) if evaluation else ()))
    call = Call((Handle("model"), images(g, count), *further))
    return Probe(call, label, tolerance, before=before, after=after)


def codes(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the encoder's network says, in double precision, by its weights."""
    flat = x.double().flatten(1) - 0.5
    return flat @ model.to_mu.detach().double().T, flat @ model.to_logvar.detach().double().T - 1


def picture(model: Any, z: Tensor) -> Tensor:
    """What the decoder's network makes of codes, in double precision, by its weights; flat, (B, D)."""
    return torch.sigmoid(z.double() @ model.to_pixels.detach().double().T)

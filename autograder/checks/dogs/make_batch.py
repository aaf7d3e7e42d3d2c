"""The check of ``make_batch``.

Asked for: bytes made into numbers in [0, 1], and augmented if and only if they are for training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Seed
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref.dogs import preprocess


def _oracle(pixels: Tensor, training: bool, generator: Any = None) -> Tensor:
    return pixels.double() / 255


def _of_helpers(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """Batches when other functions stand in for those that scale and vary the images."""

    def batch(pixels: Tensor, training: bool, generator: Any = None) -> Tensor:
        x = helpers["to_unit_interval"](pixels)
        return helpers["augment"](x) if training else x

    return batch


def _bytes(g: Generator, *shape: int) -> Tensor:
    return torch.randint(20, 200, shape, generator=g, dtype=torch.uint8)


def _seed(g: Generator) -> Seed:
    return Seed(int(torch.randint(2**31, (), generator=g)))


def _validation(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_bytes(g, n, 3, 4, 6), False), {"generator": _seed(g)}), f"training=False and {n} images")
        for n in (5, 12)
    ]


def _training(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_bytes(g, 16, 3, 4, 4), True), {"generator": _seed(g)}), "training=True", torch.zeros(()))
    ]


def _training_holds(results: list[Any], probes: list[Probe]) -> str:
    """Whether they are augmented at all: whether they are so rightly is a matter of ``augment``."""
    x, plain = results[0], probes[0].call.args[0].double() / 255
    if x.shape != plain.shape or not x.is_floating_point():
        return f"With training=True, make_batch returned {x.dtype} of shape {tuple(x.shape)}."
    if torch.allclose(x.double(), plain, atol=1e-3):
        return "With training=True, the images are not augmented."
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _plain(pixels: Tensor) -> Tensor:
    return pixels.float() / 255


def _augmented(pixels: Tensor, generator: Generator | None) -> Tensor:
    return preprocess.augment(_plain(pixels), generator)


def _noisy_validation(pixels: Tensor, training: bool, generator: Generator | None = None) -> Tensor:
    x = _plain(pixels)
    return _augmented(pixels, generator) if training else torch.where(
        torch.rand((len(x), 1, 1, 1), generator=generator) < 0.5, x.flip(-1), x)


MAKE_BATCH = Check(
    name="make_batch",
    asks="images in [0, 1], augmented if they are for training and untouched if not",
    section="augmentation",
    oracle=_oracle,
    parts=(
        Part("validation", 2, _validation),
        Part("training", 1, _training, _training_holds),
    ),
    misconceptions=(
        _m("batch-always-augmented", "augmentation",
           "images to be measured are augmented: then the number belongs to other data, and jitters.",
           lambda pixels, training, generator=None: _augmented(pixels, generator)),
        _m("batch-mirrors-validation", "augmentation",
           "images to be measured are still mirrored: only the brightness is left alone.", _noisy_validation),
        _m("batch-never-augmented", "augmentation", "training is ignored: nothing is augmented.",
           lambda pixels, training, generator=None: _plain(pixels)),
        _m("batch-of-bytes", "why-unit-interval", "images to be measured stay bytes.",
           lambda pixels, training, generator=None: _augmented(pixels, generator) if training else pixels),
        _m("batch-not-scaled", "why-unit-interval",
           "the images still run from 0 to 255 when they are measured.",
           lambda pixels, training, generator=None: _augmented(pixels, generator) if training else pixels.float()),
        _m("batch-scaled-twice", "why-unit-interval", "the images are divided by 255 twice.",
           lambda pixels, training, generator=None:
           _augmented(pixels, generator) / 255 if training else _plain(pixels) / 255),
    ),
    equivalents=(
        lambda pixels, training, generator=None: _augmented(pixels, generator) if training else _plain(pixels),
        lambda pixels, training, generator=None: (
            preprocess.augment(pixels / 255, generator=generator) if training else pixels / 255),
    ),
    helpers={"to_unit_interval": (("pixels",), "elements"), "augment": (("x",), "elements")},
    of_helpers=_of_helpers,
)

"""The check of ``seconds_saved``.

Asked for: the seconds of a training run that decoding once saves against decoding in every epoch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe


def _oracle(num_images: int, num_epochs: int, decode_seconds: float, read_seconds: float) -> Any:
    """By going through the run, epoch by epoch."""
    every_epoch, once = 0.0, num_images * decode_seconds
    for _ in range(num_epochs):
        every_epoch += num_images * decode_seconds
        once += num_images * read_seconds
    return every_epoch - once


def _probe(num_images: int, num_epochs: int, decode_seconds: float, read_seconds: float) -> Probe:
    label = (
        f"{num_images:,} images, {num_epochs} epoch{'s' * (num_epochs > 1)}, "
        f"{1e3 * decode_seconds:g} ms to decode and {1e3 * read_seconds:g} ms to read"
    )
    return Probe(Call((num_images, num_epochs, decode_seconds, read_seconds)), label)


def _value(g: Generator) -> list[Probe]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    return [
        _probe(1000 * number(2, 9), number(5, 30), number(20, 60) / 1e4, number(2, 9) / 1e4),
        _probe(12_000, number(40, 100), number(20, 60) / 1e4, number(2, 9) / 1e5),
    ]


def _edges(g: Generator) -> list[Probe]:
    return [_probe(12_000, 1, 0.003, 0.0005), _probe(500, 3, 0.0004, 0.0004)]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _right(n: int, epochs: int, decode: float, read: float) -> float:
    return n * (epochs * decode - decode - epochs * read)


SECONDS_SAVED = Check(
    name="seconds_saved",
    asks="the seconds that decoding once saves over a whole training run",
    section="memory-map",
    oracle=_oracle,
    parts=(
        Part("value", 2, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("saved-free-decoding", "memory-map", "decoding once costs something, too: every image is decoded once.",
           lambda num_images, num_epochs, decode_seconds, read_seconds:
           num_images * num_epochs * (decode_seconds - read_seconds)),
        _m("saved-free-reading", "memory-map", "reading the stored images costs a little in every epoch.",
           lambda num_images, num_epochs, decode_seconds, read_seconds:
           num_images * (num_epochs - 1) * decode_seconds),
        _m("saved-one-epoch", "memory-map", "that is what a single epoch saves, without the decoding before it.",
           lambda num_images, num_epochs, decode_seconds, read_seconds:
           num_images * (decode_seconds - read_seconds)),
        _m("saved-one-image", "memory-map", "that is what one image saves; multiply by their number.",
           lambda n, e, d, r: _right(1, e, d, r)),
        _m("saved-sign", "memory-map", "the sign is turned: a positive number means time saved.",
           lambda n, e, d, r: -_right(n, e, d, r)),
        _m("saved-ratio", "memory-map", "that is how many times faster it is; the difference in seconds is asked for.",
           lambda n, e, d, r: e * d / (d + e * r)),
        _m("saved-first-epoch-not-read", "memory-map",
           "all epochs read the stored images, the first one as well.",
           lambda n, e, d, r: n * (e - 1) * (d - r)),
        _m("saved-at-least-nothing", "memory-map",
           "with one epoch, decoding once saves nothing and costs a reading: the result is negative then.",
           lambda n, e, d, r: max(0.0, _right(n, e, d, r))),
    ),
    equivalents=(
        _right,
        lambda num_images, num_epochs, decode_seconds, read_seconds:
        num_images * num_epochs * decode_seconds
        - (num_images * decode_seconds + num_images * num_epochs * read_seconds),
        lambda n, e, d, r: torch.tensor(n * ((e - 1) * d - e * r), dtype=torch.float64),
    ),
)

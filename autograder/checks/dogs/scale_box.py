"""The check of ``scale_box``.

Asked for: a box in the pixels of the file at hand, from one in the pixels of the annotated original.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe

Pair = Sequence[float]


def _oracle(box: Pair, annotated_size: Pair, actual_size: Pair) -> Any:
    stretch = np.diag(np.tile(np.divide(actual_size, annotated_size), 2))
    return (stretch @ np.asarray(box, dtype=float)).tolist()


def _number(g: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=g))


def _box(g: Generator, width: int, height: int) -> tuple[int, int, int, int]:
    return (
        _number(g, 11, width // 3),
        _number(g, 12, height // 3),
        _number(g, width // 2, width - 13),
        _number(g, height // 2, height - 14),
    )


def _probe(g: Generator, annotated: tuple[int, int], actual: tuple[int, int], label: str) -> Probe:
    # floats of the other process are the same, so a part in a million is much
    return Probe(Call((_box(g, *annotated), annotated, actual)), label, torch.tensor(1e-3))


def _value(g: Generator) -> list[Probe]:
    probes = []
    for shrink in (0.37, 0.61):
        width, height = _number(g, 301, 640), _number(g, 305, 480)
        # a copy whose two sides were not shrunk alike, so that no mistake hides
        actual = round(shrink * width), round((shrink + 0.11) * height)
        probes.append(
            _probe(g, (width, height), actual, f"a {width}×{height} picture kept at {actual[0]}×{actual[1]}")
        )
    return probes


def _edges(g: Generator) -> list[Probe]:
    return [
        _probe(g, (500, 375), (500, 375), "a file of the annotated size"),
        _probe(g, (300, 200), (707, 470), "a file larger than its annotation says"),
        Probe(Call(((0.5, 10.25, 100.5, 90.75), (200, 100), (67, 31))), "a box between pixels"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _by(x_scale: Any, y_scale: Any) -> Any:
    """A variant from the scales of both axes, each a function of (annotated, actual)."""
    def variant(box: Pair, annotated_size: Pair, actual_size: Pair) -> tuple[float, ...]:
        x, y = x_scale(annotated_size, actual_size), y_scale(annotated_size, actual_size)
        return box[0] * x, box[1] * y, box[2] * x, box[3] * y
    return variant


def _right_x(annotated: Pair, actual: Pair) -> float:
    return actual[0] / annotated[0]


def _right_y(annotated: Pair, actual: Pair) -> float:
    return actual[1] / annotated[1]


def _corner_and_size(box: Pair, annotated_size: Pair, actual_size: Pair) -> tuple[float, ...]:
    left, top, right, bottom = _by(_right_x, _right_y)(box, annotated_size, actual_size)
    return left, top, right - left, bottom - top


SCALE_BOX = Check(
    name="scale_box",
    asks="the box in pixels of the file at hand, from the box in pixels of the annotated original",
    section="boxes",
    oracle=_oracle,
    parts=(
        Part("value", 2, _value),
        Part("edge cases", 1, _edges),
    ),
    misconceptions=(
        _m("box-not-scaled", "boxes", "the box is returned as it is: it counts pixels of the original.",
           lambda box, annotated_size, actual_size: tuple(box)),
        _m("box-scaled-the-other-way", "boxes",
           "the ratio is turned over: in a smaller copy, the box has to become smaller.",
           _by(lambda old, new: old[0] / new[0], lambda old, new: old[1] / new[1])),
        _m("box-one-ratio", "boxes", "the ratio of the widths serves both axes; each axis has its own.",
           _by(_right_x, _right_x)),
        _m("box-ratio-of-heights", "boxes", "the ratio of the heights serves both axes; each axis has its own.",
           _by(_right_y, _right_y)),
        _m("box-axes-swapped", "boxes",
           "x is scaled with the heights and y with the widths; sizes are (width, height) here, not as numpy has them.",
           _by(_right_y, _right_x)),
        _m("box-rounded", "boxes", "the corners are rounded; keep them exact until the picture is cut.",
           lambda box, annotated_size, actual_size: tuple(
               round(v) for v in _by(_right_x, _right_y)(box, annotated_size, actual_size))),
        _m("box-with-width-and-height", "boxes",
           "the last two numbers are width and height; a box is two corners.", _corner_and_size),
        _m("box-in-parts-of-one", "boxes",
           "the box is divided by the annotated size but not multiplied with the actual one.",
           _by(lambda old, new: 1 / old[0], lambda old, new: 1 / old[1])),
        _m("box-not-divided", "boxes",
           "the box is multiplied with the actual size but not divided by the annotated one.",
           _by(lambda old, new: new[0], lambda old, new: new[1])),
    ),
    equivalents=(
        _by(_right_x, _right_y),
        lambda box, annotated_size, actual_size: tuple(
            corner * actual_size[i % 2] / annotated_size[i % 2] for i, corner in enumerate(box)),
        lambda box, annotated_size, actual_size: [
            *(float(v) for v in np.array(box).reshape(2, 2).dot(
                np.diag(np.array(actual_size) / np.array(annotated_size))).ravel())],
        lambda box, annotated_size, actual_size: tuple(
            (torch.tensor(box, dtype=torch.float64).view(2, 2)
             * (torch.tensor(actual_size) / torch.tensor(annotated_size))).flatten().tolist()),
    ),
)

"""The check of ``coverage``: how many places of the input write to each place behind a transposed convolution."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe


def _oracle(num_inputs: int, kernel: int, stride: int) -> Any:
    ones = torch.ones(1, 1, num_inputs), torch.ones(1, 1, kernel)
    return [int(count) for count in F.conv_transpose1d(*ones, stride=stride)[0, 0].tolist()]


def _probe(num_inputs: int, kernel: int, stride: int) -> Probe:
    return Probe(
        Call((num_inputs, kernel, stride)), f"{num_inputs} inputs, kernel {kernel} and stride {stride}"
    )


def _overlapping(g: Generator) -> list[Probe]:
    count = 4 + int(torch.randint(4, (), generator=g))
    return [_probe(count, 3, 2), _probe(count + 1, 4, 2), _probe(5, 5, 2), _probe(count, 5, 3)]


def _special(_: Generator) -> list[Probe]:
    return [_probe(4, 2, 2), _probe(1, 4, 2), _probe(3, 2, 3), _probe(4, 3, 1)]


def _counted(length: int, places: list[range]) -> list[int]:
    counts = [0] * length
    for touched in places:
        for place in touched:
            if place < length:
                counts[place] += 1
    return counts


def _coverage(num_inputs: int, kernel: int, stride: int) -> list[int]:
    length = (num_inputs - 1) * stride + kernel
    return _counted(length, [range(i * stride, i * stride + kernel) for i in range(num_inputs)])


def _gathered(num_inputs: int, kernel: int, stride: int) -> list[int]:
    """Right as well: from the side of the result."""
    return [
        sum(0 <= place - i * stride < kernel for i in range(num_inputs))
        for place in range(stride * (num_inputs - 1) + kernel)
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


COVERAGE = Check(
    name="coverage",
    asks="for each place behind a transposed convolution, how many places of its input write to it",
    section="checkerboards",
    oracle=_oracle,
    parts=(Part("kernels that overlap", 2, _overlapping), Part("special cases", 1, _special)),
    misconceptions=(
        _m("coverage-length", "checkerboards",
           "the result is cut at inputs times stride: without padding, the last kernel reaches further.",
           lambda num_inputs, kernel, stride: _coverage(num_inputs, kernel, stride)[:num_inputs * stride]),
        _m("coverage-all-once", "checkerboards", "every place is counted once: kernels that overlap add up.",
           lambda num_inputs, kernel, stride: [1] * len(_coverage(num_inputs, kernel, stride))),
        _m("coverage-no-edges", "checkerboards",
           "the counts of the middle go on to the edges; the first and last places have fewer neighbours.",
           lambda num_inputs, kernel, stride: [
               len(range(place % stride, kernel, stride))
               for place in range((num_inputs - 1) * stride + kernel)]),
        _m("coverage-rounded", "checkerboards",
           "kernel / stride is rounded up for all places: where it is no whole number, counts alternate.",
           lambda num_inputs, kernel, stride:
           [math.ceil(kernel / stride)] * ((num_inputs - 1) * stride + kernel)),
        _m("coverage-stride-one", "checkerboards", "the kernels move on by one place; they move by the stride.",
           lambda num_inputs, kernel, stride: _coverage(num_inputs, kernel, 1)),
        _m("coverage-swapped", "checkerboards", "kernel and stride are mixed up.",
           lambda num_inputs, kernel, stride: _coverage(num_inputs, stride, kernel)),
        _m("coverage-one-input-less", "checkerboards", "the last input is left out.",
           lambda num_inputs, kernel, stride: _coverage(num_inputs - 1, kernel, stride)),
        _m("coverage-kernel-short", "checkerboards", "a kernel writes to one place less than it has weights.",
           lambda num_inputs, kernel, stride: _counted(
               len(_coverage(num_inputs, kernel, stride)),
               [range(i * stride, i * stride + kernel - 1) for i in range(num_inputs)])),
        _m("coverage-forward", "checkerboards",
           "that is how often an ordinary convolution reads each place: the transposed one enlarges.",
           lambda num_inputs, kernel, stride: [
               sum(0 <= place - start < kernel for start in range(0, num_inputs - kernel + 1, stride))
               for place in range(num_inputs)]),
        _m("coverage-holes-filled", "checkerboards",
           "a stride above the kernel leaves places that nothing writes to; they count 0.",
           lambda num_inputs, kernel, stride: [max(1, n) for n in _coverage(num_inputs, kernel, stride)]),
    ),
    equivalents=(
        _coverage,
        _gathered,
        lambda num_inputs, kernel, stride: F.conv_transpose1d(
            torch.ones(1, 1, num_inputs), torch.ones(1, 1, kernel), stride=stride).flatten().tolist(),
    ),
)

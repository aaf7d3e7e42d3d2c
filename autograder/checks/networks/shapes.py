"""The checks of ``conv_output_side``, ``receptive_field`` and ``conv_parameters``: arithmetic before the first layer.

Nothing is random but the cases. The oracles run the real layers of torch and look.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, nn
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe

Layers = list[list[int]]  # kernel and stride of each layer, as they arrive from the other side of the wall


def _number(g: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=g))


# ---- conv_output_side -----------------------------------------------------------------------------------------------


def _side_oracle(side: int, kernel: int, stride: int, padding: int) -> Any:
    row, weight = torch.zeros(1, 1, side), torch.zeros(1, 1, kernel)
    return F.conv1d(row, weight, stride=stride, padding=padding).shape[2]


def _side_probe(side: int, kernel: int, stride: int, padding: int) -> Probe:
    label = f"{side} pixels, kernel {kernel}, stride {stride}, padding {padding}"
    return Probe(Call((side, kernel, stride, padding)), label)


def _even_sides(g: Generator) -> list[Probe]:
    """Sides where the last step ends exactly at the edge, the padding is there, and the result is no side // stride."""
    more = _number(g, 3, 9)
    return [
        _side_probe(9 + 2 * more, 5, 2, 2),
        _side_probe(64, 3, 1, 3),
        _side_probe(10 + 3 * more, 7, 3, 3),
        _side_probe(64, 8, 8, 0),
    ]


def _uneven_sides(g: Generator) -> list[Probe]:
    more = _number(g, 3, 9)
    return [
        _side_probe(64, 3, 2, 1),
        _side_probe(10 + 2 * more, 3, 2, 1),
        _side_probe(64, 5, 3, 1),
        _side_probe(12 + 4 * more, 7, 4, 1),
    ]


# ---- receptive_field ------------------------------------------------------------------------------------------------


def _field_oracle(layers: Layers) -> Any:
    """Counts the pixels that a number in the middle reacts to."""
    size = 801  # more than any field here
    row = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    result = row
    for kernel, stride in layers:
        result = F.conv1d(result, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride)
    (slope,) = torch.autograd.grad(result[0, 0, result.shape[2] // 2], row)
    (reached,) = slope[0, 0].nonzero(as_tuple=True)
    return int(reached[-1] - reached[0]) + 1


def _field_probe(*layers: tuple[int, int]) -> Probe:
    return Probe(Call(([list(layer) for layer in layers],)), f"the layers {list(layers)}")


def _fields(g: Generator) -> list[Probe]:
    odd = 3 + 2 * _number(g, 0, 2)
    return [
        _field_probe((4, 2), (3, 1), (5, 2)),
        _field_probe((odd, 2), (3, 3), (4, 1), (3, 2)),
        _field_probe((6, 3), (odd, 2)),
    ]


def _plain_fields(g: Generator) -> list[Probe]:
    kernel = _number(g, 3, 8)
    return [_field_probe((kernel, 1)), _field_probe((8, 8), (1, 1), (3, 1)), _field_probe()]


def _walk(layers: Layers, grow: Any, start: int = 1) -> int:
    """Field and jump from the first layer to the last; ``grow`` makes new ones of old ones."""
    field, jump = start, 1
    for kernel, stride in layers:
        field, jump = grow(field, jump, kernel, stride)
    return field


def _right_field(layers: Layers) -> int:
    return _walk(layers, lambda field, jump, kernel, stride: (field + (kernel - 1) * jump, jump * stride))


def _field_backwards(layers: Layers) -> int:
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def _field_as_sum(layers: Layers) -> int:
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, (kernel, _) in enumerate(layers))


# ---- conv_parameters ------------------------------------------------------------------------------------------------


def _parameters_oracle(in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> Any:
    return sum(p.numel() for p in nn.Conv2d(in_channels, out_channels, kernel, bias=bias).parameters())


def _parameters_probe(in_channels: int, out_channels: int, kernel: int, **keywords: bool) -> Probe:
    without = "" if keywords.get("bias", True) else ", no bias"
    label = f"{in_channels} channels in, {out_channels} out, kernel {kernel}{without}"
    return Probe(Call((in_channels, out_channels, kernel), keywords or None), label)


def _parameters(g: Generator) -> list[Probe]:
    return [
        _parameters_probe(3, 32, 4),
        _parameters_probe(_number(g, 5, 9), _number(g, 11, 20), 3),
        _parameters_probe(_number(g, 11, 20), _number(g, 5, 9), 5),
    ]


def _parameters_without_bias(g: Generator) -> list[Probe]:
    return [
        _parameters_probe(_number(g, 5, 9), _number(g, 11, 20), 3, bias=False),
        _parameters_probe(3, 16, 8, bias=True),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


CONV_OUTPUT_SIDE = Check(
    name="conv_output_side",
    asks="the side of what a convolution makes of a square picture",
    section="shapes-by-hand",
    oracle=_side_oracle,
    parts=(Part("steps that end at the edge", 1, _even_sides), Part("steps that do not", 1, _uneven_sides)),
    misconceptions=(
        _m("conv-side-padding-once", "shapes-by-hand", "the padding is counted once; it is added on both sides.",
           lambda side, kernel, stride, padding: (side + padding - kernel) // stride + 1),
        _m("conv-side-no-padding", "shapes-by-hand", "the padding is left out.",
           lambda side, kernel, stride, padding: (side - kernel) // stride + 1),
        _m("conv-side-without-one", "shapes-by-hand", "steps are counted, not places: the first place needs no step.",
           lambda side, kernel, stride, padding: (side + 2 * padding - kernel) // stride),
        _m("conv-side-no-stride", "shapes-by-hand", "the stride is left out.",
           lambda side, kernel, stride, padding: side + 2 * padding - kernel + 1),
        _m("conv-side-halved", "shapes-by-hand",
           "the side is divided by the stride only: right where the padding fits the kernel, wrong elsewhere.",
           lambda side, kernel, stride, padding: side // stride),
        _m("conv-side-no-kernel", "shapes-by-hand", "the kernel is taken for one pixel: it has to fit in as a whole.",
           lambda side, kernel, stride, padding: (side + 2 * padding - 1) // stride + 1),
        _m("conv-side-one-too-early", "shapes-by-hand", "the 1 is added before the division; it belongs behind it.",
           lambda side, kernel, stride, padding: (side + 2 * padding - kernel + 1) // stride),
        _m("conv-side-transposed", "shapes-by-hand",
           "this is the formula of the transposed convolution, which enlarges.",
           lambda side, kernel, stride, padding: (side - 1) * stride - 2 * padding + kernel),
        _m("conv-side-rounded-up", "shapes-by-hand", "it is rounded up: a last step that does not fit is not taken.",
           lambda side, kernel, stride, padding: math.ceil((side + 2 * padding - kernel) / stride) + 1),
        _m("conv-side-not-rounded", "shapes-by-hand", "it is not rounded: there is no half a place.",
           lambda side, kernel, stride, padding: (side + 2 * padding - kernel) / stride + 1),
    ),
    equivalents=(
        lambda side, kernel, stride, padding: (side + 2 * padding - kernel) // stride + 1,
        lambda side, kernel, stride, padding: (side + 2 * padding - kernel + stride) // stride,
        lambda side, kernel, stride, padding: len(range(0, side + 2 * padding - kernel + 1, stride)),
        lambda side, kernel, stride, padding: math.floor((side - kernel + 2 * padding) / stride + 1),
        lambda side, kernel, stride, padding:
        nn.Conv2d(1, 1, kernel, stride, padding)(torch.zeros(1, 1, side, side)).shape[-1],
    ),
)


RECEPTIVE_FIELD = Check(
    name="receptive_field",
    asks="the side of the square of pixels that one place of the last layer can see",
    section="receptive-field",
    oracle=_field_oracle,
    parts=(Part("several layers", 2, _fields), Part("plain cases", 1, _plain_fields)),
    misconceptions=(
        _m("field-strides-ignored", "receptive-field",
           "the strides are left out: behind a stride of 2 neighbours are two pixels apart.",
           lambda layers: _walk(layers, lambda f, j, k, s: (f + k - 1, 1))),
        _m("field-own-stride", "receptive-field",
           "a layer's own stride is counted for its kernel; it spreads out the layers after it.",
           lambda layers: _walk(layers, lambda f, j, k, s: (f + (k - 1) * j * s, j * s))),
        _m("field-stride-before", "receptive-field", "only the stride of the layer just before counts, not all before.",
           lambda layers: _walk(layers, lambda f, j, k, s: (f + (k - 1) * j, s))),
        _m("field-strides-added", "receptive-field", "the strides are added up; steps of steps multiply.",
           lambda layers: _walk(layers, lambda f, j, k, s: (f + (k - 1) * j, j + s))),
        _m("field-whole-kernels", "receptive-field",
           "each layer adds its whole kernel; one of its pixels was there already.",
           lambda layers: _walk(layers, lambda f, j, k, s: (f + k * j, j * s), start=0)),
        _m("field-from-zero", "receptive-field", "it starts from 0; before any layer a place sees one pixel.",
           lambda layers: _right_field(layers) - 1),
        _m("field-sum-of-kernels", "receptive-field", "the kernels are added up.",
           lambda layers: sum(kernel for kernel, _ in layers)),
        _m("field-product-of-kernels", "receptive-field", "the kernels are multiplied.",
           lambda layers: math.prod(kernel for kernel, _ in layers)),
        _m("field-product-of-strides", "receptive-field", "that is the distance between places, not what one sees.",
           lambda layers: math.prod(stride for _, stride in layers)),
        _m("field-wrong-end", "receptive-field", "the layers are taken in the wrong order.",
           lambda layers: _right_field(layers[::-1])),
        _m("field-first-return", "receptive-field", "it returns after the first layer: look where the return stands.",
           lambda layers: _right_field(layers[:1])),
        _m("field-no-layers", "receptive-field", "without any layer it fails: then a place sees one pixel, itself.",
           lambda layers: _right_field(layers) if layers else layers[0]),
    ),
    equivalents=(_right_field, _field_backwards, _field_as_sum),
)


CONV_PARAMETERS = Check(
    name="conv_parameters",
    asks="how many numbers a convolution learns",
    section="parameter-count",
    oracle=_parameters_oracle,
    parts=(Part("with biases", 1, _parameters), Part("without", 1, _parameters_without_bias)),
    misconceptions=(
        _m("parameters-no-bias", "parameter-count", "the biases are missing.",
           lambda in_channels, out_channels, kernel, bias=True: in_channels * out_channels * kernel**2),
        _m("parameters-one-bias", "parameter-count", "there is one bias in all; each channel of the result has one.",
           lambda in_channels, out_channels, kernel, bias=True: in_channels * out_channels * kernel**2 + bias),
        _m("parameters-bias-in", "parameter-count", "each channel that goes in gets a bias; those that come out do.",
           lambda in_channels, out_channels, kernel, bias=True:
           in_channels * out_channels * kernel**2 + in_channels * bias),
        _m("parameters-bias-of-pairs", "parameter-count", "each pair of channels gets a bias of its own.",
           lambda in_channels, out_channels, kernel, bias=True: in_channels * out_channels * (kernel**2 + bias)),
        _m("parameters-kernel-once", "parameter-count", "the kernel has a side, and is a square of it.",
           lambda in_channels, out_channels, kernel, bias=True: out_channels * (in_channels * kernel + bias)),
        _m("parameters-in-ignored", "parameter-count",
           "each channel that comes out looks at all that go in, with other weights for each.",
           lambda in_channels, out_channels, kernel, bias=True: out_channels * (kernel**2 + bias)),
        _m("parameters-out-ignored", "parameter-count", "there is one kernel; each channel that comes out has its own.",
           lambda in_channels, out_channels, kernel, bias=True: in_channels * kernel**2 + bias),
        _m("parameters-channels-added", "parameter-count", "the channels are added; each meets each, so they multiply.",
           lambda in_channels, out_channels, kernel, bias=True:
           (in_channels + out_channels) * kernel**2 + out_channels * bias),
        _m("parameters-bias-always", "parameter-count", "bias=False is ignored.",
           lambda in_channels, out_channels, kernel, bias=True: out_channels * (in_channels * kernel**2 + 1)),
    ),
    equivalents=(
        lambda in_channels, out_channels, kernel, bias=True: out_channels * (in_channels * kernel**2 + bias),
        lambda in_channels, out_channels, kernel, bias=True:
        kernel * kernel * in_channels * out_channels + (out_channels if bias else 0),
        lambda in_channels, out_channels, kernel, bias=True: sum(
            p.numel() for p in nn.Conv2d(in_channels, out_channels, kernel, bias=bias).parameters()),
    ),
)

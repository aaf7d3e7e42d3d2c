"""The checks of ``to_unit_interval`` and ``change_of_scale``: bytes to numbers in [0, 1], and what a scale is worth."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import AffineTransform, Normal, TransformedDistribution

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step

# ---- to_unit_interval -----------------------------------------------------------------------------------------------


def _unit_oracle(pixels: Tensor) -> Tensor:
    return pixels.double() / 255


def _bytes(g: Generator, *shape: int) -> Tensor:
    """Neither black nor white, and different for each image, so that whoever stretches them is seen."""
    low = torch.randint(5, 60, (shape[0], 1, 1, 1), generator=g)
    high = torch.randint(120, 250, (shape[0], 1, 1, 1), generator=g)
    return (low + (high - low) * torch.rand(shape, generator=g)).round().to(torch.uint8)


def _unit_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_bytes(g, *shape),)), f"bytes of shape {shape}")
        for shape in ((3, 3, 4, 5), (2, 3, 8, 8), (1, 3, 2, 2))
    ]


def _unit_edges(g: Generator) -> list[Probe]:
    ends = torch.tensor([0, 255, 1, 254], dtype=torch.uint8).repeat(3).reshape(1, 3, 2, 2)
    kept = Step("props.itself", Call((ends,), keep="pixels"))
    looked = Step("props.itself", Call((Handle("pixels"),)))
    return [Probe(Call((Handle("pixels"),)), "black and white", before=(kept,), after=(looked,))]


def _unit_holds(results: list[Any], probes: list[Probe]) -> str:
    x, pixels = results[0]
    if x.dtype != torch.float32:
        return f"to_unit_interval returned {x.dtype}, not torch.float32."
    if x.min() != 0 or x.max() != 1:
        return f"Black and white became {x.min():.4g} and {x.max():.4g}, not 0 and 1."
    if not torch.equal(pixels, probes[0].before[0].call.args[0]):
        return "to_unit_interval changed the bytes that it was given."
    return ""


# ---- change_of_scale ------------------------------------------------------------------------------------------------


def _scale_oracle(num_dims: int, scale: float) -> Any:
    """How a standard normal's log density changes at a point of its own, by torch's change of variables."""
    x = Normal(0.0, 1.0)
    point = torch.tensor(0.3, dtype=torch.float64)
    y = TransformedDistribution(x, [AffineTransform(0.0, scale)])
    return num_dims * float(y.log_prob(scale * point) - x.log_prob(point))


def _scale_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((num_dims, scale)), f"{num_dims} numbers and scale = {scale}")
        for num_dims, scale in (
            (int(torch.randint(20, 400, (), generator=g)), 2.0),
            (12288, 255.0),
            (int(torch.randint(20, 400, (), generator=g)), round(3 + float(torch.rand((), generator=g)), 2)),
        )
    ]


def _scale_edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((12288, 1 / 255)), "scale = 1/255"),
        Probe(Call((50, 0.4)), "a scale below 1"),
        Probe(Call((12288, 1.0)), "scale = 1"),
    ]


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _plain(pixels: Tensor) -> Tensor:
    return pixels.float() / 255


TO_UNIT_INTERVAL = Check(
    name="to_unit_interval",
    asks="the bytes as float32 in [0, 1]",
    section="why-unit-interval",
    oracle=_unit_oracle,
    parts=(
        Part("value", 2, _unit_value),
        Part("edge cases", 1, _unit_edges, _unit_holds),
    ),
    misconceptions=(
        _m("unit-not-divided", "why-unit-interval", "the numbers still run from 0 to 255.",
           lambda pixels: pixels.float()),
        _m("unit-256", "why-unit-interval", "the largest byte is 255: divided by 256, white never becomes 1.",
           lambda pixels: pixels.float() / 256),
        _m("unit-whole-numbers", "why-unit-interval",
           "the division is one of whole numbers (//, or a conversion back to bytes): nearly everything becomes 0.",
           lambda pixels: (pixels // 255).float()),
        _m("unit-minus-one-to-one", "why-unit-interval", "that is [−1, 1]; the course uses [0, 1].",
           lambda pixels: 2 * _plain(pixels) - 1),
        _m("unit-around-zero", "why-unit-interval", "half is subtracted: that is [−½, ½]; the course uses [0, 1].",
           lambda pixels: _plain(pixels) - 0.5),
        _m("unit-stretched", "why-unit-interval",
           "the batch is stretched from its darkest to its brightest number, so that its neighbours change a picture.",
           lambda pixels: (pixels.float() - pixels.min()) / (pixels.max() - pixels.min())),
        _m("unit-stretched-each", "why-unit-interval",
           "each image is stretched from its darkest to its brightest number, and its brightness is lost.",
           lambda pixels: (pixels.float() - pixels.amin((1, 2, 3), True))
           / (pixels.amax((1, 2, 3), True) - pixels.amin((1, 2, 3), True))),
        _m("unit-by-maximum", "why-unit-interval", "the bytes are divided by the largest of the batch instead of 255.",
           lambda pixels: pixels.float() / pixels.max()),
        _m("unit-standardised", "why-unit-interval",
           "mean and standard deviation are taken out, as for classifiers; that is not [0, 1].",
           lambda pixels: (_plain(pixels) - _plain(pixels).mean((0, 2, 3), True))
           / _plain(pixels).std((0, 2, 3), keepdim=True)),
        _m("unit-float64", "why-unit-interval", "the result is float64; networks compute in float32.",
           lambda pixels: pixels.double() / 255),
        _m("unit-float16", "why-unit-interval", "the result is half precision; networks compute in float32.",
           lambda pixels: pixels.half() / 255),
    ),
    equivalents=(
        _plain,
        lambda pixels: pixels / 255,
        lambda pixels: pixels.to(torch.float32).div_(255.0),
        lambda pixels: pixels.float() * (1 / 255),
        lambda pixels: torch.from_numpy(pixels.numpy().astype("float32") / 255),
    ),
)

CHANGE_OF_SCALE = Check(
    name="change_of_scale",
    asks="by how many nats the log density of scale · x differs from that of x",
    section="why-unit-interval",
    oracle=_scale_oracle,
    parts=(
        Part("value", 2, _scale_value),
        Part("edge cases", 1, _scale_edges),
    ),
    misconceptions=(
        _m("scale-sign", "why-unit-interval",
           "the sign is turned: stretched over a larger volume, the density becomes smaller.",
           lambda num_dims, scale: num_dims * math.log(scale)),
        _m("scale-once", "why-unit-interval", "the logarithm counts once for each of the numbers, not once in all.",
           lambda num_dims, scale: -math.log(scale)),
        _m("scale-in-bits", "why-unit-interval", "the logarithm is to base 2; nats are asked for.",
           lambda num_dims, scale: -num_dims * math.log2(scale)),
        _m("scale-base-ten", "why-unit-interval", "the logarithm is to base 10; nats are asked for.",
           lambda num_dims, scale: -num_dims * math.log10(scale)),
        _m("scale-without-log", "why-unit-interval", "the scale itself is multiplied; its logarithm is meant.",
           lambda num_dims, scale: -num_dims * scale),
        _m("scale-half", "why-unit-interval", "there is no ½ here: that belongs to a variance, this is a scale.",
           lambda num_dims, scale: -0.5 * num_dims * math.log(scale)),
        _m("scale-squared", "why-unit-interval", "the scale counts twice, like that of a variance.",
           lambda num_dims, scale: -2 * num_dims * math.log(scale)),
        _m("scale-zero", "why-unit-interval", "a density does change with the unit, although nothing else has changed.",
           lambda num_dims, scale: 0.0),
    ),
    equivalents=(
        lambda num_dims, scale: -num_dims * math.log(scale),
        lambda num_dims, scale: num_dims * math.log(1 / scale),
        lambda num_dims, scale: -num_dims * torch.log(torch.tensor(scale, dtype=torch.float64)),
        lambda num_dims, scale: -sum(math.log(scale) for _ in range(num_dims)),
    ),
)

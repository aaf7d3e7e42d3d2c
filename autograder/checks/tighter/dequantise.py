"""The check of ``dequantise``.

Asked for: each 8-bit level placed at random within its own interval of width 1/256. What was drawn can be read off:
u = 256 · result − 255 · x. Its mean and mean square deviation are means of bounded numbers, so Hoeffding's inequality
says how far off they may be with a probability of 1e-10 each, whatever the distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Seed
from autograder.judge.comparing import GENERATOR_IGNORED, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import tighter

LEVELS = 256
RANDOM = torch.zeros(())  # says that results depend on noise; nothing is compared with it
CHANCE = 1e-10
ROUNDING = 1e-3  # of a level, in float32


# ---- what was added to each level -----------------------------------------------------------------------------------


def _added(x: Tensor, y: Tensor) -> Tensor:
    """u of every pixel, in levels."""
    return LEVELS * y.double() - 255 * x.double()


def _limit(count: int, width: float) -> float:
    """How far a mean of independent numbers from an interval of some width may be off."""
    return width * math.sqrt(math.log(2 / CHANCE) / (2 * count))


def _well_formed(y: Any, x: Tensor, label: str) -> str:
    if not isinstance(y, Tensor) or not y.is_floating_point():
        return f"With {label}, dequantise returned {kind(y)}, not a tensor of floating-point numbers."
    if y.shape != x.shape:
        return f"With {label}, dequantise returned shape {tuple(y.shape)}, not {tuple(x.shape)}."
    if y.dtype != x.dtype:
        return f"With {label}, dequantise returned {y.dtype}, not {x.dtype}."
    return (
        "" if bool(y.isfinite().all()) else f"With {label}, dequantise returned values that are not finite."
    )


def _in_its_interval(x: Tensor, y: Tensor) -> str:
    """What is wrong with the place of the values; "" if every one lies in the interval of its level."""
    u = _added(x, y)
    if bool(((u > -ROUNDING) & (u < 1 + ROUNDING)).all()):
        return ""
    if float(y.abs().max()) > 2:
        return "The values do not lie in [0, 1]."
    moved = y.double() - x.double()
    for scale, what in (
        (
            LEVELS,
            "The levels stay 1/255 apart, and white goes beyond 1: 256 intervals of width 1/256 fill [0, 1].",
        ),
        (255, "White goes beyond 1: there are 256 intervals, each 1/256 wide."),
        (1, "Values are moved by up to 1, the whole range: an interval is 1/256 wide."),
    ):
        if bool(((moved > -1e-5) & (scale * moved < 1 + ROUNDING)).all()):
            return what
    if float(u.min()) > -0.5 - ROUNDING and float(u.max()) < 0.5 + ROUNDING:
        return "Black comes to lie below 0: noise goes from a level upwards, never down."
    return "Some values do not lie in the interval of their level, from k / 256 to (k + 1) / 256."


# ---- parts ----------------------------------------------------------------------------------------------------------


def _levels(g: Generator, *shape: int) -> Tensor:
    """Pictures of all levels, black and white among them."""
    level = torch.randint(0, 256, shape, generator=g)
    level[:, :, 0, 0], level[:, :, -1, -1] = 0, 255
    return level.float() / 255


def _seed(g: Generator) -> Seed:
    return Seed(int(torch.randint(2**31, (), generator=g)))


def _value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_levels(g, *shape),), {"generator": _seed(g)}), f"images of shape {shape}")
        for shape in ((8, 3, 64, 64), (5, 3, 6, 4))
    ]


def _value_holds(results: list[Any], probes: list[Probe]) -> str:
    for y, probe in zip(results, probes, strict=True):
        x = probe.call.args[0]
        problem = _well_formed(y, x, probe.label) or _in_its_interval(x, y)
        if problem:
            return problem
    u = _added(probes[0].call.args[0], results[0])
    if float(u.max() - u.min()) < 1e-2:
        if float(u.abs().max()) < 1e-2:
            return "No level is moved within its interval: there is no noise."
        middle = float((u - 0.5).abs().max()) < 1e-2
        return (
            f"Every level is moved {'into the middle of its interval' if middle else 'by the same amount'}."
        )
    for axis, what in ((0, "images"), (1, "colours"), (2, "rows"), (3, "columns")):
        if float((u - u.narrow(axis, 0, 1)).abs().max()) < 1e-2:
            return f"All {what} get the same noise: every number of a picture needs its own."
    # u in [0, 1] has the mean ½; (u − ½)² in [0, ¼] the mean 1/12
    off = abs(float(u.mean()) - 0.5) > _limit(u.numel(), 1.0) + ROUNDING
    if off or abs(float((u - 0.5).square().mean()) - 1 / 12) > _limit(u.numel(), 0.25) + ROUNDING:
        return "The noise is not uniform: every place within the interval of a level is equally likely."
    return ""


def _noise(g: Generator) -> list[Probe]:
    x = _levels(g, 2, 3, 8, 8)
    given = [Probe(Call((x,), {"generator": Seed(seed)}), "", RANDOM) for seed in (5, 5, 6)]
    return [*given, Probe(Call((x,)), "", RANDOM), Probe(Call((x,)), "", RANDOM)]


def _noise_is_fresh(results: list[Any], _: list[Probe]) -> str:
    same, again, other, free, free_again = results
    if not torch.equal(same, again):
        return GENERATOR_IGNORED
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise agree: draw new noise in each call."
    return ""


def _edges(g: Generator) -> list[Probe]:
    black, white = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    named = ((black, "a black image"), (white, "a white image"), (_levels(g, 2, 3, 4, 5).double(), "float64"))
    return [Probe(Call((x,), {"generator": _seed(g)}), label, RANDOM) for x, label in named]


def _edges_hold(results: list[Any], probes: list[Probe]) -> str:
    for y, probe in zip(results, probes, strict=True):
        x = probe.call.args[0]
        problem = _well_formed(y, x, probe.label) or _in_its_interval(x, y)
        if problem:
            return problem
    return ""


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _rand(x: Tensor, generator: Generator | None, *shape: int) -> Tensor:
    return torch.rand(shape or x.shape, generator=generator, dtype=x.dtype)


def _placed(
    noise: Callable[[Tensor, Generator | None], Tensor] = _rand, levels: float = LEVELS
) -> Callable[..., Tensor]:
    """(255 x + noise) / levels, with another noise or another number of levels."""
    def variant(x: Tensor, generator: Generator | None = None) -> Tensor:
        return (255 * x + noise(x, generator)) / levels
    return variant


DEQUANTISE = Check(
    name="dequantise",
    asks="each 8-bit level placed uniformly at random in its own interval of width 1/256",
    section="dequantised-pictures",
    oracle=None,
    parts=(
        Part("place", 3, _value, _value_holds),
        Part("noise", 1, _noise, _noise_is_fresh),
        Part("edge cases", 1, _edges, _edges_hold),
    ),
    misconceptions=(
        _m("dequantise-no-noise", "dequantised-pictures",
           "there is no noise: a density can be made infinite at 256 points, and the number means nothing.",
           _placed(lambda x, g: torch.zeros_like(x))),
        _m("dequantise-middle", "dequantised-pictures",
           "every level is put into the middle of its interval; that has no width for a density to fill.",
           _placed(lambda x, g: torch.full_like(x, 0.5))),
        _m("dequantise-over-255", "dequantised-pictures",
           "it is divided by 255: there are 256 intervals, and white leaves [0, 1].", _placed(levels=255)),
        _m("dequantise-noise-on-top", "dequantised-pictures",
           "the noise is added to x itself, or to 256 x, which is the same: the level of a pixel is 255 x.",
           lambda x, generator=None: x + _rand(x, generator) / LEVELS),
        _m("dequantise-unscaled", "dequantised-pictures",
           "the division by 256 is missing: the values are levels, and the 8 of bits per dim no longer fits.",
           _placed(levels=1)),
        _m("dequantise-centred", "dequantised-pictures",
           "the noise goes from −½ to ½: half of the black pixels end below 0.",
           _placed(lambda x, g: _rand(x, g) - 0.5)),
        _m("dequantise-normal", "dequantised-pictures",
           "the noise is normal (randn): it reaches into other levels, and no inequality holds any more.",
           _placed(lambda x, g: torch.randn(x.shape, generator=g, dtype=x.dtype))),
        _m("dequantise-whole-range", "dequantised-pictures",
           "noise as large as a whole picture is added: u is measured in levels, not in [0, 1].",
           lambda x, generator=None: x + _rand(x, generator)),
        _m("dequantise-one-number", "dequantised-pictures", "one number moves all pixels of all images.",
           _placed(lambda x, g: torch.rand((), generator=g, dtype=x.dtype))),
        _m("dequantise-shared-by-images", "dequantised-pictures", "the same noise serves all images of the batch.",
           _placed(lambda x, g: _rand(x, g, 1, *x.shape[1:]))),
        _m("dequantise-shared-by-colours", "dequantised-pictures", "the same noise serves all colours of a pixel.",
           _placed(lambda x, g: _rand(x, g, len(x), 1, *x.shape[2:]))),
        _m("dequantise-shared-by-pixels", "dequantised-pictures", "one number serves all pixels of a colour.",
           _placed(lambda x, g: _rand(x, g, *x.shape[:2], 1, 1))),
        _m("dequantise-half-interval", "dequantised-pictures",
           "the noise fills only half of each interval, as if there were 512 levels: a free bit for every number.",
           _placed(lambda x, g: 0.5 * _rand(x, g))),
        _m("dequantise-ignores-generator", "dequantised-pictures", "the generator that is passed in is not used.",
           lambda x, generator=None: tighter.dequantise(x)),
        _m("dequantise-fixed-seed", "dequantised-pictures", "the noise is seeded inside the function.",
           lambda x, generator=None: tighter.dequantise(x, torch.Generator().manual_seed(0))),
    ),
    equivalents=(
        tighter.dequantise,
        lambda x, generator=None: (x * 255 + torch.rand(x.shape, generator=generator, dtype=x.dtype)) / 256,
        lambda x, generator=None: 255 / 256 * x + torch.rand(
            x.size(), generator=generator, dtype=x.dtype).div(256),
        lambda x, generator=None: (
            (x * 255).round() + torch.empty_like(x).uniform_(0, 1, generator=generator)) / 256,
        lambda x, generator=None: torch.stack(
            [(255 * image + torch.rand(image.shape, generator=generator, dtype=x.dtype)) / 256 for image in x]),
    ),
)

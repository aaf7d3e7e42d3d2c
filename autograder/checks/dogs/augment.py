"""The check of ``augment``.

Asked for: each image mirrored with probability ½ and its brightness multiplied by a factor from [0.8, 1.2], clipped to
[0, 1]. There is no single right result, so each image is looked at: which way round it is, and by what it was
multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.judge.comparing import kind
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref.dogs import preprocess

CHANGE = 0.2
NUM_IMAGES = 2048
NUM_SMALL = 30  # batches of four: a coin for each batch would show the same side in none of 10⁸ runs
# Standard errors: a normal tail leaves 6e-14 beyond, and means of so many bounded numbers are as good as normal
LIMIT = 7.5
RANDOM = torch.zeros(())  # says that results depend on noise; nothing is compared with it
NOT_SAME = "are neither the image nor its mirror image, times one factor"


# ---- what was done to each image ------------------------------------------------------------------------------------


def _factors(x: Tensor, y: Tensor) -> Tensor:
    """The factor of each image for which y is a multiple of x, else NaN, (B,)."""
    ratios = (y.double() / x.double()).flatten(1)
    factor = ratios.mean(1)
    same = (ratios - factor[:, None]).abs().amax(1) < 1e-4
    return torch.where(same, factor, torch.nan)


def _found(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each image was mirrored, and its factor, NaN where it was neither kept nor mirrored, (B,) each."""
    straight, mirrored = _factors(x, y), _factors(x.flip(-1), y)
    return ~mirrored.isnan(), torch.where(mirrored.isnan(), straight, mirrored)


def _what_else(x: Tensor, y: Tensor) -> str:
    """What was done to images of which some are neither kept nor mirrored."""

    def all_of(*candidates: Tensor) -> bool:
        return bool(torch.stack([~_factors(c, y).isnan() for c in candidates]).any(0).all())

    def like_planes(make: Callable[[Tensor], Tensor], rows: int) -> bool:
        """Whether each plane of numbers has a factor of its own, kept or mirrored."""
        parts = make(y).reshape(len(y) * rows, 1, -1)
        kept, turned = (make(c).reshape(len(y) * rows, 1, -1) for c in (x, x.flip(-1)))
        return bool((~_factors(kept, parts).isnan() | ~_factors(turned, parts).isnan()).all())

    if all_of(x, x.flip(-1), x.flip(-2), x.flip((-1, -2))):
        return "Some images are turned upside down: only left and right may change places."
    if all_of(x, x.flip(1), x.flip((1, -1))):
        return "In some images the colours have changed places instead of left and right."
    if all_of(x, x.flip(-1), x.flip(0), x.flip((0, -1))):
        return "Images have changed places with each other: flip the pixels, not the batch."
    if like_planes(lambda t: t, 3):
        return "The three colours of an image get different factors, which changes its tint."
    shift = torch.stack([(y - c).double().flatten(1).std(1) for c in (x, x.flip(-1))]).amin(0)
    if bool((shift < 1e-4).all()):
        return "Brightness is changed by adding; a lamp multiplies: use a factor."
    return f"Some results {NOT_SAME}."


def _well_formed(y: Any, x: Tensor, label: str) -> str:
    if not isinstance(y, Tensor):
        return f"{label}, augment returned {kind(y)}, not a tensor."
    if y.shape != x.shape:
        return f"{label}, augment returned shape {tuple(y.shape)}, not {tuple(x.shape)}."
    if y.dtype != x.dtype:
        return f"{label}, augment returned {y.dtype}, not {x.dtype}."
    return "" if bool(y.isfinite().all()) else f"{label}, augment returned values that are not finite."


# ---- parts ----------------------------------------------------------------------------------------------------------


def _seed(g: Generator) -> Seed:
    return Seed(int(torch.randint(2**31, (), generator=g)))


def _dim(g: Generator, batch: int) -> Tensor:
    """Images that no factor up to 1.2 takes out of [0, 1]."""
    return 0.1 + 0.7 * torch.rand(batch, 3, 3, 4, generator=g)


def _draws(g: Generator) -> list[Probe]:
    sizes = [NUM_IMAGES] + [4] * NUM_SMALL
    return [Probe(Call((_dim(g, n),), {"generator": _seed(g)}), f"With {n} images", RANDOM) for n in sizes]


def _draws_hold(results: list[Any], probes: list[Probe]) -> str:
    flips, factors = [], []
    for y, probe in zip(results, probes, strict=True):
        x = probe.call.args[0]
        problem = _well_formed(y, x, probe.label)
        if problem:
            return problem
        mirrored, factor = _found(x, y)
        if bool(factor.isnan().any()):
            return _what_else(x, y)
        flips.append(mirrored)
        factors.append(factor)
    return _problem_of_flips(flips) or _problem_of_factors(factors, flips[0])


def _problem_of_flips(flips: list[Tensor]) -> str:
    if not any(bool(f.any()) for f in flips):
        return "No image was mirrored."
    if all(bool(f.all()) for f in flips):
        return "Every image was mirrored: a coin decides, for each of them."
    if all(bool(f.all()) or not bool(f.any()) for f in flips):
        return "All images of a batch are mirrored, or none: each image needs a coin of its own."
    if abs(float(flips[0].double().mean()) - 0.5) > LIMIT * 0.5 / NUM_IMAGES**0.5:
        return "The share of mirrored images is not one half."
    return ""


def _problem_of_factors(factors: list[Tensor], mirrored: Tensor) -> str:
    f = factors[0]
    if bool(((f - 1).abs() < 1e-4).all()):
        return "The brightness of no image was changed."
    if all(float(one.max() - one.min()) < 1e-4 for one in factors):
        return "All images of a batch have the same factor: each image needs a factor of its own."
    if float(f.abs().max()) < 2 * CHANGE:
        return "Images are multiplied with the change itself and become nearly black; 1 plus the change is meant."
    if float(f.min()) < 1 - CHANGE - 1e-3 or float(f.max()) > 1 + CHANGE + 1e-3:
        return "Some factors lie outside of 0.8 to 1.2."
    if float(f.max()) < 1.01 or float(f.min()) > 0.99:
        return f"Images only ever become {'darker' if float(f.max()) < 1.01 else 'brighter'}."
    spread = 2 * CHANGE / 12**0.5
    # of the uniform distribution: E (f − 1)⁴ = 9/5 of the squared variance
    error_of_std = spread * 0.5 * (9 / 5 - 1) ** 0.5 / NUM_IMAGES**0.5
    off = abs(float(f.mean()) - 1) > LIMIT * spread / NUM_IMAGES**0.5
    if off or abs(float((f - 1).square().mean().sqrt()) - spread) > LIMIT * error_of_std:
        return "The factors do not spread evenly from 0.8 to 1.2."
    between = float(f[mirrored].mean() - f[~mirrored].mean())
    if abs(between) > 2 * LIMIT * spread / NUM_IMAGES**0.5:
        return "Mirrored images are brighter or darker than others: coin and factor come from the same draw."
    return ""


def _bright(g: Generator) -> list[Probe]:
    x = torch.ones(64, 3, 2, 4)
    x[:, :, 0] = 0.5  # tells the factor, whatever happens to white
    return [Probe(Call((x,), {"generator": _seed(g)}), "With white in an image", RANDOM)]


def _bright_holds(results: list[Any], probes: list[Probe]) -> str:
    y, x = results[0], probes[0].call.args[0]
    problem = _well_formed(y, x, probes[0].label)
    if problem:
        return problem
    if float(y.max()) > 1 + 1e-6:
        return "Values go beyond 1: clip them."
    if float(y.min()) < -1e-6:
        return "Values go below 0."
    factor = y[:, 0, 0, 0] / 0.5
    # of 64 images some become brighter, but for one in 10¹⁹ runs
    squeezed = float(factor.max()) < 1.01
    if squeezed or not torch.allclose(
        y[:, :, 1], factor.clamp(max=1)[:, None, None].expand(-1, 3, 4), atol=1e-4
    ):
        return "What goes beyond 1 is not clipped but squeezed, so that dark pixels change as well."
    return ""


def _noise(g: Generator) -> list[Probe]:
    x = _dim(g, 16)
    given = [Probe(Call((x,), {"generator": Seed(seed)}), "", RANDOM) for seed in (5, 5, 6)]
    return [*given, Probe(Call((x,)), "", RANDOM), Probe(Call((x,)), "", RANDOM)]


def _noise_is_fresh(results: list[Any], _: list[Probe]) -> str:
    same, again, other, free, free_again = results
    if not torch.equal(same, again):
        return "Two calls with equally seeded generators differ: draw all chance from the generator you are given."
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different chance agree: draw anew in each call."
    return ""


def _edges(g: Generator) -> list[Probe]:
    x = _dim(g, 8)
    kept = (Step("props.itself", Call((x,), keep="x")),)
    looked = (Step("props.itself", Call((Handle("x"),))),)
    return [
        Probe(Call((_dim(g, 1),), {"generator": _seed(g)}), "With a single image", RANDOM),
        Probe(Call((_dim(g, 3).double(),), {"generator": _seed(g)}), "With float64 images", RANDOM),
        Probe(Call((Handle("x"),), {"generator": _seed(g)}), "", RANDOM, before=kept, after=looked),
    ]


def _edges_hold(results: list[Any], probes: list[Probe]) -> str:
    for y, probe in zip(results[:2], probes[:2], strict=True):
        problem = _well_formed(y, probe.call.args[0], probe.label)
        if problem:
            return problem
        if bool(_found(probe.call.args[0], y)[1].isnan().any()):
            return f"{probe.label}, results {NOT_SAME}."
    if not torch.equal(results[2][1], probes[2].before[0].call.args[0]):
        return "augment changed the images that it was given: work on a copy."
    return ""


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception
Draw = Callable[[Tensor, "Generator | None"], Tensor]


def _rand(x: Tensor, generator: Generator | None, *shape: int) -> Tensor:
    return torch.rand(shape or (len(x), 1, 1, 1), generator=generator, dtype=x.dtype)


def _coin(x: Tensor, generator: Generator | None) -> Tensor:
    return _rand(x, generator) < 0.5


def _factor(x: Tensor, generator: Generator | None) -> Tensor:
    return 1 - CHANGE + 2 * CHANGE * _rand(x, generator)


def _like(
    coin: Draw = _coin, factor: Draw = _factor, flip: Callable[[Tensor], Tensor] = lambda x: x.flip(-1),
    light: Callable[[Tensor, Tensor], Tensor] = lambda x, f: x * f,
    bound: Callable[[Tensor], Tensor] = lambda y: y.clamp(0, 1),
) -> Callable[..., Tensor]:
    """A variant in which some of the steps are done otherwise."""
    def variant(x: Tensor, generator: Generator | None = None) -> Tensor:
        return bound(light(torch.where(coin(x, generator), flip(x), x), factor(x, generator)))
    return variant


def _one_draw(x: Tensor, generator: Generator | None = None) -> Tensor:
    chance = _rand(x, generator)
    return (torch.where(chance < 0.5, x.flip(-1), x) * (1 - CHANGE + 2 * CHANGE * chance)).clamp(0, 1)


def _in_place(x: Tensor, generator: Generator | None = None) -> Tensor:
    y = _like()(x, generator)
    return x.copy_(y)


def _squeezed(y: Tensor) -> Tensor:
    return y / y.amax((1, 2, 3), keepdim=True).clamp(min=1)


def _by_loop(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Right as well: one image after the other."""
    images = []
    for image in x:
        if torch.rand((), generator=generator) < 0.5:
            image = torch.flip(image, dims=[2])
        images.append((image * torch.empty(()).uniform_(0.8, 1.2, generator=generator).item()).clamp(0.0, 1.0))
    return torch.stack(images)


def _by_index(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Right as well: light first, then the mirror, on a copy."""
    y = (x * _factor(x, generator)).clamp(max=1)
    mirrored = torch.randint(0, 2, (len(x),), generator=generator).bool()
    y[mirrored] = y[mirrored].flip(3)
    return y


AUGMENT = Check(
    name="augment",
    asks="each image mirrored or not, times its own factor from 0.8 to 1.2, in [0, 1]",
    section="augmentation",
    oracle=None,
    parts=(
        Part("mirror and brightness", 3, _draws, _draws_hold),
        Part("in [0, 1]", 1, _bright, _bright_holds),
        Part("chance", 1, _noise, _noise_is_fresh),
        Part("edge cases", 1, _edges, _edges_hold),
    ),
    misconceptions=(
        _m("augment-one-coin", "augmentation", "one coin decides for the whole batch; each image has its own.",
           _like(coin=lambda x, g: _rand(x, g, 1, 1, 1, 1) < 0.5)),
        _m("augment-always-mirrors", "augmentation", "every image is mirrored; half of them should stay as they are.",
           _like(coin=lambda x, g: torch.ones(len(x), 1, 1, 1, dtype=torch.bool))),
        _m("augment-never-mirrors", "augmentation", "the images are not mirrored.", _like(flip=lambda x: x)),
        _m("augment-unfair-coin", "augmentation", "the coin is not fair: half of the images should be mirrored.",
           _like(coin=lambda x, g: _rand(x, g) < 0.2)),
        _m("augment-upside-down", "augmentation",
           "the wrong axis is flipped: dogs stand on their heads, as no photo shows them.",
           _like(flip=lambda x: x.flip(-2))),
        _m("augment-flips-colours", "augmentation", "the axis of the colours is flipped: red and blue change places.",
           _like(flip=lambda x: x.flip(1))),
        _m("augment-flips-the-batch", "augmentation",
           "the axis of the batch is flipped: images change places, and their labels stay.",
           _like(flip=lambda x: x.flip(0))),
        _m("augment-one-factor", "augmentation", "one factor serves the whole batch; each image has its own.",
           _like(factor=lambda x, g: 1 - CHANGE + 2 * CHANGE * _rand(x, g, 1, 1, 1, 1))),
        _m("augment-same-brightness", "augmentation", "the brightness is not changed.",
           _like(factor=lambda x, g: torch.ones(1, dtype=x.dtype))),
        _m("augment-factor-for-each-colour", "augmentation",
           "each colour has its own factor: a brown dog may become green.",
           _like(factor=lambda x, g: 1 - CHANGE + 2 * CHANGE * _rand(x, g, len(x), 3, 1, 1))),
        _m("augment-factor-for-each-pixel", "augmentation",
           "each pixel has its own factor: that is noise, not light.",
           _like(factor=lambda x, g: 1 - CHANGE + 2 * CHANGE * _rand(x, g, *x.shape))),
        _m("augment-adds-light", "augmentation",
           "brightness is added, so that black becomes grey; light multiplies.",
           _like(factor=lambda x, g: CHANGE * (2 * _rand(x, g) - 1), light=lambda x, f: x + f)),
        _m("augment-factor-without-one", "augmentation",
           "the change itself is the factor: the images become nearly black.",
           _like(factor=lambda x, g: CHANGE * (2 * _rand(x, g) - 1), bound=lambda y: y)),
        _m("augment-only-brighter", "augmentation",
           "the change is drawn from 0 to 0.2: rand has no negative numbers, so that images only become brighter.",
           _like(factor=lambda x, g: 1 + CHANGE * _rand(x, g))),
        _m("augment-only-darker", "augmentation", "the factors go from 0.8 to 1: images only become darker.",
           _like(factor=lambda x, g: 1 - CHANGE * _rand(x, g))),
        _m("augment-normal-factor", "augmentation",
           "the factor is normal (randn), so that some images change by far more than 20 %.",
           _like(factor=lambda x, g: 1 + CHANGE * torch.randn(len(x), 1, 1, 1, generator=g, dtype=x.dtype))),
        _m("augment-two-factors-only", "augmentation",
           "the factor is either 0.8 or 1.2; anything in between is as likely.",
           _like(factor=lambda x, g: 1 - CHANGE + 2 * CHANGE * (_rand(x, g) < 0.5).to(x.dtype))),
        _m("augment-one-draw-for-both", "augmentation",
           "the same random number decides about mirror and brightness: mirrored dogs are always dark.", _one_draw),
        _m("augment-not-clipped", "augmentation", "the result is not clipped: a pixel of 1.2 is no pixel.",
           _like(bound=lambda y: y)),
        _m("augment-squeezed", "augmentation",
           "an image that goes beyond 1 is divided by its maximum instead of clipped, which undoes the light.",
           _like(bound=_squeezed)),
        _m("augment-ignores-generator", "augmentation", "the generator that is passed in is not used.",
           lambda x, generator=None: _like()(x, None)),
        _m("augment-fixed-seed", "augmentation",
           "the chance is seeded inside the function: every epoch shows the same variations.",
           lambda x, generator=None: _like()(x, torch.Generator().manual_seed(0))),
        _m("augment-in-place", "augmentation",
           "the images that were given are changed themselves: in the next epoch they are changed again.", _in_place),
        _m("augment-float32", "augmentation", "the result does not have the type of the images.",
           lambda x, generator=None: _like()(x, generator).float()),
    ),
    equivalents=(
        preprocess.augment,
        _like(),
        _by_loop,
        _by_index,
        _like(factor=lambda x, g: 1 + CHANGE * (2 * _rand(x, g) - 1), light=lambda x, f: f * x),
        _like(coin=lambda x, g: torch.bernoulli(torch.full((len(x), 1, 1, 1), 0.5), generator=g).bool()),
    ),
)

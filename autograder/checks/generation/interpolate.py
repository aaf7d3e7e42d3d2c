"""The check of ``interpolate``: pictures of the codes on the way from one image to another, both ends included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides import toys
from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.generation import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import generation


def _along(
    arc: Callable[..., Tensor], line: Callable[..., Tensor]
) -> Callable[[Any, Tensor, Tensor, int, str], Tensor]:
    """The walk on these paths, in double precision."""

    def pictures(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
        a, b = shared.means(model, x_a[None]), shared.means(model, x_b[None])
        t = torch.linspace(0, 1, num_steps, dtype=torch.float64)[:, None]
        return shared.pictures(model, (arc if method == "slerp" else line)(a, b, t))

    return pictures


def _interpolate_of(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """The walk when other functions stand in for the two paths."""
    return _along(helpers["slerp"], helpers["lerp"])


def _two_images(g: Generator, latent_dim: int) -> tuple[tuple[Step, ...], Tensor, Tensor]:
    """A model and two images whose codes have one length and stand at a wide angle."""
    while True:
        seed = shared.integer(g)
        x = torch.rand(2, *shared.IMAGES, generator=g)
        a, b = shared.means(toys.Tiny(latent_dim, shared.SIZE, seed), x)
        if abs(float(torch.cosine_similarity(a, b, dim=0))) < 0.6:
            # the code is linear in x − ½: the longer one is shortened
            scale = torch.stack([b.norm() / a.norm(), a.norm() / b.norm()]).clamp(max=1).float()
            x_a, x_b = 0.5 + scale.view(2, 1, 1, 1) * (x - 0.5)
            return shared.tiny(latent_dim, seed), x_a, x_b


def _interpolate_probe(g: Generator, dims: int, num_steps: int, label: str, **kwargs: Any) -> Probe:
    before, x_a, x_b = _two_images(g, dims)
    return Probe(Call((Handle("model"), x_a, x_b, num_steps), kwargs or None), label, before=before)


def _interpolate_value(g: Generator) -> list[Probe]:
    first = _interpolate_probe(g, 4, 5, '5 steps of "lerp"', method="lerp")
    return [first, first, _interpolate_probe(g, 6, 4, '4 steps of "lerp"', method="lerp")]


def _interpolate_arc(g: Generator) -> list[Probe]:
    return [
        _interpolate_probe(g, 5, 6, '6 steps of "slerp"', method="slerp"),
        _interpolate_probe(g, 8, 3, "3 steps and no method named"),
    ]


def _interpolate_ends(g: Generator) -> list[Probe]:
    before, x, _ = _two_images(g, 4)
    return [
        _interpolate_probe(g, 4, 2, '2 steps of "lerp"', method="lerp"),
        _interpolate_probe(g, 4, 2, '2 steps of "slerp"', method="slerp"),
        Probe(Call((Handle("model"), x, x, 3)), "one image for both ends", before=before),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _mus(model: Any, x_a: Tensor, x_b: Tensor) -> tuple[Tensor, Tensor]:
    return model.encode(x_a[None])[0], model.encode(x_b[None])[0]



def _shares(num_steps: int) -> Tensor:
    return torch.linspace(0, 1, num_steps)[:, None]



def _interpolate_with(
    shares: Callable[[int], Tensor] = _shares,
    codes: Callable[..., tuple[Tensor, Tensor]] = _mus,
    decode: Callable[[Any, Tensor], Any] = lambda model, z: model.decode(z),
    arc: Callable[..., Tensor] = generation.slerp,
    line: Callable[..., Tensor] = generation.lerp,
) -> Callable[..., Any]:
    """The function with one of its steps done in another way."""

    def variant(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Any:
        a, b = codes(model, x_a, x_b)
        return decode(model, (arc if method == "slerp" else line)(a, b, shares(num_steps)))

    return variant



def _in_pixels(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
    return generation.lerp(x_a[None], x_b[None], _shares(num_steps)[..., None, None])



def _in_decoded_pixels(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
    ends = generation.reconstruct(model, torch.stack([x_a, x_b]))
    return generation.lerp(ends[:1], ends[1:], _shares(num_steps)[..., None, None])



def _with_inputs_at_the_ends(
    model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp"
) -> Tensor:
    images = generation.interpolate(model, x_a, x_b, num_steps, method)
    return torch.cat([x_a[None], images[1:-1], x_b[None]])



INTERPOLATE = Check(
    name="interpolate",
    asks="pictures of the codes on the way from one image to another, both ends included",
    section="walk-between-images",
    oracle=_along(shared.slerp_oracle, shared.lerp_oracle),
    parts=(
        Part("value", 2, _interpolate_value, shared.repeats, shared.itself),
        Part("arc", 2, _interpolate_arc),
        Part("ends", 1, _interpolate_ends, shared.are_finite, shared.itself),
    ),
    misconceptions=(
        _m("interpolate-pixels", "walk-between-images",
           "the images themselves are mixed, pixel by pixel: that is a cross-fade, the model has no part in it.",
           _in_pixels),
        _m("interpolate-decoded-pixels", "walk-between-images",
           "the two reconstructions are mixed pixel by pixel: mix the codes and decode each mixture.",
           _in_decoded_pixels),
        _m("interpolate-samples", "walk-between-images",
           "the ends are drawn codes, so that another walk is shown each time; take the means.",
           _interpolate_with(codes=lambda model, x_a, x_b: (
               shared.sampled(model, x_a[None]), shared.sampled(model, x_b[None])))),
        _m("interpolate-logvar", "walk-between-images", "the path joins the logvars: encode gives the mean first.",
           _interpolate_with(codes=lambda model, x_a, x_b: (model.encode(x_a[None])[1], model.encode(x_b[None])[1]))),
        _m("interpolate-backwards", "walk-between-images", "the walk goes from x_b to x_a.",
           _interpolate_with(codes=lambda model, x_a, x_b: _mus(model, x_b, x_a))),
        _m("interpolate-without-ends", "walk-between-images", "the pictures lie between the ends; both belong to it.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 2)[1:-1, None])),
        _m("interpolate-without-last", "walk-between-images", "the last share is below 1: the walk stops early.",
           _interpolate_with(shares=lambda n: torch.arange(n)[:, None] / n)),
        _m("interpolate-one-more", "walk-between-images", "there is a picture too many: n steps are n pictures.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 1)[:, None])),
        _m("interpolate-two-more", "walk-between-images", "the ends are added to the number that includes them.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 2)[:, None])),
        _m("interpolate-inputs-at-ends", "walk-between-images",
           "the images stand at the ends; the walk begins and ends with what the model makes of them.",
           _with_inputs_at_the_ends),
        _m("interpolate-always-lerp", "walk-between-images", "method is ignored: the line is always taken.",
           _interpolate_with(arc=generation.lerp)),
        _m("interpolate-always-slerp", "walk-between-images", "method is ignored: the arc is always taken.",
           _interpolate_with(line=generation.slerp)),
        _m("interpolate-default", "walk-between-images", "without a method, the line is taken instead of the arc.",
           lambda model, x_a, x_b, num_steps, method="lerp":
           generation.interpolate(model, x_a, x_b, num_steps, method)),
        _m("interpolate-returns-codes", "walk-between-images", "the codes are returned without being decoded.",
           _interpolate_with(decode=lambda model, z: z)),
        _m("interpolate-list", "walk-between-images", "a list is returned; put the pictures into one tensor.",
           _interpolate_with(decode=lambda model, z: list(model.decode(z)))),
        _m("interpolate-stacked", "walk-between-images",
           "each picture keeps a batch dimension of its own: cat joins batches, stack adds a dimension.",
           _interpolate_with(decode=lambda model, z: model.decode(z)[:, None])),
    ),
    equivalents=(
        generation.interpolate,
        _interpolate_with(decode=lambda model, z: torch.cat([model.decode(row[None]) for row in z])),
        _interpolate_with(shares=lambda n: torch.arange(n)[:, None] / (n - 1), line=torch.lerp),
        _interpolate_with(arc=shared.slerp_of_lengths),
        _interpolate_with(arc=shared.slerp_by_rows, codes=lambda model, x_a, x_b: tuple(
            model.eval().encode(torch.stack([x_a, x_b]))[0])),
    ),
    helpers={"lerp": (("a", "b", "t"), "elements"), "slerp": (("a", "b", "t"), "elements")},
    of_helpers=_interpolate_of,
)

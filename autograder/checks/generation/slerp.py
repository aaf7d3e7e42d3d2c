"""The check of ``slerp``: the point at share t of the arc from a to b."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call
from autograder.checks.generation import shared
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import generation


def _slerp_value(g: Generator) -> list[Probe]:
    probes = []
    for rows, dims, length in ((3, 5, 0.9), (4, 8, 0.6), (2, 3, 0.8)):
        a, b = shared.rows_apart(g, rows, dims)
        # of different lengths from row to row, equal ones in a pair
        lengths = length - 0.3 * torch.rand(rows, 1, generator=g)
        t = shared.share(g)
        label = f"{rows} codes of {dims} numbers and t = {t:.2f}"
        probes.append(Probe(Call((lengths * a, lengths * b, t)), label))
    return probes


def _slerp_lengths(g: Generator) -> list[Probe]:
    probes = []
    for dims, length in ((6, 2.5), (16, 4.0)):
        a, b = shared.rows_apart(g, 3, dims)
        probes.append(
            Probe(Call((length * a, (0.4 * length) * b, shared.share(g))), f"codes of {dims} numbers")
        )
    return probes


def _slerp_of(helpers: Mapping[str, StandIn]) -> Callable[..., Tensor]:
    """The arc when another function stands in for the line."""
    return lambda a, b, t: shared.slerp_oracle(a, b, t, helpers["lerp"])


def _lengths_hold(results: list[Any], probes: list[Probe]) -> str:
    for got, probe in zip(results, probes, strict=True):
        a, b, t = probe.call.args
        right = (path(a.double(), b.double(), t) for path in (shared.slerp_oracle, shared.slerp_of_lengths))
        if all(difference(got, wanted) is not None for wanted in right):
            return "With codes of different length, the path does not lead from the one length to the other."
    return ""


def _slerp_special(g: Generator) -> list[Probe]:
    # on an axis, so that rounding cannot make an angle of what is none
    axis = torch.zeros(2, 5)
    axis[0, int(torch.randint(5, (), generator=g))] = 1.0
    axis[1, int(torch.randint(5, (), generator=g))] = -1.0
    a, b = shared.rows_apart(g, 2, 5)
    t = shared.share(g)
    return [
        Probe(Call((2 * axis, 2 * axis, t)), "two equal codes"),
        Probe(Call((2 * axis, 3 * axis, t)), "parallel codes"),
        Probe(Call((2 * axis, -2 * axis, t)), "opposite codes"),
        Probe(Call((torch.zeros(2, 5), b, t)), "a code of zeros"),
        Probe(Call((3 * a, 2 * b, 0.0)), "t = 0"),
        Probe(Call((3 * a, 2 * b, 1.0)), "t = 1"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _angle(a: Tensor, b: Tensor) -> Tensor:
    return torch.acos(torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1))[..., None]



def _unit(a: Tensor) -> Tensor:
    return a / a.norm(dim=-1, keepdim=True)



def _whole_norms(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return shared.arc(a, b, t, torch.acos((a * b).sum(-1, keepdim=True) / (a.norm() * b.norm())))



def _one_angle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return shared.arc(a, b, t, torch.acos((a * b).sum() / (a.norm() * b.norm())))



def _guards_parallel(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    cosine = (_unit(a) * _unit(b)).sum(-1, keepdim=True).clamp(-1, 1)
    return torch.where(cosine.abs() > 0.9995, generation.lerp(a, b, t), shared.arc(a, b, t, torch.acos(cosine)))



def _slerp_by_threshold(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: nearly parallel codes take the line, as in much code for other models."""
    norms = a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True)
    cosine = (a * b).sum(-1, keepdim=True) / torch.where(norms > 0, norms, 1.0)
    line = (cosine.abs() > 0.9995) | (norms == 0)
    return torch.where(line, a + t * (b - a), shared.arc(a, b, t, torch.acos(torch.where(line, 0.5, cosine))))



SLERP = Check(
    name="slerp",
    asks="the point at share t of the arc from a to b",
    section="lerp-and-slerp",
    oracle=shared.slerp_oracle,
    parts=(
        Part("value", 3, _slerp_value),
        Part("lengths", 1, _slerp_lengths, _lengths_hold),
        Part("shapes", 1, shared.on_the_way),
        Part("special codes", 1, _slerp_special, shared.are_finite, shared.itself),
    ),
    misconceptions=(
        _m("slerp-swapped", "lerp-and-slerp", "the ends are swapped: t = 0 belongs to a, t = 1 to b.",
           lambda a, b, t: generation.slerp(b, a, t)),
        _m("slerp-is-lerp", "lerp-and-slerp",
           "this is the point on the straight line, which cuts through the inside of the sphere.",
           lambda a, b, t: generation.lerp(a, b, t)),
        _m("slerp-rescaled-line", "lerp-and-slerp",
           "the point of the line is pushed out to the sphere: it runs along the arc, but at another speed.",
           lambda a, b, t: _unit(generation.lerp(a, b, t)) * generation.lerp(
               a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t)),
        _m("slerp-unit-codes", "lerp-and-slerp", "the codes are scaled to length 1 for good: their own length is lost.",
           lambda a, b, t: generation.slerp(_unit(a), _unit(b), t)),
        _m("slerp-length-of-a", "lerp-and-slerp", "the whole path has the length of a, so that it does not end in b.",
           lambda a, b, t: generation.slerp(_unit(a), _unit(b), t) * a.norm(dim=-1, keepdim=True)),
        _m("slerp-angle-without-norms", "lerp-and-slerp",
           "the dot product is taken for a cosine without being divided by the lengths.",
           lambda a, b, t: shared.arc(a, b, t, torch.acos((a * b).sum(-1, keepdim=True).clamp(-1, 1)))),
        _m("slerp-norm-of-batch", "lerp-and-slerp",
           "norm() without a dimension measures the whole batch; each code has a length of its own.", _whole_norms),
        _m("slerp-one-angle", "lerp-and-slerp", "one angle serves the whole batch; each pair of codes has its own.",
           _one_angle),
        _m("slerp-angle-is-cosine", "lerp-and-slerp", "the cosine is used as the angle: acos is missing.",
           lambda a, b, t: shared.arc(a, b, t, torch.cosine_similarity(a, b, dim=-1)[..., None])),
        _m("slerp-degrees", "lerp-and-slerp", "the angle is turned into degrees, but sin takes radians.",
           lambda a, b, t: shared.arc(a, b, t, torch.rad2deg(_angle(a, b)))),
        _m("slerp-undivided", "lerp-and-slerp", "the division by sin Ω is missing.",
           lambda a, b, t: torch.sin((1 - t) * _angle(a, b)) * a + torch.sin(t * _angle(a, b)) * b),
        _m("slerp-right-angle", "lerp-and-slerp",
           "cos and sin as weights are right for codes at a right angle only.",
           lambda a, b, t: torch.cos(t * _angle(a, b)) * a + torch.sin(t * _angle(a, b)) * b),
        _m("slerp-quarter-turn", "lerp-and-slerp", "the angle is taken for a right angle, whatever the codes are.",
           lambda a, b, t: shared.arc(a, b, t, torch.tensor(math.pi / 2))),
        _m("slerp-parallel", "lerp-and-slerp",
           "codes without an angle between them divide by sin 0; there the line takes over.",
           lambda a, b, t: shared.arc(a, b, t, _angle(a, b))),
        _m("slerp-zero-code", "lerp-and-slerp", "a code of zeros is divided by its length.", _guards_parallel),
    ),
    equivalents=(
        generation.slerp,
        shared.slerp_of_lengths,
        _slerp_by_threshold,
        shared.slerp_by_rows,
        shared.slerp_oracle,
    ),
    helpers={"lerp": (("a", "b", "t"), "elements")},
    of_helpers=_slerp_of,
)

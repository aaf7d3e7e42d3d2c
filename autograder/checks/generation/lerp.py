"""The check of ``lerp``: the point at share t of the straight line from a to b."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.generation import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import generation


def _lerp_value(g: Generator) -> list[Probe]:
    probes = []
    for rows, dims in ((3, 5), (5, 2)):
        a, b = torch.randn(rows, dims, generator=g), torch.randn(rows, dims, generator=g)
        t = shared.share(g)
        probes.append(Probe(Call((a, b + 1, t)), f"{rows} codes of {dims} numbers and t = {t:.2f}"))
    return probes


def _lerp_ends(g: Generator) -> list[Probe]:
    a, b = torch.randn(3, 4, generator=g), 2 * torch.randn(3, 4, generator=g)
    kept = tuple(Step("props.itself", Call((code,), keep=name)) for name, code in (("a", a), ("b", b)))
    looked_at = tuple(Step("props.itself", Call((Handle(name),))) for name in ("a", "b"))
    call = Call((Handle("a"), Handle("b"), 0.3))
    return [
        Probe(Call((a, b, 0.0)), "t = 0"),
        Probe(Call((a, b, 1.0)), "t = 1"),
        Probe(Call((a, a, 0.3)), "two equal codes"),
        Probe(call, "a look at the codes after the call", before=kept, after=looked_at),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



LERP = Check(
    name="lerp",
    asks="the point at share t of the straight line from a to b",
    section="lerp-and-slerp",
    oracle=shared.lerp_oracle,
    parts=(
        Part("value", 2, _lerp_value),
        Part("shapes", 1, shared.on_the_way),
        Part("ends", 1, _lerp_ends),
    ),
    misconceptions=(
        _m("lerp-swapped", "lerp-and-slerp", "the ends are swapped: t = 0 belongs to a, t = 1 to b.",
           lambda a, b, t: t * a + (1 - t) * b),
        _m("lerp-adds", "lerp-and-slerp", "a keeps its full weight while b comes in.", lambda a, b, t: a + t * b),
        _m("lerp-away", "lerp-and-slerp", "the difference is taken the wrong way round: the point moves away from b.",
           lambda a, b, t: a + t * (a - b)),
        _m("lerp-from-zero", "lerp-and-slerp", "this is the way from a to b alone: it has to start at a.",
           lambda a, b, t: t * (b - a)),
        _m("lerp-middle", "lerp-and-slerp", "t is ignored: this is the middle.", lambda a, b, t: (a + b) / 2),
        _m("lerp-unit", "lerp-and-slerp", "the point is scaled to length 1; a line keeps no length.",
           lambda a, b, t: torch.nn.functional.normalize((1 - t) * a + t * b, dim=-1)),
        _m("lerp-is-slerp", "lerp-and-slerp", "this is the point on the arc, not on the line.", shared.slerp_oracle),
        _m("lerp-in-place", "lerp-and-slerp", "a is changed by the call (an operation that ends in _, or +=).",
           lambda a, b, t: a.add_(t * (b - a)) if not isinstance(t, Tensor) else a + t * (b - a)),
    ),
    equivalents=(
        generation.lerp,
        lambda a, b, t: a + t * (b - a),
        lambda a, b, t: torch.lerp(a, b, torch.as_tensor(t, dtype=a.dtype)),
        lambda a, b, t: b - (1 - t) * (b - a),
        lambda a, b, t: (a * (1 - t)).add_(b * t),
    ),
)

"""What several checks of assignment 06 use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.comparing import difference
from autograder.judge.definitions import Probe, Step
from vae_ref import generation
from vae_ref.sampling import reparameterize

SIZE = 8  # side of most images

IMAGES = (3, SIZE, SIZE)


def integer(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def tiny(latent_dim: int, seed: int, size: int = SIZE) -> tuple[Step, ...]:
    return (Step("toys.Tiny", Call((latent_dim, size, seed), keep="model")),)


def means(model: Any, x: Tensor) -> Tensor:
    """The mean codes of images in double precision, (B, L)."""
    return (x.double().flatten(1) - 0.5) @ model.to_mu.detach().double().T


def pictures(model: Any, z: Tensor) -> Tensor:
    return torch.sigmoid(z @ model.to_pixels.detach().double().T).unflatten(1, model.shape)


def itself(result: Any) -> Any:
    return result


def repeats(results: list[Any], _: list[Probe]) -> str:
    """The first two probes of a part ask the same."""
    first, second = results[:2]
    tensors = isinstance(first, Tensor) and isinstance(second, Tensor)
    if tensors and bool(first.isfinite().all()) and difference(second, first) is not None:
        return "Two calls with the same images gave different pictures, though nothing here needs noise."
    return ""


def lerp_oracle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return a + (b - a) * t


def slerp_oracle(
    a: Tensor, b: Tensor, t: float | Tensor, line: Callable[..., Tensor] = lerp_oracle
) -> Tensor:
    """The arc in the plane of a and b, in which a is the first axis: stretched so that it ends in b."""
    norms = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    product = (a * b).sum(-1, keepdim=True)
    across = (norms[0].square() * norms[1].square() - product.square()).clamp(min=0).sqrt()  # |a| |b| sin Ω
    angle = torch.atan2(across, product)
    arc = torch.sin(angle * (1 - t)) / torch.sin(angle) * a + torch.sin(angle * t) / torch.sin(angle) * b
    return torch.where(across > 1e-9 * norms[0] * norms[1], arc, line(a, b, t))


def slerp_of_lengths(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: the directions go along the arc, the lengths along the line."""
    norms = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    if not bool((norms[0] * norms[1] > 0).all()):
        return generation.lerp(a, b, t)
    return generation.slerp(a / norms[0], b / norms[1], t) * generation.lerp(*norms, t)


def rows_apart(g: Generator, rows: int, dims: int) -> tuple[Tensor, Tensor]:
    """Unit codes (rows, dims) at angles between 0.7 and 2 that are no right angles, so that no mistake hides."""
    a = torch.randn(rows, dims, generator=g)
    b = torch.randn(rows, dims, generator=g)
    a = a / a.norm(dim=1, keepdim=True)
    b = b - (a * b).sum(1, keepdim=True) * a
    b = b / b.norm(dim=1, keepdim=True)
    angle = 0.7 + 0.6 * torch.rand(rows, 1, generator=g)
    angle = torch.where(torch.rand(rows, 1, generator=g) < 0.5, angle, angle + 0.7).clamp(max=2.0)
    angle = torch.where((angle - math.pi / 2).abs() < 0.1, angle - 0.3, angle)
    return a, angle.cos() * a + angle.sin() * b


def share(g: Generator) -> float:
    """A share that is neither near an end nor near the middle."""
    share = 0.15 + 0.25 * float(torch.rand((), generator=g))
    return share if float(torch.rand((), generator=g)) < 0.5 else 1 - share


def on_the_way(g: Generator) -> list[Probe]:
    """Other shapes, another type."""
    (a, b), t = rows_apart(g, 1, 6), torch.linspace(0, 1, 5)[:, None]
    c, d = rows_apart(g, 3, 4)
    return [
        Probe(Call((a[0], b[0], share(g))), "two single codes, (L,)"),
        Probe(Call((a, b, t)), "codes (1, L) and a tensor t, (5, 1)"),
        Probe(Call((c, d, torch.rand(3, 1, generator=g))), "codes (3, L) and a tensor t, (3, 1)"),
        Probe(Call((c.double(), d.double(), share(g))), "float64 codes"),
    ]


def are_finite(results: list[Any], probes: list[Probe]) -> str:
    for got, probe in zip(results, probes, strict=True):
        if isinstance(got, Tensor) and not bool(got.isfinite().all()):
            return f"With {probe.label}, there are values that are not finite: is anything divided by zero?"
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off



def sampled(model: Any, x: Tensor) -> Tensor:
    return reparameterize(*model.encode(x))



def arc(a: Tensor, b: Tensor, t: float | Tensor, angle: Tensor) -> Tensor:
    """The formula without any care for special cases."""
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)



def slerp_by_rows(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: a loop over single codes."""
    shape = torch.broadcast_shapes(a.shape, b.shape, t.shape if isinstance(t, Tensor) else ())
    rows = [x.expand(shape).reshape(-1, shape[-1]) for x in (a, b, torch.as_tensor(t, dtype=a.dtype))]
    points = []
    for start, end, share in zip(*rows, strict=True):
        angle = 2 * torch.atan2(  # Kahan's formula
            (start * end.norm() - end * start.norm()).norm(), (start * end.norm() + end * start.norm()).norm())
        on_line = float(torch.sin(angle)) < 1e-5
        points.append((1 - share) * start + share * end if on_line else arc(start, end, share, angle))
    return torch.stack(points).reshape(shape)

"""The check of ``traverse``: pictures of one code with one of its numbers set to each of some values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.latents import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import latents


def _traverse_oracle(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    chosen = torch.arange(len(z)) == dim
    codes = torch.where(chosen, values[:, None].double(), z.double())
    return torch.sigmoid(codes @ model.to_pixels.detach().double().T).unflatten(1, model.shape)


def _traversal(g: Generator, dims: int, dim: int, num_values: int, label: str, beyond: float = 0.0) -> Probe:
    z = torch.randn(dims, generator=g)
    z = z + torch.where(z > 0, 0.5, -0.5)  # no number near zero, where setting and adding look alike
    values = 2 * torch.randn(num_values, generator=g)
    values = values + torch.where(values > 0, beyond, -beyond)
    return Probe(Call((Handle("model"), z, dim, values)), label, before=(shared.tiny(g, dims),))


def _traverse_value(g: Generator) -> list[Probe]:
    return [
        _traversal(g, 5, 2, 5, "5 values for number 2 of 5"),
        _traversal(g, 4, 1, 4, "4 values for number 1 of 4"),
    ]


def _traverse_code(g: Generator) -> list[Probe]:
    probe = _traversal(g, 4, 2, 3, "a look at z after the call")
    model, z, dim, values = probe.call.args
    kept = Step("props.itself", Call((z,), keep="z"))
    call = Call((model, Handle("z"), dim, values))
    return [
        Probe(
            call,
            probe.label,
            before=(*probe.before, kept),
            after=(Step("props.itself", Call((Handle("z"),))),),
        )
    ]


def _traverse_edges(g: Generator) -> list[Probe]:
    return [
        _traversal(g, 6, 0, 9, "9 values for the first number"),
        _traversal(g, 6, 5, 3, "3 values for the last number"),
        _traversal(g, 4, 2, 1, "a single value"),
        _traversal(g, 1, 0, 4, "a code of one number"),
        _traversal(g, 3, 1, 4, "values far out", 8.0),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _traverse_like(codes: Callable[[Tensor, int, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A variant that decodes ``codes(z, dim, values)``."""
    return lambda model, z, dim, values: model.decode(codes(z, dim, values))



def _one_hot(z: Tensor, dim: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(dim), len(z)).to(z)



def _set(rows: Tensor, dim: Any, values: Tensor) -> Tensor:
    rows[:, dim] = values
    return rows



def _set_row(z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes = z.repeat(len(values), 1)
    codes[dim] = values
    return codes



def _in_place(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = []
    for value in values:
        z[dim] = value
        images.append(model.decode(z[None]))
    return torch.cat(images)



def _same_tensor(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes, code = [], z.clone()
    for value in values:
        code[dim] = value
        codes.append(code)
    return model.decode(torch.stack(codes))



TRAVERSE = Check(
    name="traverse",
    asks="pictures of one code with one of its numbers set to each of some values",
    section="latent-traversal",
    oracle=_traverse_oracle,
    parts=(
        Part("value", 2, _traverse_value),
        Part("code unchanged", 1, _traverse_code),
        Part("edge cases", 1, _traverse_edges),
    ),
    misconceptions=(
        _m("traverse-adds", "latent-traversal", "the values are added to the number; it is to be set to them.",
           _traverse_like(lambda z, dim, values: z + values[:, None] * _one_hot(z, dim))),
        _m("traverse-multiplies", "latent-traversal", "the number is multiplied with the values; set it to them.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values * z[dim]))),
        _m("traverse-sets-all", "latent-traversal", "all numbers of the code are set, not only one.",
           _traverse_like(lambda z, dim, values: values[:, None].expand(-1, len(z)))),
        _m("traverse-adds-to-all", "latent-traversal", "the values are added to all numbers of the code.",
           _traverse_like(lambda z, dim, values: z + values[:, None])),
        _m("traverse-from-zero", "latent-traversal", "the other numbers are zero instead of those of z.",
           _traverse_like(lambda z, dim, values: values[:, None] * _one_hot(z, dim))),
        _m("traverse-row", "latent-traversal", "a row of the codes is set; the number stands in a column.",
           _traverse_like(_set_row)),
        _m("traverse-next-dim", "latent-traversal", "the number after the one asked for is set: dim counts from 0.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), (dim + 1) % len(z), values))),
        _m("traverse-previous-dim", "latent-traversal",
           "the number before the one asked for is set: dim counts from 0.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim - 1, values))),
        _m("traverse-first-dim", "latent-traversal", "dim is ignored: the first number is set.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), 0, values))),
        _m("traverse-all-up-to-dim", "latent-traversal", "a slice is set, so that several numbers change.",
           _traverse_like(lambda z, dim, values: _set(
               z.repeat(len(values), 1), slice(None, dim + 1), values[:, None]))),
        _m("traverse-last-value", "latent-traversal",
           "one tensor stands for all codes, so that all show the last value; copy it first.", _same_tensor),
        _m("traverse-even-steps", "latent-traversal",
           "the number runs evenly from the least value to the greatest; take the values as they are.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, torch.linspace(
               float(values.min()), float(values.max()), len(values))))),
        _m("traverse-sorted", "latent-traversal", "the values are sorted; keep their order.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values.sort().values))),
        _m("traverse-returns-codes", "latent-traversal", "the codes are returned without being decoded.",
           lambda model, z, dim, values: _set(z.repeat(len(values), 1), dim, values)),
        _m("traverse-list", "latent-traversal", "a list is returned; put the pictures into one tensor.",
           lambda model, z, dim, values: list(latents.traverse(model, z, dim, values))),
        _m("traverse-in-place", "latent-traversal", "z itself is changed by the call; work on a copy.", _in_place),
        _m("traverse-clamped", "latent-traversal", "values far from zero are clamped.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values.clamp(-7, 7)))),
    ),
    equivalents=(
        latents.traverse,
        _traverse_like(lambda z, dim, values: torch.stack([
            torch.cat([z[:dim], value[None], z[dim + 1 :]]) for value in values])),
        _traverse_like(lambda z, dim, values: z + (values[:, None] - z[dim]) * _one_hot(z, dim)),
        lambda model, z, dim, values: torch.cat([
            model.decode(_set(z.clone()[None], dim, value)) for value in values]),
        _traverse_like(lambda z, dim, values: _set(z.double().repeat(len(values), 1), dim, values.double())),
    ),
)

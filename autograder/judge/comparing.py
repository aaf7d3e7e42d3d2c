"""Whether what came back is what was wanted, and what distinguishes the two, in words and a few numbers.

Both are trees of tensors, plain numbers, texts, lists and dictionaries: what can cross the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.both_sides.wire import Tree

RELATIVE_TOLERANCE = 1e-4  # float32 sums of a few thousand terms stay well inside
ABSOLUTE_TOLERANCE = 1e-4
# How far an estimate may be off where checks compare random results: a normal tail leaves 8e-11 beyond
STANDARD_ERRORS = 6.5
# what a check says where noise does not come from the generator that is passed in
GENERATOR_IGNORED = (
    "Two calls with equally seeded generators differ: draw all noise from the generator you are given."
)
ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class Difference:
    """What is wrong with a result.

    Attributes:
        problem: follows the name of what returned it: "is off", "returned shape (3,), not ()".
        seen: a few numbers of what came back and of what was wanted, where that helps.
    """

    problem: str
    seen: tuple[str, str] | None = None


def difference(
    got: Tree, wanted: Tree, tolerance: Tensor | None = None, slack: float = 1.0
) -> Difference | None:
    """The first thing that distinguishes a result from the one wanted; None if nothing does.

    Args:
        got: the result.
        wanted: the right one.
        tolerance: how far each element may be off; a part in 10,000 if None.
        slack: a factor on the tolerance.
    """
    if isinstance(wanted, Tensor):
        return _of_tensors(got, wanted, tolerance, slack)
    if isinstance(wanted, bool | str) or wanted is None:
        # the type first: what a tensor of several numbers gives when compared is no truth
        return None if type(_plain(got)) is type(wanted) and _plain(got) == wanted else _other(got, wanted)
    if isinstance(wanted, int | float):
        return _of_numbers(got, wanted, tolerance, slack)
    if isinstance(wanted, dict):
        return _of_dictionaries(got, wanted, tolerance, slack)
    if isinstance(wanted, list | tuple):
        return _of_lists(got, wanted, tolerance, slack)
    return None if type(got) is type(wanted) else Difference(f"returned {kind(got)}")


def _of_tensors(got: Tree, wanted: Tensor, tolerance: Tensor | None, slack: float) -> Difference | None:
    if not isinstance(got, Tensor):
        return Difference(f"returned {kind(got)}, not a tensor")
    seen = few(got), few(wanted)
    if got.shape != wanted.shape:
        return Difference(f"returned shape {tuple(got.shape)}, not {tuple(wanted.shape)}", seen)
    if wanted.is_floating_point() and not got.is_floating_point():
        return Difference(f"returned {got.dtype}, not floating point numbers", seen)
    if not wanted.is_floating_point() and got.dtype != wanted.dtype:
        return Difference(f"returned {got.dtype}, not {wanted.dtype}", seen)
    if not bool(got.isfinite().all()):
        return Difference(f"returned {int((~got.isfinite()).sum())} values that are not finite", seen)
    if not wanted.is_floating_point():
        return None if torch.equal(got, wanted) else Difference("is off", seen)
    bound = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * wanted.abs() if tolerance is None else tolerance
    if bool(((got.double() - wanted.double()).abs() <= slack * bound).all()):
        return None
    return Difference("is off", seen)


def _of_numbers(got: Tree, wanted: float, tolerance: Tensor | None, slack: float) -> Difference | None:
    got = _plain(got)
    if isinstance(got, bool) or not isinstance(got, int | float):
        return Difference(f"returned {kind(got)}, not a number")
    if isinstance(wanted, int):
        return None if got == wanted else _other(got, wanted)
    found = _of_tensors(torch.tensor(float(got)), torch.tensor(wanted).double(), tolerance, slack)
    return None if found is None else Difference(found.problem, (f"{got:.6g}", f"{wanted:.6g}"))


def _of_dictionaries(
    got: Tree, wanted: dict[str, Tree], tolerance: Tensor | None, slack: float
) -> Difference | None:
    if not isinstance(got, dict):
        return Difference(f"returned {kind(got)}, not a dictionary")
    if got.keys() != wanted.keys():
        return Difference("returned other keys than asked for", (_names(got), _names(wanted)))
    for key, value in wanted.items():
        found = difference(got[key], value, tolerance, slack)
        if found is not None:
            return Difference(f"{found.problem} at {key!r}", found.seen)
    return None


def _of_lists(
    got: Tree, wanted: list[Tree] | tuple[Tree, ...], tolerance: Tensor | None, slack: float
) -> Difference | None:
    if not isinstance(got, list | tuple):
        return Difference(f"returned {kind(got)}, not {len(wanted)} things")
    if len(got) != len(wanted):
        return Difference(f"returned {len(got)} things, not {len(wanted)}")
    for position, (mine, right) in enumerate(zip(got, wanted, strict=True)):
        found = difference(mine, right, tolerance, slack)
        if found is not None:
            which = ORDINALS[position] if position < len(ORDINALS) else f"{position + 1}th"
            return Difference(f"{found.problem} in the {which} of {len(wanted)} results", found.seen)
    return None


def _plain(value: Tree) -> Tree:
    """A tensor of one number as that number: learners return either."""
    return value.item() if isinstance(value, Tensor) and value.dim() == 0 else value


def _other(got: Tree, wanted: Tree) -> Difference:
    return Difference(f"returned {str(_plain(got))[:60]}, not {wanted}")


def _names(keys: dict[str, Tree]) -> str:
    return ", ".join(str(key)[:40] for key in list(keys)[:8])


def few(values: Tensor, count: int = 3) -> str:
    """The first few numbers of a tensor, for reading side by side."""
    flat = values.detach().flatten()[:count].tolist()
    shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in flat)
    return f"{shown}{', …' if values.numel() > count else ''}"


def kind(value: Any) -> str:
    """What sort of thing it is, with its article."""
    word = type(value).__name__
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"

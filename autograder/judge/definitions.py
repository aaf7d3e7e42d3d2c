"""What a check is made of: parts with questions, an oracle, known mistakes and right answers written differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from autograder.both_sides.stand_in import Gives, StandIn
from autograder.both_sides.target import Call

Expected = torch.Tensor | tuple[torch.Tensor, torch.Tensor]  # a value, or an estimate and its tolerance
Oracle = Callable[..., Expected]


@dataclass(frozen=True)
class Step:
    """A call beside the one that a probe is about: it makes what that call needs, or looks at what it did."""

    name: str
    call: Call


@dataclass(frozen=True)
class Probe:
    """One call, and how close its result must come; with ``after``, a list of its result and of theirs."""

    call: Call
    label: str  # what is special about it, in words a learner understands
    tolerance: torch.Tensor | None = None  # absolute, per element, for results that are themselves random
    on: str = ""  # what is called, if not the function that the check is about
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Part:
    """A named share of a check's points."""

    name: str
    weight: int
    probes: Callable[[torch.Generator], list[Probe]]
    # Judges all replies together where there is no single right result; says what is wrong, or "".
    holds: Callable[[list[Any], list[Probe]], str] | None = None
    # What is compared with the oracle of a result that is random itself, such as its moments; after ``holds``.
    summary: Callable[[Any], torch.Tensor] | None = None


@dataclass(frozen=True)
class Misconception:
    """A wrong variant that people really write."""

    name: str
    section: str  # label of the book's section that explains it
    sentence: str  # follows "Recognised: "
    variant: Callable[..., Any]
    # names of others that no case can tell from it: learners then read all their sentences
    like: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Check:
    """Everything that decides about one thing the learner writes.

    The first part is the value: when it fails the others are not looked at, because a wrong function has no edge cases.
    """

    name: str
    asks: str
    section: str
    oracle: Callable[..., torch.Tensor] | None  # None where every part judges by ``holds`` alone
    parts: tuple[Part, ...]
    misconceptions: tuple[Misconception, ...]
    equivalents: tuple[Callable[..., Any], ...]
    # Helpers that the learner has written before: who puts them together rightly is right, whatever they are worth.
    helpers: Mapping[str, tuple[tuple[str, ...], Gives]] | None = (
        None  # name → (argument names, what comes back)
    )
    # what comes out with stand-ins; None where every part judges by ``holds`` alone
    of_helpers: Callable[[Mapping[str, StandIn]], Callable[..., Expected]] | None = None

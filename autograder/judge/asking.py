"""The questions of a check, as they are drawn from a seed, and what comes back when they are asked.

A check asks the same questions each time in a notebook, so everything about them that does not depend on the learner
is found out once and kept: the probes, the right results, and what the known mistakes make of them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Failure, LocalTarget, Reply, Target, Value
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Oracle, Part, Probe

KEPT_PAPERS = 16  # a notebook has up to five checks, each with one seed
ENDS = 1024  # numbers from either end of a random result that are kept to compare draw for draw


@dataclass(eq=False)
class Paper:
    """All questions of a check for one seed, and what is known about them so far.

    Attributes:
        check: whose questions they are.
        seed: that they were drawn from.
        probes: of each part.
    """

    check: Check
    seed: int
    probes: tuple[tuple[Probe, ...], ...]
    _right: dict[tuple[int, int], tuple[Any, torch.Tensor | None]] = field(default_factory=dict)
    _echoes: dict[tuple[int, Misconception], Echo] = field(default_factory=dict)

    def right(self, part: int, number: int) -> tuple[Any, torch.Tensor | None]:
        """What the check's own oracle says to a probe of a part, and how close one must come."""
        if (part, number) not in self._right:
            oracle = self.check.oracle
            assert oracle is not None, (
                f"{self.check.name} has a part without ``holds`` and no oracle to compare with"
            )
            self._right[part, number] = expected(self.check.name, self.probes[part][number], oracle)
        return self._right[part, number]

    def echo(self, part: int, misconception: Misconception) -> Echo:
        """What a known mistake makes of a part."""
        key = part, misconception
        if key not in self._echoes:
            suspect = LocalTarget({self.check.name: misconception.variant})
            self._echoes[key] = Echo(self.check.name, self.check.parts[part], self.probes[part], suspect)
        return self._echoes[key]


@functools.lru_cache(maxsize=KEPT_PAPERS)
def paper_of(check: Check, seed: int) -> Paper:
    """The questions of a check for a seed."""
    return Paper(check, seed, tuple(tuple(part.probes(_generator(seed, part))) for part in check.parts))


def _generator(seed: int, part: Part) -> torch.Generator:
    # each part has numbers of its own, whatever the parts before it drew
    return torch.Generator().manual_seed(seed * 1009 + sum(part.name.encode()))


def ask(target: Target, name: str, probe: Probe, stand_ins: Mapping[str, StandIn] | None = None) -> Reply:
    """Take the steps of a probe in their order; the first failure ends it.

    Args:
        target: answers.
        name: of the function that the check is about.
        probe: what to ask.
        stand_ins: take the place of the learner's helpers meanwhile.
    """
    results = []
    for step in probe.before:
        of_theirs = stand_ins and step.name == name
        reply = target.call(step.name, replace(step.call, stand_ins=stand_ins) if of_theirs else step.call)
        if isinstance(reply, Failure):
            return reply
    call = replace(probe.call, stand_ins=stand_ins) if stand_ins else probe.call
    for called, how in ((probe.on or name, call), *((step.name, step.call) for step in probe.after)):
        reply = target.call(called, how)
        if isinstance(reply, Failure):
            return reply
        results.append(reply.result)
    return Value(results if probe.after else results[0])


def expected(name: str, probe: Probe, oracle: Oracle) -> tuple[Any, torch.Tensor | None]:
    """The oracle's result in double precision, or its vector-Jacobian products, and how close one must come."""
    call = probe.call
    if probe.before or probe.after or probe.on:  # with objects made on the way, which are not double
        reply = ask(LocalTarget({name: oracle}), name, probe)
        if isinstance(reply, Failure):
            raise RuntimeError(f"the oracle of {name} failed: {reply}")
        return reply.result, probe.tolerance
    args = [_double(arg) for arg in call.args]
    for position in call.wrt:
        args[position].requires_grad_(True)
    result = oracle(*args, **{key: _double(arg) for key, arg in (call.kwargs or {}).items()})
    if isinstance(result, tuple):  # an oracle that is an estimate brings its own tolerance
        return result
    if call.cotangent is None:
        return result, probe.tolerance
    leaves = [args[i] for i in call.wrt]
    # as the gradient of a number, as in ``both_sides.target``
    return list(torch.autograd.grad((result * call.cotangent.double()).sum(), leaves)), probe.tolerance


def _double(arg: Any) -> Any:
    return arg.detach().double() if isinstance(arg, torch.Tensor) else arg


def problem_of(part: Part, results: Sequence[Any], probes: Sequence[Probe]) -> str:
    """What a part that judges all results together says; the results may be anything that crosses the wall."""
    if part.holds is None:
        return ""
    try:
        return part.holds(list(results), list(probes))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError):
        return "It returned something else than it was asked for."


@dataclass(frozen=True)
class Gist:
    """What counts of the replies to a part whose results are judged together; networks' pictures are large.

    Attributes:
        failures: for each probe the kind of its failure, or "".
        problem: what the part says; "" if it is content, or if there are failures.
        summaries: of the results, where the part has a summary and is content.
        drawn: the first and the last numbers of results that are random.
    """

    failures: tuple[str, ...]
    problem: str = ""
    summaries: tuple[Any, ...] = ()
    drawn: tuple[Any, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any call gave no result."""
        return any(self.failures)


def is_random(part: Part, probes: Sequence[Probe]) -> bool:
    """Whether results of a part depend on noise."""
    return part.summary is not None or any(probe.tolerance is not None for probe in probes)


def gist_of(part: Part, probes: Sequence[Probe], replies: Sequence[Reply]) -> Gist:
    """What counts of the replies to a part with ``holds``."""
    failures = tuple(reply.kind if isinstance(reply, Failure) else "" for reply in replies)
    if any(failures):
        return Gist(failures)
    results = [reply.result for reply in replies if isinstance(reply, Value)]
    problem = problem_of(part, results, probes)
    drawn = tuple(_ends(result) for result in results) if is_random(part, probes) else ()
    summaries = () if problem or part.summary is None else tuple(part.summary(result) for result in results)
    return Gist(failures, problem, summaries, drawn)


def _ends(tree: Any) -> Any:
    if isinstance(tree, torch.Tensor):
        flat = tree.flatten()
        return [list(tree.shape), flat[:ENDS].clone(), flat[-ENDS:].clone()]
    return [_ends(item) for item in tree] if isinstance(tree, list | tuple) else tree


@dataclass
class Echo:
    """What a known mistake makes of a part, found out as far as somebody asks."""

    name: str
    part: Part
    probes: Sequence[Probe]
    suspect: LocalTarget
    _replies: list[Reply] = field(default_factory=list)
    _gist: Gist | None = None

    def reply(self, number: int) -> Reply:
        """The reply to a probe; those before it are asked first, for they may leave something behind."""
        while len(self._replies) <= number:
            self._replies.append(ask(self.suspect, self.name, self.probes[len(self._replies)]))
        return self._replies[number]

    def gist(self) -> Gist:
        """What counts of the replies to all probes; the replies themselves are forgotten."""
        if self._gist is None:
            self.reply(len(self.probes) - 1)
            self._gist = gist_of(self.part, self.probes, self._replies)
            self._replies, self.suspect = [], LocalTarget({})
        return self._gist


def alike(mine: Reply, other: Reply, probe: Probe) -> bool:
    """Whether two replies to a probe are the same, as far as it tells results apart."""
    if isinstance(mine, Failure) or isinstance(other, Failure):
        return isinstance(mine, Failure) and isinstance(other, Failure) and mine.kind == other.kind
    return alike_results(mine.result, other.result, probe)


def alike_results(mine: Any, other: Any, probe: Probe) -> bool:
    """Whether two results, or two summaries of results, agree as far as a probe tells them apart."""
    # both are estimates where a tolerance is given, so their difference spreads wider
    tolerance = probe.tolerance
    if tolerance is not None and not (
        (isinstance(other, torch.Tensor) and other.shape == tolerance.shape) or isinstance(other, list)
    ):
        tolerance = None
    return difference(mine, other, tolerance, slack=1.5) is None

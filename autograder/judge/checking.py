"""How a verdict comes about.

A check asks a target (see :mod:`autograder.both_sides.target`) for the results of calls drawn from a seed, compares
them with an oracle that runs on this side, and, when they differ, with the results of every known wrong variant: the
one whose results match names the mistake.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Failure, Reply, Target, Value
from autograder.judge.asking import Paper, ask, expected, paper_of, problem_of
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Oracle, Probe
from autograder.judge.plain_words import meaning_of
from autograder.judge.recognising import recognise

NOT_LOOKED_AT = "looked at once the value is right"


@dataclass(frozen=True)
class Finding:
    """How one part went."""

    part: str
    weight: int
    passed: bool
    problem: str = ""
    seen: tuple[str, str] | None = None  # what came back and what was expected, a few numbers each
    failure: str = ""  # the kind of the failure, where a call gave no result


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    check: Check
    points: int  # what the check is worth
    findings: tuple[Finding, ...]
    mistakes: tuple[Misconception, ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether every part passed."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    @property
    def score(self) -> float:
        """Points earned."""
        total = sum(part.weight for part in self.check.parts)
        return self.points * sum(f.weight for f in self.findings if f.passed) / total


def judge(
    check: Check,
    target: Target,
    points: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Examine what ``target`` holds under the check's name.

    It leaves no trace in the global random numbers, and runs on one thread: cases are small, and threads that wait for
    each other on a busy machine cost more than they save.

    Args:
        check: what to examine it with.
        target: where the function lives.
        points: what the check is worth.
        seed: of the cases; another seed asks other questions of the same kind.
        progress: told after each question and each suspect how many are done, and of how many as far as is known.
    """
    with _one_thread(), torch.random.fork_rng(devices=[]):
        exam = _Examination(check, target, points, seed, progress)
        verdict = exam.run(None, {})
        if verdict.passed or check.helpers is None:
            return verdict
        stand_ins = {
            name: StandIn(arguments, gives, seed + number)
            for number, (name, (arguments, gives)) in enumerate(check.helpers.items())
        }
        again = exam.run(check.of_helpers(stand_ins) if check.of_helpers else None, stand_ins)
    pairs = zip(verdict.findings, again.findings, strict=True)
    # a part that is looked at by itself alone may want the helpers' own numbers
    again = replace(again, findings=tuple(own if own.passed else other for own, other in pairs))
    if again.score <= verdict.score:
        return verdict
    helpers = " or ".join(check.helpers)
    return replace(again, note=f"It uses {helpers} correctly; that one is not right yet.")


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Examination:
    """A check on its way: asks, compares, and counts how far it is."""

    def __init__(
        self, check: Check, target: Target, points: int, seed: int, progress: Callable[[int, int], None]
    ) -> None:
        self.check, self.target, self.points = check, target, points
        self.paper: Paper = paper_of(check, seed)
        self.progress = progress
        self.done, self.total = 0, sum(map(len, self.paper.probes))

    def run(self, oracle: Oracle | None, stand_ins: Mapping[str, StandIn]) -> Verdict:
        """Ask part by part; with another oracle than the check's, and stand-ins for helpers, if there are any."""
        findings: list[Finding] = []
        replies: list[list[Reply]] = []
        mistakes: tuple[Misconception, ...] = ()
        for number in range(len(self.check.parts)):
            replies.append([])
            for probe in self.paper.probes[number]:
                replies[-1].append(ask(self.target, self.check.name, probe, stand_ins))
                self._advance()
            finding = self._compare(number, replies[-1], oracle)
            findings.append(finding)
            if not finding.passed and not mistakes and not stand_ins:
                self.total += len(self.check.misconceptions)
                mistakes = recognise(self.paper, replies, self._advance)
            if number == 0 and not finding.passed:
                findings += [Finding(p.name, p.weight, False, NOT_LOOKED_AT) for p in self.check.parts[1:]]
                break
        return Verdict(self.check, self.points, tuple(findings), mistakes)

    def _advance(self) -> None:
        self.done += 1
        self.total = max(self.total, self.done)
        self.progress(self.done, self.total)

    def _compare(self, number: int, replies: list[Reply], oracle: Oracle | None) -> Finding:
        name, part, probes = self.check.name, self.check.parts[number], self.paper.probes[number]
        for reply in replies:
            if isinstance(reply, Failure):
                problem = describe_failure(name, reply)
                return Finding(part.name, part.weight, False, problem, failure=reply.kind)
        results = [reply.result for reply in replies if isinstance(reply, Value)]
        problem = problem_of(part, results, probes)
        if problem or (part.holds is not None and part.summary is None):
            return Finding(part.name, part.weight, not problem, problem)
        if part.summary is not None:
            results = [part.summary(result) for result in results]
        for index, (probe, result) in enumerate(zip(probes, results, strict=True)):
            right = self.paper.right(number, index) if oracle is None else expected(name, probe, oracle)
            found = _compared(name, probe, result, *right)
            if found is not None:
                return replace(found, part=part.name, weight=part.weight)
        return Finding(part.name, part.weight, True)


def _compared(
    name: str, probe: Probe, result: Any, right: Any, tolerance: torch.Tensor | None
) -> Finding | None:
    """What distinguishes a result from the right one, as a finding of no part yet; None if nothing does."""
    gradients = probe.call.cotangent is not None
    if gradients and not (isinstance(result, list) and len(result) == len(right)):
        return Finding("", 0, False, f"{name} gave no gradients")
    for got, wanted in zip(result, right, strict=True) if gradients else [(result, right)]:
        found = difference(got, wanted, tolerance)
        if found is not None:
            what = "the gradient" if gradients else name
            return Finding("", 0, False, f"With {probe.label}, {what} {found.problem}", found.seen)
    return None


def describe_failure(name: str, failure: Failure) -> str:
    """One sentence on why a call gave no result."""
    if failure.kind == "NotImplementedError":
        return (
            f"{name} is not written yet: put your code in place of the line that raises NotImplementedError."
        )
    if failure.kind in ("Missing", "Gone"):
        started = failure.message if failure.message.startswith(name) else failure.message.capitalize()
        return f"{started}."
    if failure.kind == "NoGradient":
        return f"In {name}, {failure.message}."
    if failure.kind in ("Timeout", "Unreadable"):
        return f"{name} gave {'no answer' if failure.kind == 'Timeout' else 'nothing to compare'}: {failure.message}."
    where = f' (at "{failure.line}")' if failure.line else ""
    return f"{name} raised {failure.kind}: {failure.message}{where}.{meaning_of(failure.message)}"

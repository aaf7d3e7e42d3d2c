"""What a check is made of, and how a verdict comes about.

A check asks a target (see :mod:`autograder.target`) for the results of calls drawn from a seed, compares them with an
oracle that runs on this side, and, when they differ, with the results of every known wrong variant: the one whose
results match names the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from autograder.target import Call, Failure, LocalTarget, Reply, StandIn, Target, Value

NOT_LOOKED_AT = "looked at once the value is right"
RELATIVE_TOLERANCE = 1e-4  # float32 sums of a few thousand terms stay well inside
ABSOLUTE_TOLERANCE = 1e-4

Expected = torch.Tensor | tuple[torch.Tensor, torch.Tensor]  # a value, or an estimate and its tolerance


@dataclass(frozen=True)
class Probe:
    """One call, and how close its result must come."""

    call: Call
    label: str  # what is special about it, in words a learner understands
    tolerance: torch.Tensor | None = None  # absolute, per element, for results that are themselves random


@dataclass(frozen=True)
class Part:
    """A named share of a check's points."""

    name: str
    weight: int
    probes: Callable[[torch.Generator], list[Probe]]
    # Judges all replies together where there is no single right result; says what is wrong, or "".
    holds: Callable[[list[Any]], str] | None = None


@dataclass(frozen=True)
class Misconception:
    """A wrong variant that people really write."""

    name: str
    sentence: str  # follows "Recognised: "
    section: str  # label of the book's section that explains it
    variant: Callable[..., Any]


@dataclass(frozen=True)
class Check:
    """Everything that decides about one thing the learner writes.

    The first part is the value: when it fails the others are not looked at, because a wrong function has no edge cases.
    """

    name: str
    asks: str
    section: str
    oracle: Callable[..., torch.Tensor]
    parts: tuple[Part, ...]
    misconceptions: tuple[Misconception, ...]
    equivalents: tuple[Callable[..., Any], ...]
    # Helpers that the learner has written before: who puts them together rightly is right, whatever they are worth.
    helpers: Mapping[str, tuple[tuple[str, ...], bool]] | None = (
        None  # name → (argument names, sums over the last only)
    )
    of_helpers: Callable[[Mapping[str, StandIn]], Callable[..., Expected]] | None = None


@dataclass(frozen=True)
class Finding:
    """How one part went."""

    part: str
    weight: int
    passed: bool
    problem: str = ""
    seen: tuple[str, str] | None = None  # what came back and what was expected, a few numbers each


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


def judge(check: Check, target: Target, points: int, seed: int) -> Verdict:
    """Examine what ``target`` holds under the check's name.

    Args:
        check: what to examine it with.
        target: where the function lives.
        points: what the check is worth.
        seed: of the cases; another seed asks other questions of the same kind.
    """
    verdict = _judge(check, target, points, seed, check.oracle, {})
    if verdict.findings[0].passed or check.helpers is None or check.of_helpers is None:
        return verdict
    stand_ins = {
        name: StandIn(arguments, over_last, seed + number)
        for number, (name, (arguments, over_last)) in enumerate(check.helpers.items())
    }
    again = _judge(check, target, points, seed, check.of_helpers(stand_ins), stand_ins)
    if not again.findings[0].passed:
        return verdict
    helpers = " or ".join(check.helpers)
    return replace(again, note=f"It uses {helpers} correctly; that one is not right yet.")


def _judge(
    check: Check,
    target: Target,
    points: int,
    seed: int,
    oracle: Callable[..., Expected],
    stand_ins: Mapping[str, StandIn],
) -> Verdict:
    exams = [_Exam(part, part.probes(_generator(seed, part)), []) for part in check.parts]
    findings: list[Finding] = []
    mistakes: tuple[Misconception, ...] = ()
    for index, exam in enumerate(exams):
        given = stand_ins if exam.part.holds is None else {}
        calls = [replace(probe.call, stand_ins=given) for probe in exam.probes]
        exam.replies.extend(target.call(check.name, call) for call in calls)
        finding = _compare(check, exam, oracle)
        findings.append(finding)
        if not finding.passed and not mistakes and not stand_ins:
            mistakes = _recognise(check, exams[: index + 1])
        if index == 0 and not finding.passed:
            findings += [Finding(e.part.name, e.part.weight, False, NOT_LOOKED_AT) for e in exams[1:]]
            break
    return Verdict(check, points, tuple(findings), mistakes)


@dataclass(frozen=True)
class _Exam:
    """A part with its calls and what they brought back."""

    part: Part
    probes: list[Probe]
    replies: list[Reply]


def _generator(seed: int, part: Part) -> torch.Generator:
    # each part has numbers of its own, whatever the parts before it drew
    return torch.Generator().manual_seed(seed * 1009 + sum(part.name.encode()))


def _compare(check: Check, exam: _Exam, oracle: Callable[..., Expected]) -> Finding:
    part, probes, replies = exam.part, exam.probes, exam.replies
    for reply in replies:
        if isinstance(reply, Failure):
            return Finding(part.name, part.weight, False, describe_failure(check.name, reply))
    results = [reply.result for reply in replies if isinstance(reply, Value)]
    if part.holds is not None:
        problem = part.holds(results)
        return Finding(part.name, part.weight, not problem, problem)
    for probe, result in zip(probes, results, strict=True):
        expected, tolerance = _expected(probe, oracle)
        if isinstance(expected, list) and not (isinstance(result, list) and len(result) == len(expected)):
            return Finding(part.name, part.weight, False, f"{check.name} gave no gradients")
        pairs = zip(result, expected, strict=True) if isinstance(expected, list) else [(result, expected)]
        for got, wanted in pairs:
            problem = _difference(got, wanted, tolerance)
            if problem:
                seen = (few(got), few(wanted)) if isinstance(got, torch.Tensor) else None
                what = "the gradient" if isinstance(expected, list) else check.name
                return Finding(part.name, part.weight, False, f"With {probe.label}, {what} {problem}", seen)
    return Finding(part.name, part.weight, True)


def _expected(
    probe: Probe, oracle: Callable[..., Expected]
) -> tuple[torch.Tensor | list[torch.Tensor], torch.Tensor | None]:
    """The oracle's result in double precision, or its vector-Jacobian products, and how close one must come."""
    call = probe.call
    args = [_double(arg) for arg in call.args]
    for position in call.wrt:
        args[position].requires_grad_(True)
    result = oracle(*args, **{key: _double(arg) for key, arg in (call.kwargs or {}).items()})
    if isinstance(result, tuple):  # an oracle that is an estimate brings its own tolerance
        return result
    if call.cotangent is None:
        return result, probe.tolerance
    leaves = [args[i] for i in call.wrt]
    return list(torch.autograd.grad(result, leaves, grad_outputs=call.cotangent.double())), probe.tolerance


def _double(arg: Any) -> Any:
    return arg.detach().double() if isinstance(arg, torch.Tensor) else arg


def _difference(got: Any, wanted: torch.Tensor, tolerance: torch.Tensor | None, slack: float = 1.0) -> str:
    """What distinguishes a result from the one wanted; empty if nothing does."""
    if not isinstance(got, torch.Tensor):
        return f"returned {_a(type(got).__name__)}, not a tensor"
    if got.shape != wanted.shape:
        return f"returned shape {tuple(got.shape)}, not {tuple(wanted.shape)}"
    if not got.is_floating_point():
        return f"returned {got.dtype}, not floating point numbers"
    if not bool(got.isfinite().all()):
        return f"returned {int((~got.isfinite()).sum())} values that are not finite"
    bound = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * wanted.abs() if tolerance is None else tolerance
    if bool(((got.double() - wanted).abs() <= slack * bound).all()):
        return ""
    return "is off"


def _recognise(check: Check, exams: list[_Exam]) -> tuple[Misconception, ...]:
    """The misconceptions whose results match everything that was seen, and are wrong in the same way."""
    if any(isinstance(r, Failure) and r.kind != "NoGradient" for exam in exams for r in exam.replies):
        return ()
    return tuple(m for m in check.misconceptions if all(_matches(check, m, exam) for exam in exams))


def _matches(check: Check, misconception: Misconception, exam: _Exam) -> bool:
    suspect = LocalTarget({check.name: misconception.variant})
    theirs = [suspect.call(check.name, probe.call) for probe in exam.probes]
    if exam.part.holds is not None:
        results = [[r.result for r in replies if isinstance(r, Value)] for replies in (exam.replies, theirs)]
        return exam.part.holds(results[0]) == exam.part.holds(results[1])
    return all(_alike(a, b, p) for a, b, p in zip(exam.replies, theirs, exam.probes, strict=True))


def _alike(mine: Reply, other: Reply, probe: Probe) -> bool:
    if isinstance(mine, Failure) or isinstance(other, Failure):
        return isinstance(mine, Failure) and isinstance(other, Failure) and mine.kind == other.kind
    a, b = mine.result, other.result
    if isinstance(b, list):
        return (
            isinstance(a, list)
            and len(a) == len(b)
            and all(_difference(x, y.double(), probe.tolerance) == "" for x, y in zip(a, b, strict=True))
        )
    if not isinstance(b, torch.Tensor):
        return type(a) is type(b)
    # both are estimates where a tolerance is given, so their difference spreads wider
    tolerance = (
        probe.tolerance.expand(b.shape)
        if probe.tolerance is not None and b.shape == probe.tolerance.shape
        else None
    )
    return _difference(a, b.double(), tolerance, slack=1.5) == ""


def describe_failure(name: str, failure: Failure) -> str:
    """One sentence on why a call gave no result."""
    if failure.kind == "NotImplementedError":
        return (
            f"{name} is not written yet: put your code in place of the line that raises NotImplementedError."
        )
    if failure.kind in ("Missing", "Gone"):
        return f"{failure.message[:1].upper()}{failure.message[1:]}."
    if failure.kind == "NoGradient":
        return f"In {name}, {failure.message}."
    if failure.kind in ("Timeout", "Unreadable"):
        return f"{name} gave {'no answer' if failure.kind == 'Timeout' else 'nothing to compare'}: {failure.message}."
    where = f' (at "{failure.line}")' if failure.line else ""
    return f"{name} raised {failure.kind}: {failure.message}{where}."


def few(values: torch.Tensor, count: int = 3) -> str:
    """The first few numbers of a tensor, for reading side by side."""
    flat = values.detach().flatten()[:count].tolist()
    shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in flat)
    return f"{shown}{', …' if values.numel() > count else ''}"


def _a(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"

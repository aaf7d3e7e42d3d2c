"""What a check is made of, and how a verdict comes about.

A check asks a target (see :mod:`autograder.target`) for the results of calls drawn from a seed, compares them with an
oracle that runs on this side, and, when they differ, with the results of every known wrong variant: the one whose
results match names the mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from autograder.target import Call, Failure, LocalTarget, Reply, Target, Value

NOT_LOOKED_AT = "looked at once the value is right"
RELATIVE_TOLERANCE = 1e-4  # float32 sums of a few thousand terms stay well inside
ABSOLUTE_TOLERANCE = 1e-4


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
    # The same function made from the learner's own helpers: who assembles them rightly is right, whatever they hold.
    from_helpers: Callable[[Target], Callable[..., torch.Tensor]] | None = None


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


class _Broken(Exception):
    """A helper of the learner's gave nothing to build on."""


def judge(check: Check, target: Target, points: int, seed: int) -> Verdict:
    """Examine what ``target`` holds under the check's name.

    Args:
        check: what to examine it with.
        target: where the function lives.
        points: what the check is worth.
        seed: of the cases; another seed asks other questions of the same kind.
    """
    exams = [_Exam(part, part.probes(_generator(seed, part)), []) for part in check.parts]
    findings: list[Finding] = []
    mistakes: tuple[Misconception, ...] = ()
    for index, exam in enumerate(exams):
        exam.replies.extend(target.call(check.name, probe.call) for probe in exam.probes)
        finding = _compare(check, exam, check.oracle)
        if index == 0 and not finding.passed and check.from_helpers is not None:
            own = check.from_helpers(target)
            if _follows(check, exam, own) and _properties_hold(check, exams[1:], target):
                note = "It puts your own functions together correctly; one of those is not right yet."
                # what the helpers get wrong would show in every part again, and is counted where they are checked
                passed = tuple(Finding(e.part.name, e.part.weight, True) for e in exams)
                return Verdict(check, points, passed, (), note)
        findings.append(finding)
        if not finding.passed and not mistakes:
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


def _follows(check: Check, exam: _Exam, own: Callable[..., torch.Tensor]) -> bool:
    """Whether the results are those of the learner's own helpers, rightly put together."""
    try:
        expected = [own(*probe.call.args, **(probe.call.kwargs or {})) for probe in exam.probes]
    except _Broken:
        return False
    values = torch.cat([result.flatten() for result in expected])
    # helpers that do not depend on their inputs prove nothing
    if not bool(values.isfinite().all()) or values.unique().numel() < values.numel() // 2:
        return False
    return all(
        isinstance(reply, Value) and _difference(reply.result, wanted, probe.tolerance) == ""
        for reply, wanted, probe in zip(exam.replies, expected, exam.probes, strict=True)
    )


def _properties_hold(check: Check, exams: list[_Exam], target: Target) -> bool:
    """Whether the parts pass that have no single right result, and so need no oracle."""
    for exam in exams:
        if exam.part.holds is not None:
            exam.replies.extend(target.call(check.name, probe.call) for probe in exam.probes)
            if not _compare(check, exam, check.oracle).passed:
                return False
            exam.replies.clear()
    return True


def helper(target: Target, name: str) -> Callable[..., torch.Tensor]:
    """The learner's own function ``name`` as a plain callable; only for ``Check.from_helpers``."""

    def call(*args: Any, **kwargs: Any) -> torch.Tensor:
        reply = target.call(name, Call(args, kwargs))
        if (
            isinstance(reply, Value)
            and isinstance(reply.result, torch.Tensor)
            and reply.result.is_floating_point()
        ):
            return reply.result.double()
        raise _Broken

    return call


def _compare(check: Check, exam: _Exam, oracle: Callable[..., torch.Tensor]) -> Finding:
    part, probes, replies = exam.part, exam.probes, exam.replies
    for reply in replies:
        if isinstance(reply, Failure):
            return Finding(part.name, part.weight, False, describe_failure(check.name, reply))
    results = [reply.result for reply in replies if isinstance(reply, Value)]
    if part.holds is not None:
        problem = part.holds(results)
        return Finding(part.name, part.weight, not problem, problem)
    for probe, result in zip(probes, results, strict=True):
        expected = _expected(probe.call, oracle)
        pairs = zip(result, expected, strict=True) if isinstance(expected, list) else [(result, expected)]
        for got, wanted in pairs:
            problem = _difference(got, wanted, probe.tolerance)
            if problem:
                seen = (few(got), few(wanted)) if isinstance(got, torch.Tensor) else None
                what = "the gradient" if isinstance(expected, list) else check.name
                return Finding(part.name, part.weight, False, f"With {probe.label}, {what} {problem}", seen)
    return Finding(part.name, part.weight, True)


def _expected(call: Call, oracle: Callable[..., torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
    """The oracle's result in double precision, or its vector-Jacobian products."""
    args = [_double(arg) for arg in call.args]
    for position in call.wrt:
        args[position].requires_grad_(True)
    result = oracle(*args, **{key: _double(arg) for key, arg in (call.kwargs or {}).items()})
    if call.cotangent is None:
        return result
    return list(
        torch.autograd.grad(result, [args[i] for i in call.wrt], grad_outputs=call.cotangent.double())
    )


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

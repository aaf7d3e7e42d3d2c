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

from autograder.comparing import difference
from autograder.target import Call, Failure, LocalTarget, Reply, StandIn, Target, Value

NOT_LOOKED_AT = "looked at once the value is right"
UNFINISHED = ("NotImplementedError", "Missing", "Gone", "Timeout", "Unreadable")

Expected = torch.Tensor | tuple[torch.Tensor, torch.Tensor]  # a value, or an estimate and its tolerance


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


@dataclass(frozen=True)
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
    oracle: Callable[..., Expected] | None,
    stand_ins: Mapping[str, StandIn],
) -> Verdict:
    exams = [_Exam(part, part.probes(_generator(seed, part)), []) for part in check.parts]
    findings: list[Finding] = []
    mistakes: tuple[Misconception, ...] = ()
    for index, exam in enumerate(exams):
        given = stand_ins if exam.part.holds is None else {}
        exam.replies.extend(_ask(target, check.name, probe, given) for probe in exam.probes)
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


def _ask(target: Target, name: str, probe: Probe, stand_ins: Mapping[str, StandIn] | None = None) -> Reply:
    """Take the steps of a probe in their order; the first failure ends it."""
    results = []
    for step in probe.before:
        reply = target.call(step.name, step.call)
        if isinstance(reply, Failure):
            return reply
    call = replace(probe.call, stand_ins=stand_ins) if stand_ins else probe.call
    for step in (Step(probe.on or name, call), *probe.after):
        reply = target.call(step.name, step.call)
        if isinstance(reply, Failure):
            return reply
        results.append(reply.result)
    return Value(results if probe.after else results[0])


def _generator(seed: int, part: Part) -> torch.Generator:
    # each part has numbers of its own, whatever the parts before it drew
    return torch.Generator().manual_seed(seed * 1009 + sum(part.name.encode()))


def _compare(check: Check, exam: _Exam, oracle: Callable[..., Expected] | None) -> Finding:
    part, probes, replies = exam.part, exam.probes, exam.replies
    for reply in replies:
        if isinstance(reply, Failure):
            problem = describe_failure(check.name, reply)
            return Finding(part.name, part.weight, False, problem, failure=reply.kind)
    results = [reply.result for reply in replies if isinstance(reply, Value)]
    problem = _problem(part, results, probes)
    if problem or (part.holds is not None and part.summary is None):
        return Finding(part.name, part.weight, not problem, problem)
    if part.summary is not None:
        results = [part.summary(result) for result in results]
    assert oracle is not None, f"{check.name} has a part without ``holds`` and no oracle to compare with"
    for probe, result in zip(probes, results, strict=True):
        expected, tolerance = _expected(check.name, probe, oracle)
        gradients = probe.call.cotangent is not None
        if gradients and not (isinstance(result, list) and len(result) == len(expected)):
            return Finding(part.name, part.weight, False, f"{check.name} gave no gradients")
        pairs = zip(result, expected, strict=True) if gradients else [(result, expected)]
        for got, wanted in pairs:
            found = difference(got, wanted, tolerance)
            if found is not None:
                what = "the gradient" if gradients else check.name
                problem = f"With {probe.label}, {what} {found.problem}"
                return Finding(part.name, part.weight, False, problem, found.seen)
    return Finding(part.name, part.weight, True)


def _problem(part: Part, results: list[Any], probes: list[Probe]) -> str:
    """What a part that judges all results together says; the results may be anything that crosses the wall."""
    if part.holds is None:
        return ""
    try:
        return part.holds(results, probes)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError):
        return "It returned something else than it was asked for."


def _expected(name: str, probe: Probe, oracle: Callable[..., Expected]) -> tuple[Any, torch.Tensor | None]:
    """The oracle's result in double precision, or its vector-Jacobian products, and how close one must come."""
    call = probe.call
    if probe.before or probe.after or probe.on:  # with objects made on the way, which are not double
        reply = _ask(LocalTarget({name: oracle}), name, probe)
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
    return list(torch.autograd.grad(result, leaves, grad_outputs=call.cotangent.double())), probe.tolerance


def _double(arg: Any) -> Any:
    return arg.detach().double() if isinstance(arg, torch.Tensor) else arg


def _recognise(check: Check, exams: list[_Exam]) -> tuple[Misconception, ...]:
    """The misconceptions whose results match everything that was seen, and are wrong in the same way."""
    failures = [r.kind for exam in exams for r in exam.replies if isinstance(r, Failure)]
    if any(kind in UNFINISHED for kind in failures):
        return ()
    alike: list[Misconception] = []
    same: list[Misconception] = []
    for misconception in check.misconceptions:
        suspect = LocalTarget({check.name: misconception.variant})
        matches = draw_for_draw = True
        for exam in reversed(
            exams
        ):  # the last one failed: most suspects fail it in another way, or not at all
            theirs = [_ask(suspect, check.name, probe) for probe in exam.probes]
            matches = matches and _matches(exam, theirs)
            draw_for_draw = draw_for_draw and _matches_draw_for_draw(exam, theirs)
            if not matches and not draw_for_draw:
                break
        alike += [misconception] * matches
        same += [misconception] * draw_for_draw
    return tuple(same or alike)


def _matches_draw_for_draw(exam: _Exam, theirs: list[Reply]) -> bool:
    """Whether random results agree number by number, as they do when both draw their noise in the usual order.

    It tells apart what summaries of random results cannot.
    """
    random = exam.part.summary is not None or any(probe.tolerance is not None for probe in exam.probes)
    pairs = list(zip(exam.replies, theirs, strict=True))
    if not random or any(isinstance(reply, Failure) for pair in pairs for reply in pair):
        return _matches(exam, theirs)
    return all(
        isinstance(a, Value) and isinstance(b, Value) and difference(a.result, b.result) is None
        for a, b in pairs
    )


def _matches(exam: _Exam, theirs: list[Reply]) -> bool:
    part = exam.part
    sides: list[list[Reply]] = [exam.replies, theirs]
    results = [[reply.result for reply in side if isinstance(reply, Value)] for side in sides]
    if all(len(side) == len(exam.probes) for side in results):  # nobody failed
        if part.holds is not None:
            problems = [_problem(part, side, exam.probes) for side in results]
            if problems[0] != problems[1] or problems[0] or part.summary is None:
                return problems[0] == problems[1]
        if part.summary is not None:
            sides = [[Value(part.summary(result)) for result in side] for side in results]
    return all(_alike(a, b, p) for a, b, p in zip(*sides, exam.probes, strict=True))


def _alike(mine: Reply, other: Reply, probe: Probe) -> bool:
    if isinstance(mine, Failure) or isinstance(other, Failure):
        return isinstance(mine, Failure) and isinstance(other, Failure) and mine.kind == other.kind
    # both are estimates where a tolerance is given, so their difference spreads wider
    wanted, tolerance = other.result, probe.tolerance
    if tolerance is not None and not (
        (isinstance(wanted, torch.Tensor) and wanted.shape == tolerance.shape) or isinstance(wanted, list)
    ):
        tolerance = None
    return difference(mine.result, wanted, tolerance, slack=1.5) is None


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

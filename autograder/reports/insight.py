"""What a class has understood: the numbers behind the instructor's page (:mod:`autograder.reports.insight_page`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from autograder.assignments import Assignment
from autograder.checks import checks_of
from autograder.grading.hand_ins import HandIn
from autograder.judge.definitions import Misconception

MAX_BINS = 20
SLOWEST = 10  # hand-ins that are listed
NOT_WRITTEN = ("NotImplementedError", "Missing")
# kinds of failures that ordinary mistakes seldom cause, and how the page puts them
STOPPED = {
    "Gone": "the process that ran the code ended",
    "Timeout": "no answer in time",
    "Unreadable": "an answer that cannot be read",
}


@dataclass(frozen=True)
class Bin:
    """A bar of the histogram: hand-ins with at least ``low`` and less than ``high`` points."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Mistake:
    """A known mistake and who made it.

    Attributes:
        check: name of what was checked.
        name: of the misconception.
        known: the catalogue's entry; None where the catalogue has it no more.
        students: whose results it explains alone.
        candidates: whose results it and others explain.
    """

    check: str
    name: str
    known: Misconception | None
    students: tuple[str, ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class PartCount:
    """How often a part of a check was looked at, and how often it failed then."""

    name: str
    seen: int
    failed: int


@dataclass(frozen=True)
class CheckCount:
    """How a class did in one check.

    Attributes:
        name: what was checked.
        points: what it is worth.
        mean: points on average, with those given by hand; over all hand-ins.
        right: hand-ins that passed.
        wrong: hand-ins that did not, though something was written.
        unwritten: hand-ins without an answer.
        parts: in their order.
    """

    name: str
    points: int
    mean: float
    right: int
    wrong: int
    unwritten: int
    parts: tuple[PartCount, ...]


@dataclass(frozen=True)
class Oddity:
    """Why somebody should look at a hand-in."""

    student: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Times:
    """Seconds that grading took: the median, the sum, and the slowest hand-ins first."""

    median: float
    total: float
    slowest: tuple[tuple[str, float], ...]


def histogram(points: Sequence[float], max_points: float) -> list[Bin]:
    """At most ``MAX_BINS`` bars of whole points, and one for full marks and more.

    Args:
        points: of each hand-in, at least 0.
        max_points: of the assignment.
    """
    width = max(1, math.ceil(max_points / MAX_BINS))
    last = max(0, math.ceil(max_points / width))
    counts = [0] * (last + 1)
    for value in points:
        counts[last if value >= max_points else int(value // width)] += 1
    edges = [min(float(k * width), max_points) for k in range(last + 1)]
    return [Bin(low, high, n) for low, high, n in zip(edges, [*edges[1:], math.inf], counts, strict=True)]


def mistakes(hand_ins: Sequence[HandIn], assignment: Assignment) -> list[Mistake]:
    """The known mistakes of a class, the commonest first."""
    sure: dict[tuple[str, str], list[str]] = {}
    maybe: dict[tuple[str, str], list[str]] = {}
    for hand_in in hand_ins:
        for verdict in _verdicts(hand_in):
            names = verdict["misconceptions"]
            for name in names:
                kind = sure if len(names) == 1 else maybe
                kind.setdefault((verdict["name"], name), []).append(hand_in.student)
    catalogue = {
        (check.name, mistake.name): mistake
        for check in checks_of(assignment.slug).values()
        for mistake in check.misconceptions
    }
    found = [
        Mistake(*key, catalogue.get(key), tuple(sure.get(key, ())), tuple(maybe.get(key, ())))
        for key in dict.fromkeys([*sure, *maybe])
    ]
    return sorted(found, key=lambda m: (-len(m.students), -len(m.candidates), m.check, m.name))


def check_counts(hand_ins: Sequence[HandIn], assignment: Assignment) -> list[CheckCount]:
    """How the class did in each check, the hardest first."""
    known = checks_of(assignment.slug)
    counts = []
    for name, points in assignment.points_of.items():
        verdicts = [v for hand_in in hand_ins for v in _verdicts(hand_in) if v["name"] == name]
        right = sum(v["passed"] for v in verdicts)
        unwritten = sum(any(kind in NOT_WRITTEN for kind in v.get("failures", ())) for v in verdicts)
        parts = []
        for part in known[name].parts:
            seen = [v["parts"][part.name] for v in verdicts if v["parts"].get(part.name) is not None]
            parts.append(PartCount(part.name, len(seen), seen.count(False)))
        mean = sum(hand_in.score.checks.get(name, 0.0) for hand_in in hand_ins) / max(1, len(hand_ins))
        wrong = len(verdicts) - right - unwritten
        counts.append(CheckCount(name, points, mean, right, wrong, unwritten, tuple(parts)))
    return sorted(counts, key=lambda count: count.mean / count.points)


def oddities(hand_ins: Sequence[HandIn]) -> list[Oddity]:
    """What was refused, left out or stopped, for those to whom that happened."""
    found = (Oddity(hand_in.student, tuple(_reasons(hand_in))) for hand_in in hand_ins)
    return [oddity for oddity in found if oddity.reasons]


def _reasons(hand_in: HandIn) -> Iterator[str]:
    record = hand_in.record
    if record is None:
        yield "its graded notebook is missing"
        return
    if record["refused"]:
        yield f"not graded: {record['refused']}"
    yield from record["notes"]
    for reason in record["stopped"]:
        yield f"a cell was ended: {reason}"
    by_kind: dict[str, list[str]] = {}
    for verdict in _verdicts(hand_in):
        for kind in dict.fromkeys(verdict.get("failures", ())):
            if kind in STOPPED:
                by_kind.setdefault(kind, []).append(verdict["name"])
    for kind, names in by_kind.items():
        yield f"{STOPPED[kind]}: {', '.join(names)}"


def times(hand_ins: Sequence[HandIn]) -> Times:
    """How long grading took, as far as the records say."""
    seconds = [(h.student, h.record["seconds"]) for h in hand_ins if h.record and h.record["seconds"] > 0]
    slowest = sorted(seconds, key=lambda pair: (-pair[1], pair[0]))[:SLOWEST]
    values = [value for _, value in seconds]
    return Times(median(values) if values else 0.0, sum(values), tuple(slowest))


def _verdicts(hand_in: HandIn) -> list[dict[str, Any]]:
    return hand_in.record["verdicts"] if hand_in.record else []

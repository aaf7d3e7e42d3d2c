"""Whether the checks hold what they promise: every mistake found and named, every right answer let through.

The result is the kill matrix: for each wrong variant which parts it fails, and which names it is given.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from tqdm.auto import tqdm

from autograder.assignments import Assignment, assignment_asking_for
from autograder.both_sides.target import LocalTarget
from autograder.checks import checks_of
from autograder.judge.checking import NOT_LOOKED_AT, Verdict, judge
from autograder.judge.definitions import Check

SEEDS = (0, 1, 20_000)
NAMED_RIGHT = 0.9  # share of the mistakes that have to be given their own name and no other


@dataclass(frozen=True)
class Killed:
    """How a wrong variant fared over all seeds.

    Attributes:
        function: what it is a variant of.
        mistake: its name.
        failed: names of the parts that failed for some seed.
        survived: seeds with which it passed.
        called: sets of names that it was given; only its own, if all is well.
        like: names of others that the catalogue says nothing can tell from it.
    """

    function: str
    mistake: str
    failed: tuple[str, ...]
    survived: tuple[int, ...]
    called: frozenset[tuple[str, ...]]
    like: tuple[str, ...] = ()

    @property
    def named_right(self) -> bool:
        """Whether it was given its own name and no other, with every seed."""
        return self.called == {(self.mistake,)}

    @property
    def always_also(self) -> frozenset[str]:
        """Other names that it was given with every seed: no case tells it from them."""
        return frozenset.intersection(*map(frozenset, self.called)) - {self.mistake}


@dataclass(frozen=True)
class Refused:
    """A right answer that failed.

    Attributes:
        function: what it was an answer to.
        number: its place among the equivalents, from 0.
        seed: of the cases.
        problem: what the verdict said.
    """

    function: str
    number: int
    seed: int
    problem: str


@dataclass(frozen=True)
class Report:
    """What a validation found."""

    killed: tuple[Killed, ...]
    refused: tuple[Refused, ...]
    equivalents: int

    @property
    def share_named_right(self) -> float:
        """Of all mistakes."""
        return sum(row.named_right for row in self.killed) / max(1, len(self.killed))

    @property
    def twins(self) -> tuple[Killed, ...]:
        """Mistakes that are the same as others on all cases, or are said to be, without both being true.

        They have to be merged, told apart by a case, or declared with ``Misconception.like``.
        """
        return tuple(row for row in self.killed if row.always_also != set(row.like))

    @property
    def good(self) -> bool:
        """Whether nothing wrong passes, nothing right fails, and mistakes are called by their names."""
        survivors = any(row.survived for row in self.killed)
        return not (self.refused or survivors or self.twins) and self.share_named_right >= NAMED_RIGHT


def validate(checks: Sequence[Check], seeds: Sequence[int] = SEEDS) -> Report:
    """Judge every wrong variant and every equivalent of some checks.

    Args:
        checks: from the catalogue.
        seeds: of the cases; each variant is judged with each.
    """
    killed = tuple(row for check in checks for row in _kill(check, seeds))
    refused = tuple(row for check in checks for row in _refuse(check, seeds))
    return Report(killed, refused, sum(len(check.equivalents) for check in checks))


def validate_assignments(
    assignments: Sequence[Assignment], seeds: Sequence[int] = SEEDS, workers: int | None = None
) -> Report:
    """Validate all checks of some assignments, several at a time in processes of their own.

    Args:
        assignments: whose checks.
        seeds: as of ``validate``.
        workers: number of processes; None for one a processor.
    """
    tasks = [(a.slug, name, tuple(seeds)) for a in assignments for name in a.points_of]
    # started anew, not forked: torch's threads do not live on in a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        found = list(tqdm(pool.map(_validate_one, tasks), "validating", len(tasks), unit="check"))
    return Report(
        tuple(row for report in found for row in report.killed),
        tuple(row for report in found for row in report.refused),
        sum(report.equivalents for report in found),
    )


def _validate_one(task: tuple[str, str, tuple[int, ...]]) -> Report:
    slug, name, seeds = task
    return validate([checks_of(slug)[name]], seeds)


def _judge(check: Check, variant: Callable[..., Any], seed: int) -> Verdict:
    # some mistakes draw from the global source: the same seed is to give the same report
    torch.default_generator.manual_seed(seed)  # torch.manual_seed keeps a stack trace for each kind of card
    return judge(check, LocalTarget({check.name: variant}), 1, seed)


def _kill(check: Check, seeds: Iterable[int]) -> Iterator[Killed]:
    for misconception in check.misconceptions:
        verdicts = {seed: _judge(check, misconception.variant, seed) for seed in seeds}
        failed = {
            finding.part
            for verdict in verdicts.values()
            for finding in verdict.findings
            if not finding.passed and finding.problem != NOT_LOOKED_AT
        }
        yield Killed(
            check.name,
            misconception.name,
            tuple(part.name for part in check.parts if part.name in failed),
            tuple(seed for seed, verdict in verdicts.items() if verdict.passed),
            frozenset(tuple(m.name for m in verdict.mistakes) for verdict in verdicts.values()),
            misconception.like,
        )


def _refuse(check: Check, seeds: Iterable[int]) -> Iterator[Refused]:
    for number, equivalent in enumerate(check.equivalents):
        for seed in seeds:
            verdict = _judge(check, equivalent, seed)
            if not verdict.passed:
                problem = next(finding.problem for finding in verdict.findings if not finding.passed)
                yield Refused(check.name, number, seed, problem)


def kill_matrix(report: Report) -> str:
    """The report as Markdown: a table for each function, then what went wrong, then the sums."""
    parts = []
    for function in dict.fromkeys(row.function for row in report.killed):
        assignment = assignment_asking_for(function)
        where = "" if assignment is None else f"{assignment.slug}: "
        rows = [row for row in report.killed if row.function == function]
        parts.append(
            f"## {where}`{function}`\n\n| mistake | found by | named |\n|---|---|---|\n"
            + "\n".join(f"| {row.mistake} | {_found_by(row)} | {_named(row)} |" for row in rows)
        )
    if report.refused:
        lines = [
            f"- `{r.function}`, equivalent {r.number}, seed {r.seed}: {r.problem}" for r in report.refused
        ]
        parts.append("## Right answers that failed\n\n" + "\n".join(lines))
    if report.twins:
        lines = [
            f"- {r.mistake}: the same as {', '.join(sorted(r.always_also)) or 'no other'} on all cases, "
            f"declared to be like {', '.join(r.like) or 'no other'}"
            for r in report.twins
        ]
        parts.append("## Mistakes that are not told apart as declared\n\n" + "\n".join(lines))
    dead = sum(not row.survived for row in report.killed)
    right = sum(row.named_right for row in report.killed)
    parts.append(
        f"{dead} of {len(report.killed)} mistakes found, {right} named right; "
        f"{len({(r.function, r.number) for r in report.refused})} of {report.equivalents} right answers failed."
    )
    return "\n\n".join(parts) + "\n"


def _found_by(row: Killed) -> str:
    if row.survived:
        return f"**not with the seeds {', '.join(map(str, row.survived))}**"
    return ", ".join(row.failed)


def _named(row: Killed) -> str:
    if row.named_right:
        return "yes"
    others = sorted({name for names in row.called for name in names if name != row.mistake})
    return f"also {', '.join(others)}" if others else "no"

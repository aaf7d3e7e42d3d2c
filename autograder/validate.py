"""Whether the checks hold what they promise: every mistake found and named, every right answer let through.

The result is the kill matrix: for each wrong variant which parts it fails, and which names it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tqdm.auto import tqdm

from autograder.assignments import assignment_asking_for
from autograder.checking import NOT_LOOKED_AT, Check, judge
from autograder.target import LocalTarget

SEEDS = (0, 1, 20_000)


@dataclass(frozen=True)
class Killed:
    """How a wrong variant fared over all seeds.

    Attributes:
        function: what it is a variant of.
        mistake: its name.
        failed: names of the parts that failed for some seed.
        survived: seeds with which it passed.
        called: sets of names that it was given; only its own, if all is well.
    """

    function: str
    mistake: str
    failed: tuple[str, ...]
    survived: tuple[int, ...]
    called: frozenset[tuple[str, ...]]

    @property
    def named_right(self) -> bool:
        """Whether it was given its own name and no other, with every seed."""
        return self.called == {(self.mistake,)}


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
    def good(self) -> bool:
        """Whether nothing wrong passes and nothing right fails."""
        return not self.refused and not any(row.survived for row in self.killed)


def validate(checks: Sequence[Check], seeds: Sequence[int] = SEEDS) -> Report:
    """Judge every wrong variant and every equivalent of some checks.

    Args:
        checks: from the catalogue.
        seeds: of the cases; each variant is judged with each.
    """
    total = sum(len(check.misconceptions) + len(check.equivalents) for check in checks)
    with tqdm(total=total, desc="validating", unit="variant") as bar:
        killed = tuple(row for check in checks for row in _kill(check, seeds, bar))
        refused = tuple(row for check in checks for row in _refuse(check, seeds, bar))
    return Report(killed, refused, sum(len(check.equivalents) for check in checks))


def _kill(check: Check, seeds: Iterable[int], bar: tqdm) -> Iterator[Killed]:
    for misconception in check.misconceptions:
        verdicts = {
            seed: judge(check, LocalTarget({check.name: misconception.variant}), 1, seed) for seed in seeds
        }
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
        )
        bar.update()


def _refuse(check: Check, seeds: Iterable[int], bar: tqdm) -> Iterator[Refused]:
    for number, equivalent in enumerate(check.equivalents):
        for seed in seeds:
            verdict = judge(check, LocalTarget({check.name: equivalent}), 1, seed)
            if not verdict.passed:
                problem = next(finding.problem for finding in verdict.findings if not finding.passed)
                yield Refused(check.name, number, seed, problem)
        bar.update()


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

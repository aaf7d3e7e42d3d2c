"""How close right answers come to failing a statistical check by bad luck: many judgements, each of other questions.

That none fails says little about a rate of one in a million. So the distance of each statistic from what is right is
measured in standard errors, and its tail is held against that of a normal distribution, which the argument in
``autograder.checks`` rests on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from autograder.assignments import ASSIGNMENTS
from autograder.both_sides.target import Failure, LocalTarget, Value
from autograder.both_sides.wire import Seed
from autograder.checks import checks_of
from autograder.judge.asking import Paper, ask, paper_of, problem_of
from autograder.judge.comparing import STANDARD_ERRORS
from autograder.judge.definitions import Check

LIMITS = (2.0, 3.0, 4.0, 5.0)  # standard errors
# seconds of processor time; equivalents that take longer, such as loops over thousands of rows, are left out
PATIENCE = 0.06
FIRST_SEED = 100_000  # others than those of any test


def statistical_checks() -> dict[str, Check]:
    """Those that compare statistics of random results, by name."""
    checks = {name: check for a in ASSIGNMENTS for name, check in checks_of(a.slug).items()}
    return {name: check for name, check in checks.items() if _statistical_parts(paper_of(check, 0))}


def _statistical_parts(paper: Paper) -> list[int]:
    """Numbers of the parts whose probes draw noise, and have a tolerance in standard errors for it."""
    parts = zip(paper.check.parts, paper.probes, strict=True)
    return [
        number
        for number, (part, probes) in enumerate(parts)
        if (part.holds is None or part.summary is not None)
        and any(
            probe.tolerance is not None
            and any(isinstance(v, Seed) for v in (probe.call.kwargs or {}).values())
            for probe in probes
        )
    ]


def deviations(check: Check, function: Callable[..., Any], seed: int) -> Tensor:
    """Distances of all statistics of a judgement from what is right, in standard errors; infinite if it failed.

    Args:
        check: a statistical one.
        function: a right answer.
        seed: of the questions.
    """
    paper = paper_of.__wrapped__(check, seed)  # each is asked once, so none is kept
    found: list[Tensor] = []
    for number in _statistical_parts(paper):
        part, probes = check.parts[number], paper.probes[number]
        target = LocalTarget({check.name: function})
        replies = [ask(target, check.name, probe) for probe in probes]
        results = [reply.result for reply in replies if isinstance(reply, Value)]
        if any(isinstance(reply, Failure) for reply in replies) or problem_of(part, results, probes):
            return torch.tensor([math.inf])
        for index, result in enumerate(results):
            right, tolerance = paper.right(number, index)
            if tolerance is None:
                continue  # nothing random
            got = result if part.summary is None else part.summary(result)
            distance = (got.double() - right.double()).abs() / tolerance * STANDARD_ERRORS
            found.append(distance.expand_as(right).flatten())
    return torch.cat(found)


def _functions(check: Check) -> list[Callable[..., Any]]:
    """The equivalents that can be judged many times; the reference is the first."""
    chosen: list[Callable[..., Any]] = []
    for function in check.equivalents:
        deviations(check, function, 0)
        started = time.process_time()
        deviations(check, function, 1)
        if not chosen or time.process_time() - started < PATIENCE:
            chosen.append(function)
    return chosen


def _judgements(reference: Any, others: list[Any], count: int) -> Iterator[tuple[Any, int]]:
    """Functions and seeds: the reference with each seed, and with as many more seeds the others in turn."""
    for number in range(count):
        yield reference, FIRST_SEED + number
        if others:
            yield others[number % len(others)], FIRST_SEED + count + number


def measure_check(check: Check, judgements: int) -> dict[str, Any]:
    """What many judgements of right answers make of a check.

    Args:
        check: a statistical one.
        judgements: of the reference, and as many of the other right answers in turn.
    """
    reference, *others = _functions(check)
    failures, largest, beyond = 0, 0.0, torch.zeros(len(LIMITS), dtype=torch.long)
    number = comparisons = 0
    bar = tqdm(_judgements(reference, others, judgements), total=judgements * (2 if others else 1))
    bar.set_description(check.name)
    for function, seed in bar:
        distances = deviations(check, function, seed)
        number, comparisons = number + 1, comparisons + len(distances)
        failures += bool((distances > STANDARD_ERRORS).any())
        largest = max(largest, float(distances.max()))
        beyond += torch.stack([(distances > limit).sum() for limit in LIMITS])
    return {
        "judgements": number,
        "equivalents": len(others),
        "comparisons": comparisons,
        "failures": failures,
        "largest": largest,
        "beyond": dict(zip(map(str, LIMITS), beyond.tolist(), strict=True)),
        "normal": {str(limit): comparisons * math.erfc(limit / 2**0.5) for limit in LIMITS},
    }


def measure(judgements: int) -> dict[str, Any]:
    """Measure all statistical checks of functions; those of networks are argued only, for each takes half a second."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        return {name: measure_check(check, judgements) for name, check in statistical_checks().items()}

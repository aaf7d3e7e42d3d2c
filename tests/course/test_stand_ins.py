"""One mistake costs one item: whoever puts helpers together rightly loses nothing because of what these are worth."""

from __future__ import annotations

import pytest
import torch

from autograder.assignments import RELEASED, Assignment
from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import LocalTarget
from autograder.checks import checks_of
from autograder.judge.checking import judge

SEED = 0


@pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
def test_a_mistake_costs_nothing_of_what_else_there_is_to_write(written, assignment: Assignment) -> None:
    solution, checks = written(assignment), checks_of(assignment.slug)
    lost = []
    with torch.random.fork_rng(devices=[]):
        for name, check in checks.items():
            right = solution[name]
            for mistake in check.misconceptions:
                solution[name] = mistake.variant
                for other in checks.keys() - {name}:
                    torch.manual_seed(SEED)  # some mistakes draw from the global source
                    verdict = judge(checks[other], LocalTarget(solution), 4, SEED)
                    if verdict.score != 4:
                        lost.append((mistake.name, other, [f.problem for f in verdict.findings if f.problem]))
            solution[name] = right
    assert not lost


@pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
def test_what_is_lent_is_no_answer(assignment: Assignment) -> None:
    checks = checks_of(assignment.slug)
    lent = {
        name: how
        for check in checks.values()
        for name, how in (check.helpers or {}).items()
        if name in checks
    }
    for seed in range(3):
        for name, (arguments, gives) in lent.items():
            target = LocalTarget({name: StandIn(arguments, gives, seed)})
            assert judge(checks[name], target, 4, seed).score == 0, name

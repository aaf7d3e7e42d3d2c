"""Who puts helpers together rightly loses nothing because of what the helpers are worth."""

from __future__ import annotations

import pytest
import torch

from autograder.assignments import RELEASED, Assignment
from autograder.checking import judge
from autograder.checks import checks_of
from autograder.target import LocalTarget

SEED = 0
USERS = [(a, check) for a in RELEASED for check in checks_of(a.slug).values() if check.helpers]


@pytest.mark.parametrize(("assignment", "check"), USERS, ids=lambda x: getattr(x, "name", x))
def test_a_wrong_helper_costs_nothing_of_what_uses_it(written, assignment: Assignment, check) -> None:
    solution = written(assignment)
    lost = []
    with torch.random.fork_rng(devices=[]):
        for helper in check.helpers.keys() & checks_of(assignment.slug).keys():
            right = solution[helper]
            for mistake in checks_of(assignment.slug)[helper].misconceptions:
                solution[helper] = mistake.variant
                torch.manual_seed(SEED)  # some mistakes draw from the global source
                verdict = judge(check, LocalTarget(solution), 4, SEED)
                if verdict.score != 4:
                    lost.append((mistake.name, [f.problem for f in verdict.findings if not f.passed]))
            solution[helper] = right
    assert not lost

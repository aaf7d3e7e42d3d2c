"""One mistake costs one item: whoever puts helpers together rightly loses nothing because of what these are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import pytest
import torch

from autograder.assignments import RELEASED, Assignment, assignment_named
from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import LocalTarget
from autograder.checks import checks_of
from autograder.judge.asking import paper_of
from autograder.judge.checking import judge
from autograder.judge.definitions import Check

SEED = 0


def names_in(thing: Any) -> Iterator[str]:
    """All names that the code of a function, or of a class's methods, looks up."""
    if isinstance(thing, type):
        for part in vars(thing).values():
            yield from names_in(getattr(part, "__func__", part))
    thing = thing.__code__ if isinstance(thing, FunctionType) else thing
    if isinstance(thing, CodeType):
        yield from thing.co_names
        for constant in thing.co_consts:
            yield from names_in(constant)


def asked_of(check: Check) -> set[str]:
    """Names of what a check calls."""
    probes = [probe for part in paper_of(check, SEED).probes for probe in part]
    steps = [step.name for probe in probes for step in (*probe.before, *probe.after)]
    return {name.partition(".")[0] for name in (*steps, *(probe.on or "" for probe in probes))}


def users_of(name: str, solution: dict[str, Any], checks: Mapping[str, Check]) -> set[str]:
    """The other things to write whose check may come to ``name``, directly or by way of what is called."""
    users: set[str] = set()
    found = {name}
    while found:
        # helpers of a notebook that nobody has to write count as well
        calls = {other for other, thing in solution.items() if found & {*names_in(thing)}}
        found = calls - users - {name}
        users |= found
    users |= {other for other, check in checks.items() if asked_of(check) & (users | {name})}
    return (users & checks.keys()) - {name}


@pytest.mark.slow
@pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
def test_a_mistake_costs_nothing_of_what_else_there_is_to_write(written, assignment: Assignment) -> None:
    solution, checks = written(assignment), checks_of(assignment.slug)
    lost = []
    with torch.random.fork_rng(devices=[]):
        for name, check in checks.items():
            right, users = solution[name], users_of(name, solution, checks)
            for mistake in check.misconceptions:
                solution[name] = mistake.variant
                for other in users:
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


@pytest.mark.parametrize(
    ("slug", "name", "users"),
    [
        ("02_bound", "kl_divergence", {"elbo"}),
        ("04_networks", "Encoder", {"VAE"}),
        ("06_generation", "lerp", {"slerp", "interpolate"}),
        ("07_latents", "principal_components", set()),
    ],
)
def test_who_uses_what_is_seen(written, slug: str, name: str, users: set[str]) -> None:
    assert users_of(name, written(assignment_named(slug)), checks_of(slug)) == users

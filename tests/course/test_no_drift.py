"""What the solutions compute is what the reference computes, number for number where no noise is drawn."""

from __future__ import annotations

import importlib

import pytest
import torch

from autograder.assignments import RELEASED, Assignment
from autograder.both_sides.target import LocalTarget, Value
from autograder.checks import checks_of
from autograder.judge.asking import ask, paper_of
from autograder.judge.comparing import difference

SEED = 11
FREE = ("dogs", "sampling", "networks")  # many results are right for all that their learners write


@pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
def test_a_solution_agrees_with_the_reference(written, assignment: Assignment) -> None:
    reference = vars(importlib.import_module(f"vae_ref.{assignment.name}"))
    solution = written(assignment)
    compared = 0
    with torch.random.fork_rng(devices=[]):
        for name, check in checks_of(assignment.slug).items():
            assert name in solution, name
            if name not in reference:
                continue  # a question of the notebook alone: its check has an oracle of its own
            paper = paper_of(check, SEED)
            mine, theirs = LocalTarget(solution), LocalTarget(reference)
            for part, probes in zip(check.parts, paper.probes, strict=True):
                for probe in probes:
                    if part.holds is not None or probe.tolerance is not None:
                        continue  # many results are right there
                    replies = [ask(target, name, probe) for target in (mine, theirs)]
                    assert all(isinstance(reply, Value) for reply in replies), (name, probe.label, replies)
                    results = [reply.result for reply in replies if isinstance(reply, Value)]
                    assert difference(*results, None) is None, (name, part.name, probe.label)
                    compared += 1
    assert compared > 0 or assignment.name in FREE

"""What the solutions compute is what the reference computes, number for number where no noise is drawn."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import pytest
import torch

from autograder.asking import ask, paper_of
from autograder.assignments import RELEASED, Assignment
from autograder.checks import checks_of
from autograder.comparing import difference
from autograder.target import LocalTarget, Value

SEED = 11
FREE = ("dogs", "sampling", "networks")  # many results are right for all that their learners write


def written(repository: Path, assignment: Assignment) -> dict[str, Any]:
    """What the cells up to the first thing to write, and those that are to be written, define."""
    text = (repository / "solutions" / assignment.slug / f"{assignment.slug}.py").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "notebook"}
    before_first = True
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        solution = "solution" in cell.metadata
        before_first &= not solution
        if cell.cell_type == "code" and (solution or (before_first and not cell.metadata.get("long"))):
            with torch.enable_grad():  # some notebooks turn gradients off, once and for all
                exec(compile(cell.source, assignment.slug, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
def test_a_solution_agrees_with_the_reference(repository: Path, assignment: Assignment) -> None:
    matplotlib.use("agg")
    reference = vars(importlib.import_module(f"vae_ref.{assignment.name}"))
    solution = written(repository, assignment)
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

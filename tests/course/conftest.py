"""Solutions as namespaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import pytest
import torch

from autograder.assignments import Assignment

Written = Callable[[Assignment], dict[str, Any]]


@pytest.fixture(scope="session")
def written(repository: Path) -> Written:
    """What the cells up to the first thing to write, and those that are to be written, define."""

    def run(assignment: Assignment) -> dict[str, Any]:
        matplotlib.use("agg")
        text = (repository / "solutions" / assignment.slug / f"{assignment.slug}.py").read_text(
            encoding="utf-8"
        )
        namespace: dict[str, Any] = {"__name__": "notebook"}
        before_first = True
        for cell in jupytext.reads(text, fmt="py:percent").cells:
            solution = "solution" in cell.metadata
            before_first &= not solution
            if cell.cell_type == "code" and (solution or (before_first and not cell.metadata.get("long"))):
                with torch.enable_grad():  # some notebooks turn gradients off, once and for all
                    exec(compile(cell.source, assignment.slug, "exec"), namespace)
        return namespace

    return run

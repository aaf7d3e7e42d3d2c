"""Questions that a person grades: nbgrader's manually graded cells, in words and in code."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.assignments import Assignment, assignment_named
from autograder.authoring.release import notebook_of
from autograder.grading.graded import check_of
from autograder.grading.intake import take_in
from vae_ref.errors import CourseError

SLUG = "02_bound"
CELLS = """
# %% [markdown] answer="why_kl"
# Because the codes must be where we draw from.

# %% answer="own_plot"
plt.plot([1, 2])
"""


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    return replace(assignment_named(SLUG), answers={"why_kl": 3, "own_plot": 2})


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    return (repository / "solutions" / SLUG / f"{SLUG}.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def notebook(assignment: Assignment, text: str) -> NotebookNode:
    return notebook_of(assignment, text + CELLS)


def answer(notebook: NotebookNode, name: str) -> NotebookNode:
    grade_id = f"answer_{name}"
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def test_an_answer_becomes_a_manually_graded_cell(notebook: NotebookNode, assignment: Assignment) -> None:
    words, code = answer(notebook, "why_kl"), answer(notebook, "own_plot")
    assert (words.cell_type, code.cell_type) == ("markdown", "code")
    for cell, points in ((words, 3), (code, 2)):
        about = cell.metadata["nbgrader"]
        assert about["grade"] and about["solution"] and not about["locked"] and about["points"] == points
    assert assignment.points == 20 + 5
    assert "**25 points" in notebook.cells[0].source


@pytest.mark.parametrize("cells", ["", CELLS.replace("own_plot", "other"), CELLS + CELLS])
def test_answers_at_odds_with_the_table_are_refused(assignment: Assignment, text: str, cells: str) -> None:
    with pytest.raises(CourseError, match="table of assignments"):
        notebook_of(assignment, text + cells)


def hand_in(folder: Path, notebook: NotebookNode) -> Path:
    (folder / f"{SLUG}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def test_intake_takes_answers_over_and_nothing_around_them(tmp_path: Path, notebook: NotebookNode) -> None:
    skeleton = copy.deepcopy(notebook)
    answer(skeleton, "why_kl").source = "YOUR ANSWER HERE"
    submitted = copy.deepcopy(skeleton)
    answer(submitted, "why_kl").source = "It keeps *q* near *p*."
    answer(submitted, "why_kl").metadata["nbgrader"]["points"] = 100
    answer(submitted, "own_plot").source = "plt.plot([3])"
    taken = take_in(hand_in(tmp_path, submitted), skeleton, f"{SLUG}.ipynb").notebook
    assert answer(taken, "why_kl").source == "It keeps *q* near *p*."
    assert answer(taken, "own_plot").source == "plt.plot([3])"
    assert answer(taken, "why_kl").metadata == answer(skeleton, "why_kl").metadata


def test_a_missing_answer_in_words_stays_as_released(tmp_path: Path, notebook: NotebookNode) -> None:
    # so that nbgrader gives it 0 points by itself, and nobody has to look at it
    submitted = copy.deepcopy(notebook)
    submitted.cells.remove(answer(submitted, "why_kl"))
    taken = take_in(hand_in(tmp_path, submitted), notebook, f"{SLUG}.ipynb")
    assert answer(taken.notebook, "why_kl").source == answer(notebook, "why_kl").source
    assert taken.notes == ("not found in the notebook: the cells for answer_why_kl",)


def test_the_judge_leaves_answers_to_people(notebook: NotebookNode) -> None:
    assert not check_of(answer(notebook, "why_kl")) and not check_of(answer(notebook, "own_plot"))
    alone = nbformat.v4.new_code_cell(
        "assert True", metadata={"nbgrader": {"grade": True, "solution": False}}
    )
    with pytest.raises(CourseError, match="not of the form"):
        check_of(alone)

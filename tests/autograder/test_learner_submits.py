"""What submit-check says of a hand-in is what the grader does with it, on every system and without nbgrader."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.cli import main
from autograder.grading import intake
from autograder.learner.starting import released_notebook, start
from autograder.learner.submit_check import Look, as_text, look_at

NAME = "02_bound.ipynb"
FUNCTIONS = ("log_normal", "kl_divergence", "kl_monte_carlo", "reconstruction_log_likelihood", "elbo")


@pytest.fixture
def solved() -> NotebookNode:
    """A notebook with something in every cell that is to be filled in."""
    notebook = copy.deepcopy(nbformat.read(released_notebook("02_bound"), as_version=4))
    for name in FUNCTIONS:
        cell_of(notebook, name).source = f"def {name}(*arguments, **options):\n    return 1"
    return notebook


def cell_of(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def hand_in(path: Path, notebook: NotebookNode) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def only(path: Path) -> Look:
    (look,) = look_at(path)
    return look


def test_a_finished_notebook_is_accepted_without_a_word(tmp_path: Path, solved: NotebookNode) -> None:
    path = hand_in(tmp_path / "02_bound" / NAME, solved)
    for place in (path, path.parent, tmp_path):
        look = only(place)
        assert (look.name, look.refused, look.warnings, look.begun) == ("02_bound", "", (), True)
    assert as_text([look]).startswith("✓ 02_bound would be accepted (")
    assert main(["submit-check", str(path)]) == 0


def test_what_is_not_begun_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dict(start(tmp_path))
    assert main(["submit-check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.count("is not begun") == 10 and "0 would be accepted, 0 refused, 10 not begun." in said


def test_what_is_unfinished_is_named(tmp_path: Path, solved: NotebookNode) -> None:
    stub = cell_of(nbformat.read(released_notebook("02_bound"), as_version=4), "elbo").source
    cell_of(solved, "elbo").source = stub
    cell_of(solved, "kl_divergence").source = "def kl_divergence(mu, logvar):\n    return (1"
    cell_of(solved, "log_normal").source = "def lognormal(x, mu, logvar):\n    return 1"
    solved.cells = [c for c in solved.cells if c is not cell_of(solved, "kl_monte_carlo")]
    solved.cells.insert(3, nbformat.v4.new_code_cell("for i in range(3)\n    print(i)"))
    assert only(hand_in(tmp_path / NAME, solved)).warnings == (
        "Not found in the notebook: the cells for kl_monte_carlo.",
        "Not written yet: elbo.",
        "The cell that begins “for i in range(3)” is not Python: expected ':', in its line 1.",
        "The cell of kl_divergence is not Python: '(' was never closed, in its line 2.",
        "Nothing in it is named log_normal or kl_monte_carlo, so the check of that name finds nothing.",
    )


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!pip list\nmath?",
        "await something()",
        "import math as kl_divergence",
        "kl_divergence = lambda mu, logvar: 1",
        "with open('x') as file, open('y') as kl_divergence:\n    pass",
        "def f():\n    raise NotImplementedError",  # not where a solution belongs
        "",
    ],
)
def test_what_notebooks_can_hold_besides_is_no_mistake(
    tmp_path: Path, solved: NotebookNode, source: str
) -> None:
    if "kl_divergence" in source:
        cell_of(solved, "kl_divergence").source = "# below"
    solved.cells.append(nbformat.v4.new_code_cell(source))
    assert only(hand_in(tmp_path / NAME, solved)).warnings == ()


def test_answers_in_words_are_looked_for(tmp_path: Path) -> None:
    notebook = nbformat.read(released_notebook("03_sampling"), as_version=4)
    cell_of(notebook, "reparameterize").source = "def reparameterize(mu, logvar): ..."
    (warning,) = only(hand_in(tmp_path / "03_sampling.ipynb", notebook)).warnings
    assert warning.startswith("Not written yet: gradient_after_detach,") and warning.endswith("silent_loss.")
    cell_of(notebook, "answer_silent_loss").source = "Because the noise is fixed."
    (warning,) = only(hand_in(tmp_path / "03_sampling.ipynb", notebook)).warnings
    assert "silent_loss" not in warning


def test_names_and_places_that_the_grader_does_not_know(tmp_path: Path, solved: NotebookNode) -> None:
    copied = only(hand_in(tmp_path / "02_bound (1).ipynb", solved))
    assert copied.name == "02_bound" and copied.warnings == (
        "Name it 02_bound.ipynb: by its name the grader knows it.",
    )
    (tmp_path / "02_bound (1).ipynb").unlink()
    wrong = only(hand_in(tmp_path / "03_sampling.ipynb", solved))
    assert (
        wrong.name == "03_sampling"
        and "It has the cells of 02_bound: is it the right notebook?" in wrong.warnings
    )
    (tmp_path / "03_sampling.ipynb").unlink()
    hand_in(tmp_path / "homework" / NAME, solved)
    assert only(tmp_path).warnings == ("If you hand in its folder, name that 02_bound.",)
    folder = hand_in(tmp_path / "02_bound" / "mine.ipynb", solved).parent
    (folder / "notes.txt").touch()
    (folder / ".ipynb_checkpoints").mkdir()
    assert only(folder).warnings == (
        "The notebook was taken from mine.ipynb; it should be named 02_bound.ipynb.",
        "Left out, because only the notebook is graded: notes.txt.",
    )


def test_what_the_grader_refuses_is_refused_with_its_reason(
    tmp_path: Path, solved: NotebookNode, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "02_bound" / NAME
    hand_in(path, solved)
    skeleton = nbformat.read(released_notebook("02_bound"), as_version=4)
    for content in (b"", b"{", b'{"cells": 3}', b"\xff\xfe", b"[" * intake.MAX_LISTS + b"["):
        path.write_bytes(content)
        reason = intake.take_in(path.parent, skeleton, NAME).refused
        assert reason and only(path).refused == only(path.parent).refused == reason
        assert main(["submit-check", str(path)]) == 1
        assert f"✗ 02_bound would be refused: {reason}" in capsys.readouterr().out
    path.unlink()
    assert only(path.parent).refused == "no notebook named 02_bound.ipynb: there is no notebook at all"
    path.symlink_to(hand_in(tmp_path / "elsewhere.ipynb", solved))
    assert "is a link" in only(path).refused
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    assert "it is no exercise of this course" in only(hand_in(tmp_path / "poem.ipynb", other)).refused


def test_a_folder_reached_by_a_link_is_a_folder(tmp_path: Path, solved: NotebookNode) -> None:
    hand_in(tmp_path / "02_bound" / NAME, solved)
    (tmp_path / "link").symlink_to(tmp_path)
    assert only(tmp_path / "link").refused == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone.ipynb", "there is no"), ("mine.py", "is no notebook"), ("empty", "holds no notebook")],
)
def test_what_cannot_be_handed_in_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    (tmp_path / "mine.py").touch()
    (tmp_path / "empty").mkdir()
    assert main(["submit-check", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line and name in line


def test_nothing_is_needed_that_learners_lack(tmp_path: Path, solved: NotebookNode) -> None:
    """Neither nbgrader nor what only Unix has."""
    hand_in(tmp_path / NAME, solved)
    code = """
import os, sys
for name in ("nbgrader", "jupytext", "nbclient", "nbconvert", "sqlalchemy", "fcntl", "resource", "pwd", "grp"):
    sys.modules[name] = None
for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
    delattr(os, flag)
from autograder.learner.submit_check import look_at
from pathlib import Path
print(look_at(Path(sys.argv[1]))[0].warnings, look_at(Path(sys.argv[2]))[0].refused)
"""
    (tmp_path / "link.ipynb").symlink_to(tmp_path / NAME)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / NAME, tmp_path / "link.ipynb"],
        capture_output=True, text=True, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.stdout.startswith("() link.ipynb is a link"), done.stderr

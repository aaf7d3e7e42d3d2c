"""JupyterLab, VS Code, Colab and Binder: a notebook needs nothing that one of them lacks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autograder import addresses
from autograder.assignments import RELEASED, Assignment
from autograder.authoring.release import box, notebook_of

released = pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)
REPOSITORY = "https://github.com/someone/vae-course"


def cells(repository: Path, assignment: Assignment) -> list[dict[str, Any]]:
    path = repository / "exercises" / assignment.slug / f"{assignment.slug}.ipynb"
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return content


@released
def test_a_notebook_is_plain_python(repository: Path, assignment: Assignment) -> None:
    for cell in cells(repository, assignment):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            compile(source, "cell", "exec")  # no magics, no shell
            assert "ipywidgets" not in source and "google.colab" not in source
            assert cell["outputs"] == []


@released
def test_a_notebook_is_small_and_installs_the_course_first(repository: Path, assignment: Assignment) -> None:
    path = repository / "exercises" / assignment.slug / f"{assignment.slug}.ipynb"
    assert path.stat().st_size < 2**20
    code = ["".join(cell["source"]) for cell in cells(repository, assignment) if cell["cell_type"] == "code"]
    assert code[0] == addresses.setup_code()


def test_the_first_cell_does_nothing_where_the_course_is_installed() -> None:
    exec(addresses.setup_code(), {})


def test_the_first_cell_says_what_to_do_where_the_course_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="README"):
        exec(addresses.setup_code(), {})


def test_with_an_address_the_first_cell_installs_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "REPOSITORY", REPOSITORY)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    exec(addresses.setup_code(), {})
    assert commands[0][1:4] == ["-m", "pip", "install"] and commands[0][-1] == f"git+{REPOSITORY}@main"


@released
def test_badges_appear_only_with_an_address(
    repository: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "badge" not in box(assignment)
    monkeypatch.setattr(addresses, "REPOSITORY", REPOSITORY)
    path = f"exercises/{assignment.slug}/{assignment.slug}.ipynb"
    assert f"https://colab.research.google.com/github/someone/vae-course/blob/main/{path}" in box(assignment)
    assert (repository / path).is_file()


def test_links_lead_to_the_published_book(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "BOOK", "https://someone.github.io/vae-course")
    text = (repository / "solutions" / "02_bound" / "02_bound.py").read_text(encoding="utf-8")
    (assignment,) = [a for a in RELEASED if a.slug == "02_bound"]
    sources = "\n".join(cell.source for cell in notebook_of(assignment, text).cells)
    assert "(https://someone.github.io/vae-course/02_bound.html#kl-closed-form)" in sources
    assert "book:" not in sources and "../../book" not in sources

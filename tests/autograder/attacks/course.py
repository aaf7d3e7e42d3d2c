"""A course in which attackers are graded between honest learners."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from autograder.assignments import assignment_named
from autograder.authoring.release import notebook_of, release
from autograder.authoring.sample_class import COURSE_CONFIG
from autograder.grading.gradebook import CONFIG_NAME

SLUG = "02_bound"
NAME = f"{SLUG}.ipynb"
MARKERS = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)
# what runs for ever is waited for less long than in a real course
CONFIG = COURSE_CONFIG.replace(
    "configure(c)",
    "from autograder.wall import Limits\n\nconfigure(c, Limits(cell_seconds=20, call_seconds=8, total_seconds=200))",
)


def make_course(course: Path, sources: Path, config: str = CONFIG) -> tuple[NotebookNode, dict[str, str]]:
    """A course with the release of assignment 02: the released notebook, and the reference's answers by name."""
    course.mkdir(parents=True)
    (course / CONFIG_NAME).write_text(config)
    text = sources / SLUG / f"{SLUG}.py"
    released = nbformat.read(release(assignment_named(SLUG), text, course), as_version=4)
    solution = notebook_of(assignment_named(SLUG), text.read_text(encoding="utf-8"))
    answers = {
        grade_id(cell): MARKERS.sub("", cell.source)
        for cell in solution.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    return released, answers


def grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def filled(released: NotebookNode, answers: Mapping[str, str], *own: str) -> NotebookNode:
    """The release with answers, and cells of the learner's own after that of ``kl_divergence``."""
    notebook = copy.deepcopy(released)
    place = 0
    for number, cell in enumerate(notebook.cells):
        name = grade_id(cell)
        if name in answers:
            cell.source = answers[name].strip("\n")
        place = number + 1 if name == "kl_divergence" else place
    notebook.cells[place:place] = [nbformat.v4.new_code_cell(source.strip("\n")) for source in own]
    return notebook


def folder_of(course: Path, learner: str) -> Path:
    folder = course / "submitted" / learner / SLUG
    folder.mkdir(parents=True)
    return folder


def grade(course: Path, secret: str) -> subprocess.CompletedProcess[str]:
    """``autograder grade`` with two workers, in an environment that holds a secret."""
    return subprocess.run(
        [sys.executable, "-m", "autograder", "grade", SLUG, "--course", str(course), "--workers", "2"],
        capture_output=True,
        text=True,
        cwd=course,
        timeout=1800,
        env={**os.environ, "COURSE_SECRET": secret, "TQDM_DISABLE": "1"},
    )


def points(course: Path) -> dict[str, dict[str, float]]:
    """By learner and check."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return {
            submission.student.id: {
                one.name.removeprefix("check_"): one.auto_score
                for notebook in submission.notebooks
                for one in notebook.grades
            }
            for submission in gradebook.assignment_submissions(SLUG)
        }


def comments(course: Path, learner: str) -> str:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return " ".join(
            comment.auto_comment or ""
            for notebook in gradebook.find_submission(SLUG, learner).notebooks
            for comment in notebook.comments
        )


def graded(course: Path, learner: str) -> NotebookNode:
    return nbformat.read(course / "autograded" / learner / SLUG / NAME, as_version=4)


def shown(cell: NotebookNode) -> str:
    """All text that a cell's outputs hold."""
    parts = []
    for output in cell.get("outputs", []):
        parts += [output.get("text", ""), output.get("ename", ""), output.get("evalue", "")]
        parts += output.get("traceback", [])
        parts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(map(str, parts))


def commands_with(words: str) -> list[str]:
    """Processes of this machine whose command line has these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found

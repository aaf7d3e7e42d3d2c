"""Graded classes: one whose gradebook is filled in without anybody's code having run, and one that nbgrader graded."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.assignments import assignment_named
from autograder.authoring.release import release
from autograder.authoring.sample_class import COURSE_CONFIG, make_sample_class
from autograder.checks import checks_of
from autograder.grading.gradebook import CONFIG_NAME

SLUG = "02_bound"
# loses a point a started hour, so that a penalty is a number that somebody had to compute
LATE = """
from nbgrader.plugins import BasePlugin

class Late(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late // 3600

c.AssignLatePenalties.plugin_class = Late
"""
DUE = "2026-05-04 12:00:00 UTC"
TIMES = {"solution": "2026-05-04 11:00:00 UTC", "averages-the-kl": "2026-05-04 15:30:00 UTC"}
# texts of a page that stand out from what is behind them by less than WCAG AA asks for
CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
  const behind = element => { for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('main *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio]);
  }
  return poor;
}"""


@dataclass
class Graded:
    """A hand-in as it is once graded; everything is right unless said otherwise."""

    points: Mapping[str, float] = field(default_factory=dict)  # of checks that are not fully right
    misconceptions: Mapping[str, list[str]] = field(default_factory=dict)
    failures: Mapping[str, list[str]] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""  # given by hand, on the first answer
    by_hand: Mapping[str, float] = field(default_factory=dict)  # points given by hand
    penalty: float = 0.0
    record: Mapping[str, Any] = field(default_factory=dict)  # of intake and wall
    outputs: list[Any] = field(default_factory=list)  # of the first answer
    student: Mapping[str, str] = field(default_factory=dict)  # for the gradebook: names, email, lms_user_id
    handed_in: bool = True


def verdict(name: str, worth: int, graded: Graded) -> dict[str, Any]:
    """The record of one check."""
    score = graded.points.get(name, float(worth))
    right = score == worth
    parts = [part.name for part in checks_of(SLUG)[name].parts]
    return {
        "name": name,
        "passed": right,
        "score": score,
        "points": worth,
        "parts": {part: right if right or k == 0 else None for k, part in enumerate(parts)},
        "failures": list(graded.failures.get(name, [])),
        "misconceptions": list(graded.misconceptions.get(name, [])),
        "message": "",
    }


@pytest.fixture(scope="session")
def released_course(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with the release of assignment 02 and nobody in it."""
    course = tmp_path_factory.mktemp("released") / "course"
    course.mkdir()
    (course / CONFIG_NAME).write_text(COURSE_CONFIG)
    release(assignment_named(SLUG), repository / "solutions" / SLUG / f"{SLUG}.py", course)
    return course


@pytest.fixture
def poor_contrast() -> str:
    """A function in JavaScript: the texts of a page that are hard to read."""
    return CONTRAST


@pytest.fixture
def graded() -> type[Graded]:
    """How a hand-in for ``graded_class`` is described."""
    return Graded


@pytest.fixture
def graded_class(released_course: Path, tmp_path: Path) -> Callable[[Mapping[str, Graded]], Path]:
    """Makes a course in which these learners' hand-ins are graded."""

    def make(learners: Mapping[str, Graded]) -> Path:
        course = tmp_path / "course"
        shutil.copytree(released_course, course)
        skeleton = nbformat.read(course / "release" / SLUG / f"{SLUG}.ipynb", as_version=4)
        with Gradebook(f"sqlite:///{course}/gradebook.db", "vae") as gradebook:
            commit, gradebook.db.commit = (
                gradebook.db.commit,
                gradebook.db.flush,
            )  # once for all is much faster
            for student, graded in learners.items():
                gradebook.update_or_create_student(student, **graded.student)
                if graded.handed_in:
                    _write(course, skeleton, student, graded)
                    _enter(gradebook, student, graded)
            commit()
        return course

    return make


def _write(course: Path, skeleton: Any, student: str, graded: Graded) -> None:
    notebook = copy.deepcopy(skeleton)
    points_of = assignment_named(SLUG).points_of
    first = True
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        name = str(mark.get("grade_id", "")).removeprefix("check_")
        if mark.get("solution"):
            cell.source = graded.answers.get(name, cell.source)
            if first:
                cell.outputs = list(graded.outputs)
            first = False
        elif mark.get("grade"):
            score = graded.points.get(name, float(points_of[name]))
            data = {"text/plain": f"{score:g}", "text/html": f"<div><b>{name}</b></div>"}
            cell.outputs = [nbformat.v4.new_output("execute_result", data=data)]
    verdicts = [verdict(name, worth, graded) for name, worth in points_of.items()]
    found = {"refused": "", "notes": [], "stopped": [], "seconds": 2.0, "verdicts": verdicts}
    notebook.metadata["autograder"] = {**found, **graded.record}
    folder = course / "autograded" / student / SLUG
    folder.mkdir(parents=True)
    (folder / f"{SLUG}.ipynb").write_text(nbformat.v4.writes(notebook), encoding="utf-8")


def _enter(gradebook: Gradebook, student: str, graded: Graded) -> None:
    points_of = assignment_named(SLUG).points_of
    submission = gradebook.add_submission(SLUG, student, timestamp=datetime(2026, 5, 4, 12, 30))
    (notebook,) = submission.notebooks
    notebook.late_submission_penalty = graded.penalty
    for grade in notebook.grades:
        name = grade.name.removeprefix("check_")
        grade.auto_score = graded.points.get(name, float(points_of[name]))
        grade.manual_score = graded.by_hand.get(name)
        grade.needs_manual_grade = False
    if graded.comment:
        notebook.comments[0].manual_comment = graded.comment


@pytest.fixture(scope="session")
def ungraded_class(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample class with a due date, a late hand-in and a penalty."""
    course = make_sample_class(tmp_path_factory.mktemp("ungraded") / "course", repository / "solutions")
    with (course / CONFIG_NAME).open("a") as config:
        config.write(LATE)
    with Gradebook(f"sqlite:///{course}/gradebook.db", "vae") as gradebook:
        gradebook.update_or_create_assignment(SLUG, duedate=DUE)
    for folder in (course / "submitted").iterdir():
        (folder / SLUG / "timestamp.txt").write_text(TIMES.get(folder.name, "2026-05-04 13:00:01 UTC"))
    return course


@pytest.fixture(scope="session")
def class_by_nbgrader(ungraded_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, graded by stock nbgrader, feedback made. Copy it before you change anything."""
    course = tmp_path_factory.mktemp("nbgrader") / "course"
    shutil.copytree(ungraded_class, course)
    for command in ("autograde", "generate_feedback"):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", command, SLUG], cwd=course, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return course

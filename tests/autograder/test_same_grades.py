"""One class, three ways to grade it, the same gradebook: nbgrader, a batch on this machine, and one on a cluster."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from distributed import LocalCluster
from nbgrader.api import Gradebook

from autograder.authoring.sample_class import SLUG
from autograder.grading.graded import verdict_record

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("class")]

BIN = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command of the virtual environment as an instructor would; returns what it printed."""
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def gradebook_of(course: Path) -> dict[str, Any]:
    """All that a gradebook says about the hand-ins of a class."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return {s.student.id: _all_of(s) for s in gradebook.assignment_submissions(SLUG)}


def _all_of(submission: Any) -> dict[str, Any]:
    numbers = (
        "score", "max_score", "code_score", "max_code_score", "written_score", "max_written_score",
        "needs_manual_grade", "late_submission_penalty",
    )  # fmt: skip
    about = {name: getattr(submission, name) for name in numbers}
    about |= {"timestamp": submission.timestamp, "late": submission.total_seconds_late}
    for notebook in submission.notebooks:
        about[notebook.name] = {name: getattr(notebook, name) for name in (*numbers, "failed_tests")}
        for grade in notebook.grades:
            names = ("auto_score", "manual_score", "extra_credit", "needs_manual_grade", "max_score")
            about[grade.name] = {name: getattr(grade, name) for name in names}
        for comment in notebook.comments:
            about[f"comment on {comment.name}"] = (comment.auto_comment, comment.manual_comment)
    return about


def notebooks_of(course: Path) -> dict[str, Any]:
    """The graded notebooks without what depends on the clock: sources, outputs and what the judge found."""
    found = {}
    for path in sorted(course.glob(f"autograded/*/{SLUG}/{SLUG}.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        record = verdict_record(notebook)
        cells = [(c.cell_type, c.source, c.metadata, _points(c)) for c in notebook.cells]
        found[path.parts[-3]] = (cells, {**record, "seconds": 0})
    return found


def _points(cell: Any) -> list[Any]:
    graded = cell.metadata.get("nbgrader", {}).get("grade")
    return [output.get("data") for output in cell.get("outputs", [])] if graded else []


@pytest.fixture(scope="module")
def by_batch(ungraded_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graded in two goes, on this machine and on a cluster: some had not handed in yet at the first."""
    course = tmp_path_factory.mktemp("batch") / "course"
    shutil.copytree(ungraded_class, course)
    later = tmp_path_factory.mktemp("later")
    for name in ("hostile", "damaged", "solution", "averages-the-kl"):
        shutil.move(course / "submitted" / name, later / name)
    assert "3 graded, 0 unchanged" in run("autograder", "grade", SLUG, "--workers", "2", cwd=course)
    for folder in later.iterdir():
        shutil.move(folder, course / "submitted" / folder.name)
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        done = run("autograder", "grade", SLUG, "--scheduler", cluster.scheduler_address, cwd=course)
    assert "4 graded, 3 unchanged" in done
    run("nbgrader", "generate_feedback", SLUG, cwd=course)
    return course


def test_the_gradebooks_are_the_same(class_by_nbgrader: Path, by_batch: Path) -> None:
    expected = gradebook_of(class_by_nbgrader)
    assert gradebook_of(by_batch) == expected
    assert len(expected) == 7
    # and they say what they should
    solution, late = expected["solution"], expected["averages-the-kl"]
    assert (solution["score"], solution["max_score"], solution["late_submission_penalty"]) == (20, 20, 0)
    assert (late["score"], late["late_submission_penalty"], late["late"]) == (16, 3, 3.5 * 3600)
    assert not any(about["needs_manual_grade"] for about in expected.values())
    assert expected["untouched"]["comment on elbo"] == ("No response.", None)
    assert expected["damaged"]["comment on elbo"][0].startswith("Not graded: the file is not a notebook")


def test_the_graded_notebooks_are_the_same(class_by_nbgrader: Path, by_batch: Path) -> None:
    expected = notebooks_of(class_by_nbgrader)
    assert len(expected) == 7 and notebooks_of(by_batch) == expected
    assert [v["score"] for v in expected["averages-the-kl"][1]["verdicts"]] == [4, 0, 4, 4, 4]


def test_the_feedback_is_the_same(class_by_nbgrader: Path, by_batch: Path) -> None:
    pages = {path.relative_to(class_by_nbgrader) for path in class_by_nbgrader.glob("feedback/*/*/*.html")}
    assert len(pages) == 7
    for page in pages:
        if page.parts[1] != "hostile":  # its output names what it found on the way, in any order
            assert (by_batch / page).read_text() == (class_by_nbgrader / page).read_text(), page


def exported(course: Path, folder: Path) -> list[dict[str, str]]:
    run("nbgrader", "export", "--to", folder / "grades.csv", cwd=course)
    with (folder / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["student_id"])


def test_the_exports_are_the_same_and_agree_with_the_gradebook(
    class_by_nbgrader: Path, by_batch: Path, tmp_path: Path
) -> None:
    rows = exported(class_by_nbgrader, tmp_path)
    assert exported(by_batch, tmp_path) == rows
    book = gradebook_of(class_by_nbgrader)
    assert {row["student_id"]: float(row["raw_score"]) for row in rows} == {
        name: about["score"] for name, about in book.items()
    }
    assert {row["student_id"]: float(row["score"]) for row in rows} == {
        name: max(0.0, about["score"] - about["late_submission_penalty"]) for name, about in book.items()
    }
    assert {float(row["max_score"]) for row in rows} == {20.0}


def test_the_formgrader_shows_what_the_gradebook_says(class_by_nbgrader: Path, by_batch: Path) -> None:
    hand_ins, notebooks = _shown(class_by_nbgrader)
    assert _shown(by_batch) == (hand_ins, notebooks)
    book = gradebook_of(class_by_nbgrader)
    for name in ("score", "max_score", "needs_manual_grade"):  # these pages show points before the penalty
        expected = {student: about[name] for student, about in book.items()}
        for rows in (hand_ins, notebooks):
            assert {row["student"]: row[name] for row in rows} == expected


SHOWN = """
import json
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from autograder.grading.gradebook import course_config
from pathlib import Path
config = course_config(Path())
api = NbGraderAPI(CourseDirectory(config=config, root=str(Path().resolve())), config=config)
hide = ("id", "index", "autograded_timestamp")  # an index counts in the order of ids, which are random
rows = sorted(api.get_submissions("02_bound"), key=lambda row: row["student"])
tables = [rows, sorted(api.get_notebook_submissions("02_bound", "02_bound"), key=lambda row: row["student"])]
print(json.dumps([[{k: v for k, v in row.items() if k not in hide} for row in table] for table in tables], default=str))
"""


def _shown(course: Path) -> Any:
    """What the formgrader's pages ask nbgrader for: the lists of hand-ins and of notebooks."""
    hand_ins, notebooks = json.loads(run("python", "-c", SHOWN, cwd=course))
    assert len(hand_ins) == len(notebooks) == 7
    return hand_ins, notebooks

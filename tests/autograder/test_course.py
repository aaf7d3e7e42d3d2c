"""A course as a whole: made in one command, filled from platforms' archives, lateness, and what is forgotten."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder.assignments import ASSIGNMENTS
from autograder.cli import main
from autograder.course import archives, moves
from autograder.course.file_names import split, whose
from autograder.course.new import chosen, due_dates
from autograder.grading.grader_version import grading_files
from autograder.grading.late import LatePolicy
from vae_ref.errors import CourseError

SLUG = "02_bound"
Make = Callable[[Mapping[str, Any]], Path]


def belongs(name: str) -> str:
    return whose(
        split([name, "x/y/z", "u"], SLUG)[name], SLUG, {"7": "seven"}, {"ada lovelace": "ada"}
    ).student


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("lovelaceada_1001_5001_02_bound-1.ipynb", "1001"),
        ("lovelaceada_LATE_7_5001_02_bound.ipynb", "seven"),
        ("anon_x7_5001_02_bound.ipynb", ""),
        ("Ada Lovelace_31_assignsubmission_file/02_bound.ipynb", "ada"),
        ("Ada Lovelace_31_assignsubmission_file_02_bound.ipynb", "ada"),
        ("Åse Ø_32_assignsubmission_file/02_bound.ipynb", "Åse Ø"),
        ("ada/02_bound.ipynb", "ada"),
        ("ada/02_bound/02_bound.ipynb", "ada"),
        ("ada/bob_7_5_x.ipynb", "ada"),  # a learner names files, and puts none into another's hand-in
        ("ada/Bob_7_assignsubmission_file/x.ipynb", "ada"),
        ("ada.ipynb", "ada"),
        ("02_bound.ipynb", ""),
        ("../ada/02_bound.ipynb", ""),
        ("/etc/x.ipynb", ""),
        ("<b>/02_bound.ipynb", ""),
    ],
)
def test_a_file_belongs_to_whom_the_platform_says(name: str, student: str) -> None:
    assert belongs(name) == student


def test_an_archive_of_trouble_is_sorted_and_again_changes_nothing(
    graded_class: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course, archive = graded_class({}), tmp_path / "all.zip"
    link = zipfile.ZipInfo("link_1005_1_02_bound.ipynb")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("lovelaceada_1001_5001_02_bound-1.ipynb", "{}")
        file.writestr("bomb_1003_5003_02_bound.ipynb", b"[" * 50_000_000)
        file.writestr("text_1004_5004_report.pdf", "x")
        file.writestr("../../evil.ipynb", "{}")
        file.writestr(link, "/etc/passwd")
    there = {path for path in tmp_path.rglob("*") if course not in path.parents}
    assert main(["collect", SLUG, str(archive), "--course", str(course)]) == 1
    said = capsys.readouterr()
    assert "4 new, 0 replaced, 0 as they were, 1 left out" in said.out and "it is a link" in said.err
    files = {
        p.relative_to(course / "submitted").as_posix(): p.stat().st_size
        for p in course.glob("submitted/*/*/*")
    }
    assert files == {f"1001/{SLUG}/{SLUG}.ipynb": 2, f"1003/{SLUG}/{SLUG}.ipynb": 20 * 2**20 + 1}
    assert {path for path in tmp_path.rglob("*") if course not in path.parents} == there
    main(["collect", SLUG, str(archive), "--course", str(course)])
    assert "0 new, 0 replaced, 4 as they were" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_one_line(graded_class: Make, tmp_path: Path, capsys, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert main(["collect", SLUG, str(tmp_path / "x.zip"), "--course", str(graded_class({}))]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_huge_lists_of_files_are_refused_unread(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(archives, "MAX_LIST_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for number in range(10):
            file.writestr(f"{number}.ipynb", "")
    with pytest.raises(CourseError, match="lists more than"), archives.entries(tmp_path / "x.zip"):
        pass


def test_due_dates_are_days_or_times_with_a_zone() -> None:
    found = due_dates(
        ["02_bound=2027-03-01", "03_sampling=2027-03-08 18:00 +0100"], chosen([SLUG, "03_sampling"])
    )
    assert found == {SLUG: datetime(2027, 3, 1, 23, 59, 59), "03_sampling": datetime(2027, 3, 8, 17)}


@pytest.mark.parametrize("due", ["02_bound", "02_bound=soon", "02_bound=2027-02-30", "01_dogs=2027-03-01"])
def test_senseless_due_dates_are_one_line(due: str, tmp_path: Path, capsys) -> None:
    assert main(["course", "new", str(tmp_path / "c"), SLUG, "--due", due]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "c").exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, repository: Path, capsys) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert main(["course", "new", str(tmp_path), SLUG, "--sources", str(repository / "solutions")]) == 2
    assert "is not empty" in capsys.readouterr().err and len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(
    ("method", "hours", "penalty"),
    [("none", 100, None), ("zero", 1, 10), ("zero", 0.4, None), ("per-day", 0.4, None), ("per-day", 1, 1),
     ("per-day", 25, 2), ("per-day", 9999, 10)],
)  # fmt: skip
def test_lateness_costs_what_the_rule_says(method: str, hours: float, penalty: float | None) -> None:
    rule = LatePolicy(penalty_method=method, grace_minutes=30)
    assert rule.late_submission_penalty("ada", 10, 3600 * hours) == penalty


def test_penalties_follow_points_by_hand_and_moved_due_dates(
    graded_class: Make, graded: type, tmp_path: Path
) -> None:
    course = graded_class({"ada": graded(by_hand={"elbo": 2.0})})
    with (course / "nbgrader_config.py").open("a") as file:
        file.write('c.LatePolicy.penalty_method = "per-day"\n')
    url, out = f"sqlite:///{course}/gradebook.db", tmp_path / "grades.csv"
    for hours, score in ((-25, "14.4"), (1, "18")):
        with Gradebook(url, "vae") as gradebook:
            handed_in = gradebook.find_submission(SLUG, "ada").timestamp
            gradebook.update_or_create_assignment(SLUG, duedate=handed_in + timedelta(hours=hours))
        assert main(["export", SLUG, "--course", str(course), "--out", str(out)]) == 0
        assert out.read_text().splitlines()[1].split(",")[8] == score


def test_forgetting_one_learner_leaves_the_others(graded_class: Make, graded: type, capsys) -> None:
    course = graded_class({"ada": graded(), "adam": graded()})
    moves.keep_moves(course, SLUG, [moves.Move(who, "elbo", 0, 4, "x") for who in ("ada", "adam")])
    (course / "grades.csv").write_text("ada,1\n")
    assert main(["forget", "ada", "--course", str(course)]) == 2  # nobody to ask
    assert (course / "autograded" / "ada").exists()
    assert main(["forget", "ada", "--course", str(course), "--yes"]) == 0
    assert f"still mentions ada: {course / 'grades.csv'}" in capsys.readouterr().out
    assert [path.name for path in (course / "autograded").iterdir()] == ["adam"]
    assert [row[1] for row in moves.read_moves(course / "moved" / f"{SLUG}.csv")] == ["learner", "adam"]
    with Gradebook(f"sqlite:///{course}/gradebook.db", "vae") as gradebook:
        assert [student.id for student in gradebook.students] == ["adam"]
    assert main(["forget", "ada", "--course", str(course), "--yes"]) == 0
    assert "holds nothing of ada" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["..", "", "../adam", "*"])
def test_nobody_is_called_like_a_path(graded_class: Make, graded: type, name: str) -> None:
    course = graded_class({"adam": graded()})
    assert main(["forget", name, "--course", str(course), "--yes"]) == 2
    assert (course / "autograded" / "adam").is_dir()


def test_a_check_decides_about_its_own_assignment_only() -> None:
    files = {a.slug: {str(path) for path in grading_files(a.slug)} for a in ASSIGNMENTS}
    for slug, of_it in files.items():
        rooms = {other for other in files if any(f"checks/{other}.py" in path for path in of_it)}
        assert rooms == {slug}
        assert not any(path.endswith(("insight.py", "export.py", "cli.py")) for path in of_it)

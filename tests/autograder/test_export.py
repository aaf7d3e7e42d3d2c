"""Grades for Canvas, Moodle and spreadsheets: right, whole, and harmless."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from autograder.cli import main
from autograder.reports.canvas import canvas_rows, no_roster, read_roster
from autograder.reports.export import export
from autograder.reports.spreadsheets import as_text, is_formula, number, to_csv
from vae_ref.errors import CourseError

SLUG = "02_bound"
Make = Callable[[Mapping[str, Any]], Path]


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


# ---- cells


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "＝1",
        "＠SUM(A1)",
        "\0=1",
        "\u200b=1",
    ],
)
def test_what_a_spreadsheet_would_calculate_becomes_text(text: str) -> None:
    shown = as_text(text)
    assert shown.startswith("'") and "\n" not in shown and "\t" not in shown and "\r" not in shown
    assert not is_formula(shown)


@pytest.mark.parametrize("text", ["Lovelace", "O'Brien", "a=b", "née-Smith", "", "3", "Åse"])
def test_other_text_stays(text: str) -> None:
    assert as_text(text) == text


@pytest.mark.parametrize(
    ("value", "shown"), [(20.0, "20"), (0.0, "0"), (4 / 3, "1.33"), (17.5, "17.5"), (100.0, "100")]
)
def test_points_have_no_more_digits_than_canvas_keeps(value: float, shown: str) -> None:
    assert number(value) == shown


def test_csv_survives_its_own_separators() -> None:
    row = ["a,b", 'say "x"', "l1\nl2", ""]
    assert list(csv.reader(to_csv([row]).splitlines(keepends=True))) == [row]


# ---- Canvas

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,{title} (771),Old (5),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,20,5,(read only)
"Lovelace, Ada",1001,s-17,ada,Group A,,5,80
"=HYPERLINK(""http://x"")",1002,s-18,alan,Group B,3,4,70
"Student, Test",1003,,f00,Group A,,,
"""


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "canvas.csv"
    path.write_text(CANVAS.format(title="The evidence lower bound"), encoding="utf-8-sig")
    return path


def test_without_a_roster_canvas_gets_what_the_gradebook_knows() -> None:
    learners = [("ada", "Lovelace", "Ada", "1001"), ("alan", "", "", "3f2a-11"), ("absent", "", "", "7")]
    notes: list[str] = []
    got = canvas_rows(learners, {SLUG: {"ada": "20", "alan": "3.5"}}, {SLUG: "20"}, no_roster(), notes)
    assert got == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", SLUG],
        ["    Points Possible", "", "", "", "", "20"],
        ["Lovelace, Ada", "1001", "", "ada", "", "20"],
        ["alan", "", "", "alan", "", "3.5"],  # Canvas would read 3f2a-11 as its number 3
    ]
    assert len(notes) == 1 and "such as 'alan'" in notes[0] and "--roster" in notes[0]


def test_a_roster_brings_numbers_sections_and_the_column(roster: Path) -> None:
    learners = [("ada", "", "", ""), ("s-18", "", "", ""), ("eve", "", "", "")]
    notes: list[str] = []
    points = {SLUG: {"ada": "20", "s-18": "12", "eve": "1"}}
    got = canvas_rows(learners, points, {SLUG: "20"}, read_roster(roster), notes)
    assert got[0] == [
        "Student", "ID", "SIS User ID", "SIS Login ID", "Section", "The evidence lower bound (771)",
    ]  # fmt: skip
    assert got[2] == ["Lovelace, Ada", "1001", "s-17", "ada", "Group A", "20"]
    assert got[3][1:] == ["1002", "s-18", "alan", "Group B", "12"]
    assert not is_formula(got[3][0]) and "HYPERLINK" in got[3][0]
    assert len(got) == 4 and len(notes) == 1 and notes[0].startswith("left out: 'eve'")


def test_what_canvas_has_of_a_missing_hand_in_stays(roster: Path) -> None:
    learners = [("ada", "", "", ""), ("alan", "", "", "")]
    points = {SLUG: {"ada": "20"}, "Old": {"alan": "1"}}
    got = canvas_rows(learners, points, {SLUG: "20", "Old": "5"}, read_roster(roster), [])
    assert [row[5:] for row in got[2:]] == [["20", "5"], ["3", "1"]]


def test_the_number_of_canvas_goes_before_a_login_of_the_same_name(roster: Path) -> None:
    got = canvas_rows([("ada", "", "", "1002")], {SLUG: {"ada": "9"}}, {SLUG: "20"}, read_roster(roster), [])
    assert got[2][1] == "1002"


def test_nobody_can_pass_for_the_line_of_maxima() -> None:
    learners = [("eve", "Points Possible", "    ", "5")]
    got = canvas_rows(learners, {SLUG: {"eve": "99"}}, {SLUG: "20"}, no_roster(), [])
    assert [row for row in got if "Points Possible" in row[0]] == [got[1]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing"),
        (b"LastName,FirstName,ID,Section\nA,B,1,S\n", "names in one column"),
        (b"Student,ID,SIS Login ID,Section\n    Points Possible,,,\n", "names no learner"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (None, "cannot read the roster"),
    ],
)
def test_another_file_than_canvas_exports_is_refused(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "roster.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CourseError, match=says):
        read_roster(path)


def test_a_roster_with_semicolons_is_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text('Student;ID;SIS Login ID;Section\n"Lovelace, Ada";1;ada;A\n')
    assert read_roster(path).rows == (("Lovelace, Ada", "1", "ada", "A"),)


# ---- whole courses


@pytest.mark.slow
@pytest.mark.xdist_group("graded-class")
def test_points_after_penalty_and_by_hand_reach_every_system(
    graded_class: Make,
    graded: type,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # these penalties stand in for those of a rule, and would be worked out anew
    monkeypatch.setattr("autograder.reports.export.settle", lambda *_: [])
    course = graded_class(
        {
            "ada": graded(student={"last_name": "Lovelace", "first_name": "Ada", "lms_user_id": "1001"}),
            "alan": graded(
                points={"kl_divergence": 0.0},
                misconceptions={"kl_divergence": ["kl-mean-over-latents"]},
                by_hand={"elbo": 1.0},
                penalty=2.0,
                student={"last_name": "=1+1"},
            ),
            "late": graded(points=dict.fromkeys(("log_normal", "kl_divergence"), 0.0), penalty=99.0),
            "away": graded(handed_in=False),
            "broken": graded(record={"refused": "no notebook named <b>", "verdicts": []}),
            "=cmd|'!A0": graded(),
        }
    )
    out = tmp_path / "grades.csv"

    assert main(["export", SLUG, "--course", str(course), "--out", str(out)]) == 0
    table = {row[2]: row for row in rows(out)[1:]}
    assert table["alan"][6:10] == ["13", "2", "11", "20"]
    assert table["late"][6:10] == ["12", "99", "0", "20"]
    assert table["away"][6:] == ["", "", "", "20", ""]
    assert table["alan"][3] == "'=1+1" and "'=cmd|'!A0" in table

    assert main(["export", SLUG, "--course", str(course), "--format", "canvas", "--out", str(out)]) == 1
    assert 'left out: "=cmd|\'!A0"' in capsys.readouterr().err
    table = {row[3]: row for row in rows(out)}
    assert set(table) == {"SIS Login ID", "", "ada", "alan", "late", "broken"}
    assert table["ada"] == ["Lovelace, Ada", "1001", "", "ada", "", "20"]
    assert table["alan"][5] == "11" and table["alan"][0] == "'=1+1"

    assert main(["export", SLUG, "--course", str(course), "--format", "moodle", "--out", str(out)]) == 1
    header, *lines = rows(out)
    # not everybody has a number or an address, and Moodle must not meet an empty one
    assert header == ["Username", "Last name", "First name", SLUG, f"{SLUG} (Feedback)"]
    said = {line[0]: line for line in lines}
    assert (
        said["alan"][3] == "11" and "kl_divergence 0: the latent dimensions are averaged" in said["alan"][4]
    )
    assert said["broken"][4] == "Not graded: no notebook named &lt;b&gt;."
    assert set(said) == {"ada", "alan", "late", "broken"}
    assert not [cell for line in lines for cell in line if is_formula(cell)]

    done = subprocess.run(
        [Path(sys.executable).parent / "nbgrader", "export", "--exporter=autograder.reports.export.CanvasExporter",
         "--to", str(tmp_path / "canvas.csv"), "--student", '["ada"]'],
        cwd=course, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "canvas.csv")[2:] == [["Lovelace, Ada", "1001", "", "ada", "", "20"]]

    done = subprocess.run(
        [Path(sys.executable).parent / "nbgrader", "export", "--exporter=autograder.reports.export.MoodleExporter",
         "--assignment", '["99_nothing"]'],
        cwd=course, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1 and "has no assignment '99_nothing'" in done.stderr
    assert "Traceback" not in done.stderr

    with pytest.raises(CourseError, match="--roster is for --format canvas"):
        export(course, [SLUG], "csv", out, roster=out)
    with pytest.raises(CourseError, match="named twice"):
        export(course, [SLUG, SLUG], "csv", out)

"""The command ``autograder`` as people use it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.assignments import RELEASED, assignment_named, overview
from autograder.authoring.release import notebook_of
from autograder.authoring.sample_class import make_sample_class
from autograder.cli import main
from vae_ref.errors import CourseError

KL = "def kl_divergence(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)\n"
WRONG_KL = KL.replace("sum", "mean")


def autograder(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autograder", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
@pytest.mark.xdist_group("wall")
class TestCheck:
    """``autograder check FILE.py``."""

    def test_a_right_file(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(KL)
        done = autograder("check", "mine.py", cwd=tmp_path)
        assert done.returncode == 0
        assert done.stdout == "✓ kl_divergence is right: 4 of 4 points\n"

    def test_a_wrong_file_as_json(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(
            WRONG_KL + "def log_normal(x, mu, logvar):\n    raise NotImplementedError\n"
        )
        done = autograder("check", "mine.py", "--json", cwd=tmp_path)
        assert done.returncode == 1
        kl, density = json.loads(done.stdout)["checks"]
        assert (kl["name"], kl["passed"], kl["score"]) == ("kl_divergence", False, 0)
        assert kl["misconceptions"] == ["kl-mean-over-latents"]
        assert "averaged" in kl["message"]
        assert density["misconceptions"] == [] and "not written yet" in density["message"]

    @pytest.mark.parametrize(
        "code",
        [
            "import os; os._exit(0)",
            'import sys; print(\'{"checks": [{"passed": true}]}\'); sys.stdout.flush(); sys.exit(0)',
            "from vae_ref.bound import kl_divergence",
            "import torch; torch.Tensor.__sub__ = torch.Tensor.__le__ = lambda *a: torch.tensor(True)",
        ],
    )
    def test_no_trick_makes_a_wrong_file_right(self, tmp_path: Path, code: str) -> None:
        (tmp_path / "mine.py").write_text(f"{code}\n{WRONG_KL if 'bound' not in code else ''}")
        done = autograder("check", "mine.py", "--json", cwd=tmp_path)
        assert done.returncode == 1
        assert [c["passed"] for c in json.loads(done.stdout)["checks"]] == [False]

    def test_what_stops_half_way_is_checked_as_far_as_it_got(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text(KL + "print(undefined)\n")
        done = autograder("check", "mine.py", cwd=tmp_path)
        assert done.returncode == 0
        assert "NameError" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"def f(:\n", "line 1: this is not Python"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"x = 1\n", "defines no function that an assignment asks for"),
        (b"", "defines nothing"),
    ],
)
def test_files_that_cannot_be_checked(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    done = autograder("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["check"], ["release"], ["grades"], ["sample-class"]])
def test_help_tells_what_to_do(tmp_path: Path, command: list[str]) -> None:
    done = autograder(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0 and "usage: autograder" in done.stdout


def test_a_folder_that_is_no_course_is_named(tmp_path: Path) -> None:
    done = autograder("grades", "02_bound", cwd=tmp_path)
    assert done.returncode == 2 and "no nbgrader course" in done.stderr


def test_a_sample_class_overwrites_nothing(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(CourseError, match="not empty"):
        make_sample_class(tmp_path, repository / "solutions")
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def refusal(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    "command", ["sample-class {} --sources {}/solutions", "course new {} 02_bound --sources {}/solutions", "start {}"]
)  # fmt: skip
@pytest.mark.parametrize(
    ("place", "words"),
    [("file", "file is a file: name a "), ("file/below", "Not a directory"), ("/proc/none", "choose another folder")],
)  # fmt: skip
def test_where_no_folder_can_be_is_one_line(
    tmp_path: Path, repository: Path, monkeypatch, capsys, command: str, place: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    said = refusal(command.format(place, repository), capsys)
    assert words in said and "free some space" not in said


@pytest.mark.parametrize("command", ["release", "pictures", "sample-class new", "course new new"])
def test_without_the_solutions_it_is_said_where_they_are(
    tmp_path: Path, monkeypatch, capsys, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refusal(command, capsys)
    assert "in the folder of the course's repository" in said and "--sources" in said
    assert [*tmp_path.iterdir()] == []  # nothing is begun


def test_a_wrong_address_is_named_before_missing_solutions(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--db is no address of a gradebook" in refusal("course new new --db bogus", capsys)


@pytest.mark.parametrize("assignment", RELEASED, ids=lambda a: a.slug)
class TestRelease:
    """The committed exercises."""

    def test_they_are_those_of_the_texts(self, assignment, repository: Path) -> None:
        text = (repository / "solutions" / assignment.slug / f"{assignment.slug}.py").read_text(
            encoding="utf-8"
        )
        made = notebook_of(assignment, text)
        released = nbformat.read(
            repository / "exercises" / assignment.slug / f"{assignment.slug}.ipynb", as_version=4
        )
        assert [c.id for c in released.cells] == [c.id for c in made.cells]
        for mine, theirs in zip(made.cells, released.cells, strict=True):
            if not mine.metadata.get("nbgrader", {}).get("solution"):
                assert theirs.source == mine.source

    def test_they_give_no_answer_away(self, assignment, repository: Path) -> None:
        folder = repository / "exercises" / assignment.slug
        assert [p.name for p in folder.iterdir() if p.is_file()] == [f"{assignment.slug}.ipynb"]
        released = nbformat.read(folder / f"{assignment.slug}.ipynb", as_version=4)
        marked = [c for c in released.cells if c.metadata.get("nbgrader", {}).get("solution")]
        answers = [cell for cell in marked if cell.metadata["nbgrader"]["grade"]]
        solutions = [cell for cell in marked if cell not in answers]
        assert (len(solutions), len(answers)) == (len(assignment.points_of), len(assignment.answers))
        assert not any("SOLUTION" in cell.source or "Rubric" in cell.source for cell in released.cells)
        for cell in solutions:
            statements = [*ast.walk(ast.parse(cell.source))]
            assert not any(isinstance(node, ast.Return) for node in statements)
            assert any(isinstance(node, ast.Raise) for node in statements)
        for cell in answers:
            assert cell.source == "YOUR ANSWER HERE" or "NotImplementedError" in cell.source


def test_text_and_table_must_agree() -> None:
    text = '# %% solution="log_normal"\npass\n\n# %% check="log_normal"\ncheck(log_normal)\n'
    with pytest.raises(CourseError, match="make the two agree"):
        notebook_of(assignment_named("02_bound"), text)
    with pytest.raises(CourseError, match="which the table of assignments lacks"):
        notebook_of(assignment_named("02_bound"), text.replace("log_normal", "softmax"))


def test_the_readme_has_the_table_of_assignments(repository: Path) -> None:
    assert overview() in (repository / "README.md").read_text(encoding="utf-8")

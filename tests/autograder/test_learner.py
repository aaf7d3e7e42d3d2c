"""A learner's folder: what start copies, what progress remembers, and what neither ever does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import check
from autograder.assignments import RELEASED
from autograder.checks import checks_of
from autograder.cli import main
from autograder.learner import progress, starting
from autograder.learner.folder import MARK, started_folder
from autograder.learner.progress import as_table, remember, standings
from autograder.learner.starting import NEW, OUTDATED, RENEWED, SAME, YOURS, released_notebook, start

SLUGS = [assignment.slug for assignment in RELEASED]
BOUND = "02_bound/02_bound.ipynb"


def outcomes(folder: Path) -> dict[str, str]:
    return dict(start(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's folder, as made by the first start."""
    assert set(outcomes(tmp_path / "mine").values()) == {NEW}
    return tmp_path / "mine"


# ---- start ----------------------------------------------------------------------------------------------------------


def test_all_exercises_are_copied_with_their_pictures(folder: Path) -> None:
    for slug in SLUGS:
        mine = nbformat.read(folder / slug / f"{slug}.ipynb", as_version=4)
        nbformat.validate(mine)
        released = nbformat.read(released_notebook(slug), as_version=4)
        assert [cell.id for cell in mine.cells] == [cell.id for cell in released.cells]
        for one, other in zip(mine.cells, released.cells, strict=True):
            assert one.get("attachments") == other.get("attachments") and one.metadata == other.metadata
            assert one.cell_type == "markdown" or one.source == other.source
    assert any(cell.get("attachments") for cell in mine.cells)


def test_links_to_a_book_that_is_not_there_become_words(folder: Path) -> None:
    texts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/*.ipynb"))]
    text = "\n".join("".join(cell["source"]) for notebook in texts for cell in notebook["cells"])
    assert "../../book" not in text and "make book" not in text
    assert "(why [chapter 3, “reparameterization trick”])" in text
    assert "Read beside chapter 2 of the book. You need" in text


def test_links_to_a_book_that_is_there_stay(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    for slug in SLUGS:
        (tmp_path / "book" / f"{slug}.md").touch()
    outcomes(tmp_path / "mine")
    for slug in SLUGS:
        assert (tmp_path / "mine" / slug / f"{slug}.ipynb").read_bytes() == released_notebook(
            slug
        ).read_bytes()


def test_a_second_start_changes_nothing_of_the_learners(folder: Path) -> None:
    mine, gone = folder / BOUND, folder / "05_training" / "05_training.ipynb"
    mine.write_text("my work")
    gone.unlink()
    (folder / "01_dogs" / "notes.txt").write_text("my notes")
    found = outcomes(folder)
    assert found.pop(BOUND) == YOURS and found.pop("05_training/05_training.ipynb") == NEW
    assert set(found.values()) == {SAME}
    assert mine.read_text() == "my work" and (folder / "01_dogs" / "notes.txt").read_text() == "my notes"


def test_a_newer_release_replaces_only_what_was_not_touched(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / BOUND).write_text("my work")
    newer = tmp_path / "newer"
    newer.mkdir()
    for slug in SLUGS[:3]:
        text = (
            released_notebook(slug).read_text(encoding="utf-8").replace("Exercise", "The newer exercise", 1)
        )
        (newer / slug).write_text(text, encoding="utf-8")
    old = starting.released_notebook
    monkeypatch.setattr(
        starting, "released_notebook", lambda slug: newer / slug if slug in SLUGS[:3] else old(slug)
    )
    for _ in range(2):  # and says so as long as it is so
        found = outcomes(folder)
        assert found.pop(BOUND) == OUTDATED and (folder / BOUND).read_text() == "my work"
    assert set(found.values()) == {SAME}
    assert "The newer exercise" in (folder / "01_dogs" / "01_dogs.ipynb").read_text(encoding="utf-8")
    # the remedy that it names
    (folder / BOUND).rename(folder / "02_bound" / "mine.ipynb")
    assert outcomes(folder)[BOUND] == NEW
    assert (folder / "02_bound" / "mine.ipynb").read_text() == "my work"


def test_what_was_only_run_and_saved_is_not_touched(folder: Path) -> None:
    notebook = nbformat.read(folder / BOUND, as_version=4)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.13"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="ran")]
    nbformat.write(notebook, folder / BOUND)
    before = (folder / BOUND).read_bytes()
    assert outcomes(folder)[BOUND] == SAME and (folder / BOUND).read_bytes() == before
    notebook.cells.append(nbformat.v4.new_markdown_cell("a thought"))
    nbformat.write(notebook, folder / BOUND)
    assert outcomes(folder)[BOUND] == YOURS


def test_a_folder_named_from_within_is_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_links_to_a_book_that_is_there_stay(tmp_path)
    monkeypatch.chdir(tmp_path / "mine" / "02_bound")
    assert set(outcomes(Path("..")).values()) == {SAME}
    assert started_folder(Path("..")) == tmp_path / "mine"


def test_an_untouched_copy_is_renewed(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    newer = tmp_path / "newer.ipynb"
    newer.write_bytes(released_notebook("02_bound").read_bytes().replace(b"Exercise", b"Newer", 1))
    old = starting.released_notebook
    monkeypatch.setattr(
        starting, "released_notebook", lambda slug: newer if slug == "02_bound" else old(slug)
    )
    assert outcomes(folder)[BOUND] == RENEWED
    assert b"Newer" in (folder / BOUND).read_bytes()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"02_bound": 3}', "[" * 100_000, None])
def test_a_lost_list_of_copies_makes_everything_the_learners(folder: Path, content: str | None) -> None:
    record = folder / MARK / starting.COPIED
    if content is None:
        record.unlink()
    else:
        record.write_text(content)
    (folder / BOUND).write_text("my work")
    found = outcomes(folder)
    assert found.pop(BOUND) == YOURS and set(found.values()) == {SAME}
    assert set(json.loads(record.read_text())) == {*SLUGS} - {"02_bound"}


def test_a_stopped_start_goes_on(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert [next(first)[1] for _ in range(3)] == [NEW] * 3
    first.close()
    assert [*outcomes(tmp_path).values()] == [SAME] * 3 + [NEW] * 7


def test_what_start_cannot_do_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["start", str(tmp_path / "file")]) == 2
    assert "is a file: name a folder" in capsys.readouterr().err
    (tmp_path / "mine" / BOUND).mkdir(parents=True)
    assert main(["start", str(tmp_path / "mine")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert BOUND in line and "move it away" in line


def test_an_installation_without_exercises_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "__file__", str(tmp_path / "autograder" / "learner" / "starting.py"))
    assert main(["start", str(tmp_path / "mine")]) == 2
    assert not (tmp_path / "mine").exists()


# ---- progress -------------------------------------------------------------------------------------------------------


def kl_divergence(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - logvar - 1).mean(1)


WRONG, RIGHT = kl_divergence, checks_of("02_bound")["kl_divergence"].equivalents[0]


def bound(folder: Path) -> progress.Standing:
    return next(one for one in standings(folder) if one.assignment.slug == "02_bound")


def test_a_check_in_a_notebook_is_remembered_by_its_latest_verdict(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "02_bound")
    assert not bound(folder).begun
    for function, earned in ((WRONG, 0), (RIGHT, 4), (WRONG, 0), (RIGHT, 4)):
        kl_divergence = function  # the name by which a check finds it
        check(kl_divergence)
        one = bound(folder)
        assert (one.begun, one.earned, one.possible) == (True, earned, 20)
        assert ("kl_divergence" in one.open) == (earned == 0) and len(one.open) == 5 - earned // 4
    table = as_table(standings(Path()))
    assert "02_bound            4 of  20  open: log_normal, kl_monte_carlo," in table
    assert "01_dogs             0 of  18  not begun" in table and "all                 4 of 188" in table


def test_outside_of_such_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(kl_divergence)
    assert list(tmp_path.iterdir()) == [] and started_folder(Path()) is None


def test_a_check_never_fails_because_it_cannot_be_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / MARK / "checks").write_text("a file where a folder should be")
    monkeypatch.chdir(folder)
    assert not check(kl_divergence).verdict.passed  # type: ignore[union-attr]
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()  # a folder that is removed while a kernel runs in it
    assert not check(kl_divergence).verdict.passed  # type: ignore[union-attr]
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b'{"score": 4}',
        b'{"score": 9, "points": 4}',
        b'{"score": NaN, "points": 4}',
        b'{"score": 1, "points": 0}',
        b'{"score": "x", "points": 4}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_costs_one_verdict_and_is_named(folder: Path, content: bytes) -> None:
    remember("elbo", 4, 4, folder)
    remember("kl_divergence", 4, 4, folder)
    (folder / MARK / "checks" / "kl_divergence.json").write_bytes(content)
    assert bound(folder).earned == 4 and bound(folder).unreadable == ("kl_divergence",)
    assert "What was kept of kl_divergence cannot be read: run the check again." in as_table(
        standings(folder)
    )
    remember("kl_divergence", 4, 4, folder)
    assert bound(folder).earned == 8 and "cannot be read" not in as_table(standings(folder))


def test_all_of_an_assignment(folder: Path) -> None:
    for name, points in RELEASED[1].points_of.items():
        remember(name, points, points, folder / "02_bound" / "02_bound.ipynb")
    assert "02_bound           20 of  20  all right" in as_table(standings(folder / "02_bound"))


def test_kernels_that_write_at_once_spoil_nothing(folder: Path) -> None:
    code = (
        "import sys; from autograder.learner.progress import remember\n"
        "for score in range(200): remember(sys.argv[1], score % 5, 4 + score % 5, None)\n"
        "remember(sys.argv[1], 4, 4)"
    )
    names = ["elbo", "elbo", "kl_divergence"]
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=folder) for name in names]
    while any(writer.poll() is None for writer in writers):
        assert bound(folder).unreadable == ()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert bound(folder).earned == 8
    assert sorted(path.name for path in (folder / MARK / "checks").iterdir()) == [
        "elbo.json",
        "kl_divergence.json",
    ]


def test_a_folder_that_was_not_started_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["progress", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line and "autograder start DIR" in line


def test_a_file_that_is_checked_is_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from autograder.learner import files
    from autograder.wall import WallError

    def no_wall() -> str:
        raise WallError("bubblewrap is not installed")

    monkeypatch.setattr(files, "require_wall", no_wall)
    mine = folder / "mine.py"
    mine.write_text(
        "def kl_divergence(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)\n"
    )
    assert main(["check", str(mine)]) == 0
    assert bound(folder).earned == 4


# ---- the commands ---------------------------------------------------------------------------------------------------


def test_commands_that_compute_nothing_do_not_wait_for_torch(tmp_path: Path) -> None:
    code = "import sys; from autograder.cli import main; main({!r}); print('torch' in sys.modules)"
    for arguments in (["start", str(tmp_path)], ["progress", str(tmp_path)]):
        done = subprocess.run([sys.executable, "-c", code.format(arguments)], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "False", done.stderr


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_and_a_terminal_without_marks(folder: Path) -> None:
    remember("elbo", 4, 4, folder)
    command = f"{sys.executable} -m autograder submit-check {folder}"
    done = subprocess.run(f"{command} | true; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.strip() == "141" and done.stderr == ""
    done = subprocess.run(
        command.split(), capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0 and done.stdout.startswith(b"? 01_dogs is not begun")


def test_both_commands_tell_the_version_that_is_cited(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vae_ref.cli import main as reference

    for command, name in ((main, "autograder"), (reference, "vae-ref")):
        with pytest.raises(SystemExit) as stopped:
            command(["--version"])
        assert stopped.value.code == 0
        version = capsys.readouterr().out.split()
        assert version[0] == name
        assert f"version: {version[1]}\n" in (repository / "CITATION.cff").read_text(encoding="utf-8")
        assert f'version = "{version[1]}"\n' in (repository / "pyproject.toml").read_text(encoding="utf-8")

"""What the book's build generates, and how it treats the folder it publishes to."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

from autograder.assignments import RELEASED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("book_build", ROOT / "book" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finished(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(text)
    return folder


def test_the_box_tells_what_the_table_says(build: ModuleType) -> None:
    for assignment in RELEASED:
        box = build.assignment_box(assignment)
        for what in (assignment.title, f"{assignment.minutes} minutes", f"{assignment.points} points"):
            assert what in box
        for objective in assignment.objectives:
            assert objective in box


@pytest.mark.parametrize(("source", "added"), [("## Part one", 1), ("Hello", 1), ("# Title\n\n## Part", 0)])
def test_an_exercise_page_has_exactly_one_title(build: ModuleType, source: str, added: int) -> None:
    notebook = {"cells": [{"cell_type": "markdown", "metadata": {}, "source": [source]}]}
    page = json.loads(build.exercise_page(json.dumps(notebook), RELEASED[0])[0])
    assert len(page["cells"]) == 1 + added
    titles = [cell for cell in page["cells"] if "".join(cell["source"]).startswith("# ")]
    assert len(titles) == 1 and page["cells"][0] is titles[0]


def test_a_missing_exercise_stops_the_build_and_is_named(
    build: ModuleType, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "CITATION.cff").write_bytes((repository / "CITATION.cff").read_bytes())
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "GENERATED", tmp_path / "generated")
    with pytest.raises(build.BookError, match=r"exercises/01_dogs/01_dogs\.ipynb is missing; make it with"):
        build.generate()


def test_publishing_replaces_an_older_book(build: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "site" / "book"
    build.publish(finished(tmp_path / "a", "first"), out)
    (out / "gone.html").touch()
    build.publish(finished(tmp_path / "b", "second"), out)
    assert (out / "index.html").read_text() == "second"
    assert not (out / "gone.html").exists()
    assert [path.name for path in out.parent.iterdir()] == ["book"]


def test_publishing_never_replaces_a_folder_of_somebody_else(build: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("years of work")
    with pytest.raises(build.BookError, match="not a book built here"):
        build.publish(finished(tmp_path / "a", "first"), out)
    assert (out / "chapter.tex").read_text() == "years of work"


def test_a_failed_build_leaves_the_old_book(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "book"
    build.publish(finished(tmp_path / "a", "first"), out)
    monkeypatch.setattr(build, "WORK", tmp_path / "work")
    monkeypatch.setattr(build, "generate", lambda: None)
    monkeypatch.setattr(build.subprocess, "run", lambda *_, **__: build.subprocess.CompletedProcess([], 1))
    with pytest.raises(build.BookError, match="problems listed above"):
        build.build(out)
    assert (out / "index.html").read_text() == "first"


def test_the_cache_is_given_up_when_the_code_changes(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vae_ref").mkdir()
    module = tmp_path / "vae_ref" / "bound.py"
    style = tmp_path / "book_style.py"
    for path in (module, style):
        path.write_text("a = 1\n")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "BOOK", tmp_path)
    monkeypatch.setattr(build, "WORK", tmp_path / "work")
    before = build._prepare_work()
    assert build._prepare_work() == before
    module.write_text("a = 2\n")
    after = build._prepare_work()
    assert after != before and after.is_dir() and not before.exists()


def test_the_cache_has_its_tables_before_several_processes_use_it(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "WORK", tmp_path / "work")
    with sqlite3.connect(build._prepare_work() / "_build" / ".jupyter_cache" / "global.db") as cache:
        tables = {name for (name,) in cache.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"settings", "nbcache", "nbproject"} <= tables

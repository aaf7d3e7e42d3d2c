"""The pages made from the catalogue of checks say all of it, and are measured anew when it changes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from autograder.assignments import ASSIGNMENTS
from autograder.authoring.validate import Killed, Refused, Report
from autograder.checks import checks_of

LOADED = """
import sys
from autograder.assignments import ASSIGNMENTS
from autograder.checks import checks_of
import autograder.authoring.validate
for assignment in ASSIGNMENTS:
    checks_of(assignment.slug)
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith(("autograder.", "vae_ref."))))
"""
SHOWING = {"addresses.py", "hints"}  # of the autograder: how it is shown


@pytest.fixture(scope="module")
def pages(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogue_pages", repository / "book/catalogue_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_mistake_stands_on_the_page_below_its_function(pages: ModuleType, repository: Path) -> None:
    text = pages.common_mistakes(repository / "book").lower()
    for assignment in ASSIGNMENTS:
        for check in checks_of(assignment.slug).values():
            below = text.split(f"### `{check.name.lower()}`\n")[1].split("\n### ")[0]
            for misconception in check.misconceptions:
                assert f"* {misconception.sentence.lower()}" in below


def test_sections_that_exist_are_linked_and_no_others(pages: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "02_bound.md").write_text("(kl-closed-form)=\n## In closed form\n", encoding="utf-8")
    text = pages.common_mistakes(tmp_path)
    assert "{ref}`kl-closed-form`" in text and text.count("{ref}") == 1


def test_names_in_the_code_stay_as_they_are(pages: ModuleType) -> None:
    assert pages._capital("the sign is turned.") == "The sign is turned."
    assert pages._capital("logvar is taken for log σ.") == "logvar is taken for log σ."
    assert pages._capital("x_hat comes first.") == "x_hat comes first."


@pytest.fixture
def report() -> Report:
    row = Killed("kl_divergence", "kl-wrong-sign", ("value",), (), frozenset({("kl-wrong-sign",)}))
    return Report((row,), (), 5)


def test_the_matrix_is_measured_once_for_each_state_of_the_checks(
    pages: ModuleType, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    monkeypatch.setattr(pages, "validate_assignments", lambda *_: measured.append(1) or report)
    first = pages.kill_matrix_tables(tmp_path)
    assert "| kl-wrong-sign | value | yes |" in first and "100% are called by their own name" in first
    assert pages.kill_matrix_tables(tmp_path) == first and len(measured) == 1
    monkeypatch.setattr(pages, "_digest", lambda: "other")
    assert pages.kill_matrix_tables(tmp_path) == first and len(measured) == 2
    assert [path.stem for path in tmp_path.iterdir()] == ["other"]


def test_checks_that_do_not_hold_are_not_published(
    pages: ModuleType, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Report(report.killed, (Refused("kl_divergence", 0, 0, "It is off."),), 5)
    monkeypatch.setattr(pages, "validate_assignments", lambda *_: bad)
    with pytest.raises(ValueError, match="autograder validate"):
        pages.kill_matrix_tables(tmp_path)
    assert not list(tmp_path.iterdir())


def test_everything_that_decides_is_part_of_the_digest(pages: ModuleType, repository: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=repository, capture_output=True, text=True)
    loaded = {Path(name).resolve().relative_to(repository) for name in done.stdout.split()}
    assert {Path("autograder/judge/checking.py"), Path("vae_ref/bound.py")} <= loaded
    missing = loaded - {path.relative_to(repository) for path in pages.deciding_files()}
    assert {path for path in missing if path.parts[1] not in SHOWING and path.name != "__init__.py"} == set()

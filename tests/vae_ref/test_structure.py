"""The shape of the package: chapters stand on earlier chapters only, and importing little stays little."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import vae_ref
from autograder.assignments import CHAPTERS as ASSIGNMENT_CHAPTERS

PACKAGE = Path(vae_ref.__file__).parent
ROOMS = {chapter.name: chapter.number for chapter in ASSIGNMENT_CHAPTERS}
CHAPTERS = tuple(ROOMS)


def course_imports(path: Path) -> set[str]:
    """Names of the course's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("vae_ref.")}


def files_of(name: str) -> list[Path]:
    return sorted((PACKAGE / name).rglob("*.py")) if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_is_one_module_or_one_folder(chapter: str) -> None:
    assert (PACKAGE / f"{chapter}.py").is_file() != (PACKAGE / chapter / "__init__.py").is_file()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_imports_earlier_chapters_only(chapter: str) -> None:
    allowed = {*CHAPTERS[: CHAPTERS.index(chapter)], "errors", "inputs"}
    if (PACKAGE / chapter).is_dir():
        allowed.add(chapter)  # a folder's own files
    for path in files_of(chapter):
        assert course_imports(path) <= allowed, path


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if (PACKAGE / name).is_dir()])
def test_a_folder_names_what_it_offers(chapter: str) -> None:
    module = importlib.import_module(f"vae_ref.{chapter}")
    assert module.__doc__ and module.__doc__.startswith(f"Chapter {ROOMS[chapter]:02d}, ")
    assert all(hasattr(module, name) for name in module.__all__)


def test_figures_and_the_package_import_no_chapter() -> None:
    assert course_imports(PACKAGE / "figures.py") == set()
    assert course_imports(PACKAGE / "__init__.py") == set()
    assert course_imports(PACKAGE / "errors.py") == set()


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from vae_ref.cli import build_parser; build_parser(); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "False", result.stderr


def test_files_stay_short() -> None:
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}

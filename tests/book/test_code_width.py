"""Code fits the column of the book: nobody scrolls sideways to read a line of it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from autograder.addresses import setup_code

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "exercises").glob("*/*.ipynb"))
CHAPTERS = sorted(
    page for page in (ROOT / "book").glob("*.md") if "```{code-cell}" in page.read_text("utf-8")
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTIONS = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)
WIDTH = 90  # what _static/book.css makes room for at 1280 pixels


@pytest.mark.parametrize("path", [*NOTEBOOKS, *CHAPTERS], ids=lambda path: path.name)
def test_no_line_of_code_is_wider_than_its_column(path: Path) -> None:
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        cells.remove(setup_code())  # written by the release, with an address that may be long
    else:
        cells = [OPTIONS.sub("", cell) for cell in CELL.findall(path.read_text(encoding="utf-8"))]
    assert cells
    assert [line for cell in cells for line in cell.split("\n") if len(line) > WIDTH] == []

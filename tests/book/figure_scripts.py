"""The scripts of the interactive figures, run in a page that shows nothing, to be asked for numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BOOK = Path(__file__).parents[2] / "book"
SCRIPTS = BOOK / "_static" / "figures"


def open_scripts(browser: Any, folder: Path) -> Any:
    """A page that has run all of a folder's scripts and shows nothing."""
    first = ["figure.js", "tools.js"]
    names = [*first, *sorted(path.name for path in folder.glob("*.js") if path.name not in first)]
    tags = "".join(f'<script src="{name}"></script>' for name in names)
    (folder / "all.html").write_text(f"<!doctype html><title>all</title>{tags}", encoding="utf-8")
    page = browser.new_page()
    page.goto((folder / "all.html").as_uri())
    return page


def ask(page: Any, expression: str, *values: Any) -> Any:
    """The value of a function of the figures for some arguments; typed arrays come back as lists."""
    return page.evaluate(
        "([expression, values]) => { const found = eval('vaeFigures.' + expression)(...values);"
        " return ArrayBuffer.isView(found) ? Array.from(found) : found; }",
        [expression, list(values)],
    )

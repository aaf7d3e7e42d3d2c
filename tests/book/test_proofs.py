"""A reader's check of the proofs: a formula with a wrong sign or factor is found by the cell that checks it.

Each row of ``formula_changes`` names a derivation by the label of its equation and changes the side of the formula in
the chapter's code. A cell with rows is run changed by each of them, which must end in an AssertionError, and as it is,
which must pass. Of the other cells only those are run that the checks build on; they are found by the names they use.
"""

from __future__ import annotations

import ast
import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from formula_changes import CHANGES

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


def code_cells(page: str) -> list[str]:
    notebook = jupytext.read(BOOK / f"{page}.md")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _loaded(node: ast.AST) -> set[str]:
    """Names that a piece of code reads and does not bind itself."""
    found = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
        own |= {part.id for part in found if isinstance(part.ctx, ast.Store)}
    for part in ast.walk(node):
        if isinstance(part, ast.comprehension):
            own |= {name.id for name in ast.walk(part.target) if isinstance(name, ast.Name)}
    return {part.id for part in found if isinstance(part.ctx, ast.Load)} - own


def names(statements: list[ast.stmt], defined: set[str]) -> set[str]:
    """What statements read before they define it; what they define is added to ``defined``."""
    wanted: set[str] = set()
    for statement in statements:
        blocks = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) or not any(blocks):
            wanted |= _loaded(statement) - defined
            named = [statement] if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else []
            stored = [] if named else [part for part in ast.walk(statement) if isinstance(part, ast.Name)]
            defined |= {part.name for part in named}
            defined |= {part.id for part in stored if isinstance(part.ctx, ast.Store)}
            continue
        for part in ast.iter_child_nodes(statement):  # what stands in the head of a loop or a branch
            if not isinstance(part, ast.stmt):
                wanted |= _loaded(part) - defined
                bound = [name for name in ast.walk(part) if isinstance(name, ast.Name)]
                defined |= {name.id for name in bound if isinstance(name.ctx, ast.Store)}
        for block in blocks:
            wanted |= names(block, defined)
    return wanted


def needed(cells: list[str], last: int) -> list[int]:
    """The first cell, which imports; ``last``; and for each name the cell before it that defines it, and so on."""
    wanted, chosen = names(ast.parse(cells[last]).body, set()), {0, last}
    for index in range(last - 1, 0, -1):
        defined: set[str] = set()
        used = names(ast.parse(cells[index]).body, defined)
        if defined & wanted:
            chosen.add(index)
            wanted = (wanted - defined) | used
    return sorted(chosen)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chapters set defaults of torch and matplotlib; afterwards these are what they were."""
    monkeypatch.syspath_prepend(str(BOOK))
    dtype, threads, gradients = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    state, drawn = torch.get_rng_state(), matplotlib.get_backend()
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    with matplotlib.rc_context():
        yield
    plt.close("all")
    matplotlib.use(drawn)
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(gradients)
    torch.set_rng_state(state)


@contextlib.contextmanager
def undone(space: dict[str, Any]) -> Iterator[None]:
    """What runs inside leaves no trace: names, places in streams of noise, defaults of torch."""
    names, noise = dict(space), torch.get_rng_state()
    streams = [(value, value.get_state()) for value in space.values() if isinstance(value, torch.Generator)]
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        yield
    finally:
        plt.close("all")
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        for stream, state in streams:
            stream.set_state(state)
        torch.set_rng_state(noise)
        space.clear()
        space.update(names)


def changed_cells(page: str, cells: list[str]) -> dict[int, list[tuple[str, str]]]:
    """For each cell with rows: label and changed source, a row each."""
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    found: dict[int, list[tuple[str, str]]] = {}
    for _, label, formula, changed in (row for row in CHANGES if row[0] == page):
        assert f"$$ ({label})" in text, label
        places = [index for index, source in enumerate(cells) if formula in source]
        assert len(places) == 1 and cells[places[0]].count(formula) == 1, (
            f"{formula!r} stands in cells {places}"
        )
        found.setdefault(places[0], []).append((label, cells[places[0]].replace(formula, changed)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({row[0] for row in CHANGES}))
def test_changed_formulas_fail_their_checks(page: str) -> None:
    cells = code_cells(page)
    changes = changed_cells(page, cells)
    torch.manual_seed(0)
    random.seed(0)
    space: dict[str, Any] = {"__name__": "__main__"}
    unnoticed = []
    for index in sorted({index for last in changes for index in needed(cells, last)}):
        for label, source in changes.get(index, []):
            with undone(space):
                try:
                    exec(compile(source, f"{page}, cell {index}, {label} changed", "exec"), space)
                except AssertionError:
                    continue
            unnoticed.append(label)
        exec(compile(cells[index], f"{page}, cell {index}", "exec"), space)
    assert not unnoticed


PAGES = sorted(path.stem for path in BOOK.glob("[01][0-9]_*.md"))


@pytest.mark.parametrize("page", [*PAGES, "gaussian_identities"])
def test_theorems_and_proofs_are_marked_alike(page: str) -> None:
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    boxes = re.findall(r"^(`{3,})\{admonition\} ([^\n]*)\n:class: ([^\n]*)\n(.*?)^\1\s*$", text, re.S | re.M)
    for _, title, classes, body in boxes:
        if title.startswith(("Theorem", "Proposition")):
            assert "theorem" in classes.split() and re.match(r"\w+ \(.+\)$", title), title
        assert title.startswith("Proof") == ("proof" in classes.split()), title
        if title.startswith("Proof"):
            assert "dropdown" in classes.split() and body.rstrip().endswith("∎"), f"{title}: …{body[-80:]}"
    assert not re.search(r"^\*\*(Theorem|Proof)\b", text, re.M)


@pytest.mark.parametrize("page", PAGES)
def test_every_chapter_asks_and_answers(page: str) -> None:
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    assert "{admonition} What you need" in text
    review = text.split("## Review questions")[1].split("\n## ")[0]
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\.\*\*", review, re.M)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 5
    assert review.count("{admonition} Answer\n:class: dropdown") == len(numbers)


def test_the_book_asks_sixty_questions() -> None:
    texts = [(BOOK / f"{page}.md").read_text(encoding="utf-8") for page in PAGES]
    assert sum(text.count("{admonition} Answer\n") for text in texts) >= 60

"""The page of interfaces says what the code says."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import pytest

from autograder.assignments import ASSIGNMENTS, CHAPTERS


@pytest.fixture(scope="module")
def pages(repository: Path):
    sys.path.insert(0, str(repository / "book"))
    try:
        yield importlib.import_module("interface_pages")
    finally:
        sys.path.remove(str(repository / "book"))


def test_everything_that_learners_write_and_the_reference_has_is_on_the_page(pages) -> None:
    text = pages.interfaces()
    for assignment in ASSIGNMENTS:
        module = importlib.import_module(f"vae_ref.{assignment.name}")
        below = text.split(f"(interface-{assignment.name})=")[1].split("(interface-")[0]
        for name in assignment.points_of:
            thing = getattr(module, name, None)
            if inspect.isfunction(thing) and thing.__module__.startswith(module.__name__):
                assert f"### `{name}`\n" in below
                assert all(
                    parameter in below.split(f"def {name}(")[1]
                    for parameter in inspect.signature(thing).parameters
                )
                assert inspect.getdoc(thing).splitlines()[0] in below
    assert text.count("(interface-") == len(CHAPTERS)
    assert text.count("### `") > 60 and text.count("```") == 2 * text.count("### `")


def test_public_functions_of_chapters_have_docstrings(pages) -> None:
    for chapter in CHAPTERS:
        module = importlib.import_module(f"vae_ref.{chapter.name}")
        names = pages.offered(module)
        assert names, chapter.slug
        assert [name for name in names if not (getattr(module, name).__doc__ or "").strip()] == []


def documented(x: int, y: str = "a:b") -> None:  # a colon in the head
    """First line.

    Second line.
    """
    raise NotImplementedError


def bare(
    x: int,
) -> int:
    # why
    return x


def test_a_stub_is_the_head_and_no_more(pages) -> None:
    assert pages.stub(documented).endswith('    Second line.\n    """')
    assert "NotImplementedError" not in pages.stub(documented) and "def documented(x: int" in pages.stub(
        documented
    )
    assert pages.stub(bare) == "def bare(\n    x: int,\n) -> int:"

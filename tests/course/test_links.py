"""Reading order: every exercise leads into its chapter, every section back to its exercise."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from autograder.assignments import RELEASED, Assignment
from autograder.checks import checks_of

LINK = re.compile(r"\]\(book:(\w+)(?:#([\w-]+))?\)")
LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)

released = pytest.mark.parametrize("assignment", RELEASED, ids=lambda assignment: assignment.slug)


def labels_of(repository: Path, page: str) -> set[str]:
    return set(LABEL.findall((repository / "book" / f"{page}.md").read_text(encoding="utf-8")))


def text_of(repository: Path, assignment: Assignment) -> str:
    return (repository / "solutions" / assignment.slug / f"{assignment.slug}.py").read_text(encoding="utf-8")


@released
def test_every_link_into_the_book_leads_to_a_section(repository: Path, assignment: Assignment) -> None:
    links = LINK.findall(text_of(repository, assignment))
    assert links
    for page, label in links:
        assert (repository / "book" / f"{page}.md").is_file(), page
        assert not label or label in labels_of(repository, page), (page, label)


@released
def test_everything_to_write_links_to_its_section(repository: Path, assignment: Assignment) -> None:
    linked = {
        label for page, label in LINK.findall(text_of(repository, assignment)) if page == assignment.slug
    }
    sections = {name: check.section for name, check in checks_of(assignment.slug).items()}
    assert {name: label for name, label in sections.items() if label not in linked} == {}


@released
def test_every_section_that_is_asked_about_leads_to_the_exercise(
    repository: Path, assignment: Assignment
) -> None:
    # the book's margin notes are made from the sections that the checks name
    labels = labels_of(repository, assignment.slug)
    assert {check.section for check in checks_of(assignment.slug).values()} <= labels


def test_each_assignment_tells_where_it_comes_from_and_where_it_leads(repository: Path) -> None:
    for before, after in itertools.pairwise(RELEASED):
        assert after.number > before.number  # some chapters have no exercise
    for assignment in RELEASED[:-1]:
        assert re.search(r"\bnext\b", text_of(repository, assignment)[-1500:], re.IGNORECASE), assignment.slug

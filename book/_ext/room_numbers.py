"""Number each chapter's page by its room: 05_training is chapter 5 whatever stands before it in the contents.

Sphinx counts the pages of a table of contents. Here the number is part of the name, shared with the
assignment, the module of the reference and its checks, so that "equation (2.3)" in a docstring stays
equation (2.3). The pages to look things up are appendices and carry letters, so that an equation of theirs is (B.3) and
not (3).
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

ROOM = re.compile(r"(\d\d)_\w+$")  # also refuses _generated/02_bound, the exercise beside chapter 2
APPENDICES = {"notation": "A", "gaussian_identities": "B"}


def _number_page(env: BuildEnvironment, page: str, chapter: int | str) -> None:
    """Give a page the number ``chapter`` and its sections ``chapter``.1, ``chapter``.2, …"""
    numbers: dict[str, tuple[Any, ...]] = {}  # Sphinx only ever joins them by dots: a letter does as well
    section = 0
    for reference in env.tocs[page].findall(nodes.reference):
        anchor = reference["anchorname"]
        depth = _depth(reference)
        if depth == 1:
            number: tuple[Any, ...] = (chapter,)
            env.titles[page]["secnumber"] = list(number)
        elif depth == 2:
            section += 1
            number = (chapter, section)
        else:
            number = ()  # subsections are short and have no number of their own
        numbers[anchor] = number
        if number:
            reference["secnumber"] = list(number)
    env.toc_secnumbers[page] = numbers


def _depth(reference: nodes.reference) -> int:
    """1 for the page's title, 2 for its sections, and so on."""
    depth, node = 0, reference.parent
    while node is not None:
        depth += isinstance(node, nodes.list_item)
        node = node.parent
    return depth


def number_rooms(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number sections as Sphinx does, chapters and appendices by our rule, then figures and equations by these."""
    collector = TocTreeCollector()
    changed = collector.assign_section_numbers(env)
    numbers: dict[str, int | str] = {page: int(match[1]) for page in env.tocs if (match := ROOM.match(page))}
    numbers |= {page: letter for page, letter in APPENDICES.items() if page in env.tocs}
    for page, number in numbers.items():
        _number_page(env, page, number)
    return sorted({*changed, *collector.assign_figure_numbers(env), *numbers})


def setup(app: Sphinx) -> dict[str, bool]:
    # in place of Sphinx's own, which would read all pages once more for numbers that do not stay
    for listener in list(app.events.listeners["env-get-updated"]):
        if isinstance(getattr(listener.handler, "__self__", None), TocTreeCollector):
            app.disconnect(listener.id)
    app.connect("env-get-updated", number_rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Repairs of the theme for readers who listen: what axe-core finds, tests/book/test_pages.py holds pages to it."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# the arrow beside a chapter in the contents has no name of its own
ARROW = re.compile(r"(<a\b[^>]*>)((?:(?!</a>).)*)(</a>\s*<details\b[^>]*>\s*<summary)(?=>)", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
DEPRECATED, CURRENT = (
    ' role="doc-biblioentry"',
    ' role="listitem"',
)  # a reference in a list, before ARIA 1.3 and since


def with_names(contents: str) -> str:
    """The contents with an arrow named after what it opens."""

    def name(match: re.Match[str]) -> str:
        title = " ".join(TAG.sub("", match[2]).split())
        return f'{match[1]}{match[2]}{match[3]} aria-label="Below {escape(title)}"'

    return ARROW.sub(name, contents)


def repair(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Repair a page."""
    if app.builder.name != "html":
        return
    if "body" in context:
        context["body"] = context["body"].replace(DEPRECATED, CURRENT)
    if contents := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *args, **options: with_names(
            str(contents(*args, **options))
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", repair, priority=950)  # the theme puts its function there at 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""What other sites show of a page: its title, its first sentence and a picture of drawn dogs.

Open Graph wants whole addresses. They are known once the course has an address: that of autograder/addresses.py, or the
one that BOOK_ADDRESS names, as the workflow that publishes does. Without one the picture's address is relative.
"""

from __future__ import annotations

import os
from html import escape
from typing import Any

from docutils import nodes
from social_card import ALT, HEIGHT, NAME, WIDTH
from sphinx.application import Sphinx

from autograder.addresses import BOOK

CARD = f"_static/{NAME}"
LONGEST = 200  # characters of a description


def description(page: nodes.document) -> str:
    """The beginning of a page's first paragraph, cut at the end of a sentence or a word."""
    boxes = (nodes.Admonition, nodes.admonition, nodes.topic, nodes.sidebar, nodes.table)
    for paragraph in page.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and not isinstance(paragraph.parent, boxes):
            text = " ".join(paragraph.astext().split())
            if len(text) <= LONGEST:
                return text
            end = text.rfind(". ", 0, LONGEST)
            return text[: end + 1] if end > 60 else text[: text.rfind(" ", 0, LONGEST)] + " …"
    return ""


def add_tags(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Put the tags into the head of a page."""
    if doctree is None or app.builder.name != "html":
        return
    address = (os.environ.get("BOOK_ADDRESS") or BOOK).rstrip("/")
    about = description(doctree)
    heading = doctree.next_node(nodes.title)
    tags = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": page if heading is None else heading.astext(),
        "og:description": about,
        "og:image": f"{address}/{CARD}" if address else context["pathto"](CARD, 1),
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
        "og:image:alt": ALT,
    }
    if address:
        tags["og:url"] = f"{address}/{page}.html"
    lines = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in tags.items() if value]
    lines.append('<meta name="twitter:card" content="summary_large_image" />')
    if about:
        lines.append(f'<meta name="description" content="{escape(about)}" />')
    context["metatags"] = context.get("metatags", "") + "\n".join(["", *lines, ""])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

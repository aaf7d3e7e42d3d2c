"""What a link leads to, shown beside it: equations, sections and terms of other pages travel with the page.

A page opened from a file may not read its neighbours, so previews cannot be fetched when they are asked for. Each page
carries, as data, the few that its own links need; previews.js shows them. Citations need no data: their links have the
reference as a title already.
"""

from __future__ import annotations

import json
import posixpath
import re
from html import escape, unescape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

LINK = re.compile(r'<a class="[^"]*\binternal\b[^"]*" href="([^"#]*)#([^"]+)"')
LONGEST = 600  # characters of a paragraph; a preview is a reminder, not the page

Targets = dict[tuple[str, str], str]


def _formula(latex: str) -> str:
    return f'<div class="math">\\[{escape(latex.strip())}\\]</div>'


def _words(node: nodes.Node) -> str:
    """A node as HTML of words, code and formulas, without links."""
    if isinstance(node, nodes.Text):
        return escape(node.astext())
    if isinstance(node, nodes.math_block):
        return _formula(node.astext())
    if isinstance(node, nodes.math):
        return f'<span class="math">\\({escape(node.astext())}\\)</span>'
    if isinstance(node, nodes.literal):
        return f"<code>{escape(node.astext())}</code>"
    if (
        isinstance(node, nodes.Inline)
        and not isinstance(node, (nodes.emphasis, nodes.strong))
        and not node.children
    ):
        return ""
    return "".join(_words(child) for child in node.children)


def _beginning(section: nodes.section) -> str:
    """Title and first paragraph of a section."""
    title = next(iter(section.findall(nodes.title)), None)
    paragraph = next((child for child in section.children if isinstance(child, nodes.paragraph)), None)
    words = "" if paragraph is None else _words(paragraph)
    if len(words) > LONGEST:  # at the end of a sentence, so that no formula is cut
        end = words.rfind(". ", 0, LONGEST)
        words = words[: end + 1] + " …" if end > 0 else ""
    head = "" if title is None else f"<strong>{_words(title)}</strong>"
    return f"<p>{head}</p><p>{words}</p>" if words else f"<p>{head}</p>"


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Remember what links from anywhere may lead to on this page."""
    page, found = app.env.docname, {}
    for section in doctree.findall(nodes.section):
        for identifier in section["ids"]:
            found[page, identifier] = _beginning(section)
    for term in doctree.findall(nodes.term):
        definition = term.next_node(nodes.definition, descend=False, siblings=True)
        for identifier in term["ids"]:
            text = "" if definition is None else _words(definition)
            found[page, identifier] = f"<p><strong>{_words(term)}</strong></p><p>{text}</p>"
    for formula in doctree.findall(nodes.math_block):
        if label := formula.get("label"):
            found[page, nodes.make_id(f"equation-{label}")] = _formula(formula.astext())
    _targets(app.env).update(found)


def _targets(env: BuildEnvironment) -> Targets:
    if not hasattr(env, "preview_targets"):
        env.preview_targets = {}  # type: ignore[attr-defined]
    targets: Targets = env.preview_targets
    return targets


def purge(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Forget a page that is read anew."""
    env.preview_targets = {k: v for k, v in _targets(env).items() if k[0] != page}  # type: ignore[attr-defined]


def merge(app: Sphinx, env: BuildEnvironment, pages: list[str], other: BuildEnvironment) -> None:
    """Take over what another process has read."""
    _targets(env).update(_targets(other))


def previews_of(page: str, body: str, targets: Targets) -> dict[str, str]:
    """What the links of a page lead to, by their addresses as written in it.

    Args:
        page: name of the page, such as ``_generated/02_bound``.
        body: its HTML.
        targets: what is known, by page and anchor.
    """
    found = {}
    for address, anchor in LINK.findall(body):
        path = unescape(address)
        goal = page if not path else posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if content := targets.get((goal.removesuffix(".html"), unescape(anchor))):
            found[f"{path}#{unescape(anchor)}"] = content
    return found


def add_previews(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Let a page carry the previews that its links need."""
    if doctree is None or app.builder.name != "html":
        return
    data = json.dumps(previews_of(page, context["body"], _targets(app.env)), ensure_ascii=False)
    safe = data.replace("<", "\\u003c")  # nothing in it may end the script
    context["body"] += f'\n<script type="application/json" id="previews">{safe}</script>\n'


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("html-page-context", add_previews, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

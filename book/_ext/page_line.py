"""The line below a page's title: how long a chapter takes to read, and the page to take along as text or as a notebook.

Also leaves places for others to fill. progress.js fills one for marking a page as read at its end, and one for an
overview on the start page; without scripts these stay empty and unseen. paper/offering.py puts a link to the PDF of the
whole book into the line once there is one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from reading_time import reading_minutes
from sphinx.application import Sphinx

INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
LISTS = {  # to look things up in; nobody reads them from end to end
    "bibliography", "common_mistakes", "glossary", "interfaces", "kill_matrix", "notation", "results",
}  # fmt: skip
GENERATED = "_generated/"  # exercises say themselves how long they take, and have buttons of their own


def notebook_of(text: str, folder: Path) -> nbformat.NotebookNode | None:
    """A page as a notebook without outputs, or None if it has no code to run.

    Args:
        text: the page's source; what it includes is put in.
        folder: where included files are looked for.
    """
    if "```{code-cell}" not in text:
        return None
    whole = INCLUDE.sub(lambda found: (folder / found[1]).read_text(encoding="utf-8").rstrip(), text)
    return read_myst_markdown_notebook(whole, MdParserConfig())


def _line(minutes: int, source: str, notebook: str | None) -> str:
    unit = "minute" if minutes == 1 else "minutes"
    time = f'<span class="reading-time">About {minutes} {unit} to read</span> ' if minutes else ""
    links = [f'<a href="{source}" download>text</a>']
    if notebook:
        links.append(f'<a href="{notebook}" download>notebook</a>')
    return (
        f'<p class="page-line">{time}<span class="page-downloads">Take this page along as {" or ".join(links)}'
        '<span class="whole-book"></span></span></p>'
    )


def add_line(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Put the line, and the places for progress, into a page that was written from a document."""
    if doctree is None or app.builder.name != "html":
        return
    body = context["body"]
    if not page.startswith(GENERATED):
        source, notebook = f"_sources/{context['sourcename']}", None
        document = Path(app.env.doc2path(page))
        content = notebook_of(document.read_text(encoding="utf-8"), document.parent)
        if content is not None:
            notebook = f"_sources/{page}.ipynb"
            target = Path(app.outdir) / notebook
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(content, target)
        line = _line(
            0 if page in LISTS else reading_minutes(doctree),
            context["pathto"](source, 1),
            notebook and context["pathto"](notebook, 1),
        )
        body = body.replace("</h1>", f"</h1>\n{line}", 1)
    place = "overview" if page == app.config.root_doc else "mark"
    context["body"] = f'{body}\n<div class="progress-{place}" data-page="{page}"></div>\n'


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_line)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

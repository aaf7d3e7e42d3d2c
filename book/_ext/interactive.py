"""Load the scripts of interactive figures on the pages that have one, and add what they load to the finished book.

A figure is interactive if its image has the class "interactive"; its name says which script belongs to it, see
``_static/figures/figure.js``. Other formats, and other engines that read the same sources, show the still picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

GENERATED = Path(__file__).resolve().parents[1] / "_generated" / "static"


def add_generated_files(app: Sphinx, config: Config) -> None:
    """Let the book's static files include what figures load: weights and recordings."""
    config.html_static_path.append(str(GENERATED))


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Give a page with an interactive figure its script and style."""
    if tree is not None and any("interactive" in image["classes"] for image in tree.findall(nodes.image)):
        app.add_js_file("figures/figure.js", loading_method="defer")
        app.add_css_file("figures/figure.css")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", add_generated_files)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

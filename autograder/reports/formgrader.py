"""One hand-in as the formgrader shows it to a person who grades.

Stock nbgrader puts the words of an answer into the page as they are, so that a learner's script would run with the
rights of the instructor who reads it; and it loads MathJax from another host, without which its own script stops.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from autograder.reports.feedback import FeedbackExporter

TEMPLATES = Path(__file__).parent / "templates"
MODULE = "nbgrader.server_extensions.formgrader.formgrader"


class FormgraderExporter(HTMLExporter):
    """The formgrader's page with harmless Markdown, whose formulas are MathML; nothing is asked of another host."""

    # answers come through the filter that makes the feedback's pages
    markdown2html = FeedbackExporter.markdown2html

    def __init__(self, config: Config, **options: Any) -> None:
        config = copy.deepcopy(config)
        # before nbconvert's: templates/classic has the mathjax that is none
        stock = config.HTMLExporter.extra_template_basedirs
        config.FormgraderExporter.extra_template_basedirs = [str(TEMPLATES), *stock]
        super().__init__(config=config, **options)


def install() -> None:
    """Make the formgrader use :class:`FormgraderExporter`, if this process is its server."""
    module: Any = sys.modules.get(MODULE)
    if module is not None:
        module.HTMLExporter = FormgraderExporter

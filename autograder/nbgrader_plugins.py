"""What makes stock ``nbgrader autograde`` and the formgrader grade behind the wall.

A course's ``nbgrader_config.py`` calls :func:`configure`. From then on nbgrader's Autograde converter rebuilds each
hand-in and has it run behind the wall and judged outside of it (:mod:`autograder.grading.autograde`). SaveAutoGrades,
late penalties, feedback, export and the gradebook stay nbgrader's own.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import nbgrader.apps.api
import nbgrader.apps.autogradeapp
from nbgrader.converters import Autograde as StockAutograde
from nbgrader.preprocessors import Execute, SaveAutoGrades
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from autograder.grading.autograde import Autograde, Judge, RecordReasons
from autograder.reports import formgrader
from autograder.wall import Limits

UNWRITTEN = 'raise NotImplementedError("yours to write")'


def configure(config: Config, limits: Limits | None = None) -> None:
    """Set nbgrader up for this course; call it from ``nbgrader_config.py`` with ``get_config()``.

    Args:
        config: the course's.
        limits: what a hand-in may use, if it is not the usual.
    """
    if limits is not None:
        config.Judge.limits = limits
    # nbgrader makes a new gradebook with the command "alembic", which lies beside this Python
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # of a newer SQLAlchemy about nbgrader's way to add a hand-in, which nobody here can do anything about
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
    config.ClearSolutions.code_stub = {"python": UNWRITTEN}
    config.Autograde.autograde_preprocessors = [
        # the recorded reasons come after nbgrader's own comments, which they replace
        replacement
        for stock in StockAutograde.autograde_preprocessors.default_args[0]
        for replacement in (
            {Execute: [Judge], SaveAutoGrades: [SaveAutoGrades, RecordReasons]}.get(stock, [stock])
        )
    ]
    config.AssignLatePenalties.plugin_class = "autograder.grading.late.LatePolicy"
    config.HTMLExporter.sanitize_html = True  # the formgrader's pages show what learners wrote
    # or the formgrader's first page shows the address of the gradebook with its password
    config.FormgradeExtension.debug = False
    formgrader.install()
    config.GenerateFeedback.exporter_class = "autograder.reports.feedback.FeedbackExporter"
    # nbgrader sets both for HTMLExporter, and what is set for a subclass comes first
    config.FeedbackExporter.template_name = "course_feedback"
    config.FeedbackExporter.extra_template_basedirs = [str(formgrader.TEMPLATES)]
    # nbgrader's commands and the formgrader find the converter under these names
    for module in (nbgrader.apps.autogradeapp, nbgrader.apps.api):
        module.Autograde = Autograde

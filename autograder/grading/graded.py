"""What a graded notebook says: which cells are graded, what grading found, and why there are no grades."""

from __future__ import annotations

import ast
from html import escape
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.grading.intake import RECORD, record_of
from vae_ref.errors import CourseError


def verdict_record(graded: NotebookNode) -> dict[str, Any]:
    """What grading a notebook found, for programs.

    Returns:
        ``refused`` and ``notes`` of the intake, ``verdicts`` (see :func:`autograder.judge.verdict.as_record`),
        ``stopped`` (why cells were ended) and ``seconds`` that it took; these three are empty where nothing was graded.
        ``grader`` is the version that graded, see :func:`autograder.grading.grader_version.grader_of`.
    """
    refused, notes = record_of(graded)
    found = graded.metadata.get(RECORD, {})
    return {
        "refused": refused,
        "notes": notes,
        "verdicts": [dict(verdict) for verdict in found.get("verdicts", [])],
        "stopped": [str(reason) for reason in found.get("stopped", [])],
        "seconds": float(found.get("seconds", 0.0)),
        "grader": str(found.get("grader", "")),
    }


def fill_in_reason(notebook: NotebookNode, reason: str) -> NotebookNode:
    """Give every check 0 points and ``reason``, also in the record; changes and returns ``notebook``."""
    notebook.metadata.setdefault(RECORD, {})["refused"] = reason
    for cell in notebook.cells:
        if check_of(cell):
            cell.outputs = [result_of(0, f"<div><b>Not graded:</b> {escape(reason)}.</div>")]
    return notebook


def was_refused(graded: NotebookNode) -> bool:
    """Whether a graded notebook has a reason in place of verdicts."""
    return bool(record_of(graded)[0])


def check_of(cell: NotebookNode) -> str:
    """What a grade cell checks: the name f of its ``check(f)``; empty for other cells.

    Raises:
        CourseError: an automatically graded cell does something else.
    """
    nbgrader = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not nbgrader.get("grade") or nbgrader.get("solution"):
        return ""
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:
        body = []
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if (
        isinstance(call, ast.Call)
        and call.args
        and ast.unparse(call.func) == "check"
        and isinstance(call.args[0], ast.Name)
    ):
        return call.args[0].id
    raise CourseError(
        f"the graded cell {nbgrader.get('grade_id')!r} is not of the form check(name): only such cells are graded here"
    )


def result_of(points: float, html: str) -> NotebookNode:
    # nbgrader reads the points from the text of an execute_result; the verdict is in its HTML
    return nbformat.v4.new_output("execute_result", data={"text/plain": f"{points:g}", "text/html": html})

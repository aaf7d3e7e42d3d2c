"""Grade one rebuilt notebook: its cells run behind the wall, its checks out here."""

from __future__ import annotations

import ast
import hashlib
import json
import time
from html import escape
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.assignments import assignment_named
from autograder.checks import checks_of
from autograder.grading.intake import LONG, RECORD, record_of
from autograder.judge.checking import Verdict, judge
from autograder.judge.verdict import as_html, as_record
from autograder.wall import Place, WalledKernel
from vae_ref.errors import CourseError

NOT_RUN = "[This cell only shows something, and takes long: it is left out when the notebook is graded.]"


def grade_notebook(
    notebook: NotebookNode,
    slug: str,
    student: str,
    place: Place,
) -> list[Verdict]:
    """Run and check a notebook that intake rebuilt, and write the outputs into its cells.

    Args:
        notebook: changed in place; a check's cell gets one result whose text is its points, as nbgrader reads them, and
            the metadata get the record of the verdicts (see :func:`verdict_record`).
        slug: name of the assignment.
        student: whose it is; only the seed of the cases depends on it, as on the sources of all cells.
        place: where its cells run; it is used up.

    Returns:
        The verdicts, in order.
    """
    assignment = assignment_named(slug)
    checks = checks_of(slug)
    whole = _fingerprint(slug, student, notebook)
    verdicts: dict[str, Verdict] = {}
    stopped, started = [], time.monotonic()
    with WalledKernel(place) as kernel:
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            name = _check_of(cell)
            if LONG in cell.metadata.get("tags", []):
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=NOT_RUN)]
                continue
            if not name:
                run = kernel.run(cell.source)
                cell.outputs = run.outputs
                if run.reason:
                    stopped.append(run.reason)
                    cell.outputs.append(
                        nbformat.v4.new_output("stream", name="stdout", text=f"[{run.reason}]")
                    )
                continue
            if name not in checks:
                raise CourseError(
                    f"{slug} has a cell for the check of {name!r}, which its file of checks lacks"
                )
            verdicts[name] = judge(checks[name], kernel, assignment.points_of[name], _seed(whole, name))
        for name, verdict in verdicts.items():
            # cells may have been run in another order than they stand in: what it needs may be there by now
            if any(finding.failure in ("NameError", "Missing") for finding in verdict.findings):
                again = judge(checks[name], kernel, assignment.points_of[name], _seed(whole, name))
                verdicts[name] = max(verdict, again, key=lambda one: one.score)
    for cell in notebook.cells:
        if name := _check_of(cell):
            cell.outputs = [_result(verdicts[name].score, as_html(verdicts[name]))]
    notebook.metadata[RECORD] |= {
        "verdicts": [as_record(verdict) for verdict in verdicts.values()],
        "stopped": list(dict.fromkeys(stopped)),
        "seconds": round(time.monotonic() - started, 2),
    }
    return [*verdicts.values()]


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
        if _check_of(cell):
            cell.outputs = [_result(0, f"<div><b>Not graded:</b> {escape(reason)}.</div>")]
    return notebook


def was_refused(graded: NotebookNode) -> bool:
    """Whether a graded notebook has a reason in place of verdicts."""
    return bool(record_of(graded)[0])


def _check_of(cell: NotebookNode) -> str:
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


def _result(points: float, html: str) -> NotebookNode:
    # nbgrader reads the points from the text of an execute_result; the verdict is in its HTML
    return nbformat.v4.new_output("execute_result", data={"text/plain": f"{points:g}", "text/html": html})


def _fingerprint(slug: str, student: str, notebook: NotebookNode) -> str:
    """A name for a hand-in that nobody knows before it is complete."""
    parts = [slug, student, [cell.source for cell in notebook.cells]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _seed(whole: str, name: str) -> int:
    """The same questions whenever the same hand-in is graded again.

    They depend on every character of it: answers looked up beforehand and written down in it change what is asked.
    """
    return int.from_bytes(hashlib.sha256(f"{whole}/{name}".encode()).digest()[:6])

"""Grade one rebuilt notebook: its cells run behind the wall, its checks out here."""

from __future__ import annotations

import hashlib
import json
import time

import nbformat
from nbformat import NotebookNode

from autograder.assignments import assignment_named
from autograder.checks import checks_of
from autograder.grading.graded import check_of, result_of
from autograder.grading.intake import LONG, RECORD
from autograder.judge.checking import Verdict, judge
from autograder.judge.verdict import as_html, as_record
from autograder.wall import Place
from autograder.wall.kernel import WalledKernel
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
            the metadata get the record of the verdicts (see :func:`autograder.grading.graded.verdict_record`).
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
            name = check_of(cell)
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
        if name := check_of(cell):
            cell.outputs = [result_of(verdicts[name].score, as_html(verdicts[name]))]
    notebook.metadata[RECORD] |= {
        "verdicts": [as_record(verdict) for verdict in verdicts.values()],
        "stopped": list(dict.fromkeys(stopped)),
        "seconds": round(time.monotonic() - started, 2),
    }
    return [*verdicts.values()]


def _fingerprint(slug: str, student: str, notebook: NotebookNode) -> str:
    """A name for a hand-in that nobody knows before it is complete."""
    parts = [slug, student, [cell.source for cell in notebook.cells]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _seed(whole: str, name: str) -> int:
    """The same questions whenever the same hand-in is graded again.

    They depend on every character of it: answers looked up beforehand and written down in it change what is asked.
    """
    return int.from_bytes(hashlib.sha256(f"{whole}/{name}".encode()).digest()[:6])

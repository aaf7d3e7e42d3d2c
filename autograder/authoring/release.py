"""From the text of a solution to the notebook that learners get.

``solutions/NN_name/NN_name.py`` is the source of truth, a py:percent script. Its cells carry short marks:
``solution="f"`` where learners write f, ``check="f"`` where it is checked, ``answer="q"`` where they answer a question
that a person grades (in Markdown or code), ``box=true`` where the table of assignments speaks, ``setup=true`` where the
course is installed if need be. ``long=true`` stands on code that only shows something: grading leaves it out.
``picture="p"`` keeps what a cell draws as the picture to compare with (:mod:`autograder.authoring.pictures`); Markdown
shows it as ``![what is seen](attachment:p.png)``. ``[text](book:02_bound#kl-divergence)`` leads to a section of the
book. Here the marks become nbgrader's metadata, and nbgrader's own generate_assignment makes the release.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory

from autograder.addresses import BOOK, LINKS_ARE_TEXTS, badges, in_book, setup_code
from autograder.assignments import Assignment
from autograder.grading.gradebook import course_config
from autograder.grading.intake import LONG
from vae_ref.errors import CourseError

PICTURES = "pictures"  # beside an assignment's text
BOOK_LINK = re.compile(r"\]\(book:(\w+)(?:#([\w-]+))?\)")
ATTACHMENT = re.compile(r"\(attachment:([\w-]+\.png)\)")


def notebook_of(assignment: Assignment, text: str, pictures: Path | None = None) -> NotebookNode:
    """The solution notebook with nbgrader's metadata, the same for the same text.

    Args:
        assignment: which one.
        text: its source.
        pictures: folder of the pictures to compare with; None leaves them out.

    Raises:
        CourseError: a cell asks for something the table does not know, or something the table knows is missing.
    """
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata.pop("jupytext", None)
    # what Jupyter writes when a notebook is saved, so that opening a release changes nothing
    notebook.metadata["language_info"] = {"name": "python"}
    written: dict[str, list[str]] = {"solution": [], "check": [], "answer": []}
    for position, cell in enumerate(notebook.cells):
        marks, cell.metadata = dict(cell.metadata), NotebookNode()
        if marks.get("box"):
            cell.source = box(assignment)
        if marks.get("setup"):
            cell.source = setup_code()
        if marks.get("long"):
            cell.metadata["tags"] = [LONG]
        if cell.cell_type == "markdown":
            cell.source = BOOK_LINK.sub(lambda link: f"]({in_book(link[1], link[2] or '')})", cell.source)
            if pictures is not None:
                _attach(cell, pictures)
        for kind in written:
            if kind in marks:
                name = marks[kind]
                written[kind].append(name)
                cell.metadata["nbgrader"] = _nbgrader(assignment, kind, name)
        cell.id = _cell_id(cell, position)
    for kind, names in written.items():
        if names != list(_asked_for(assignment, kind)):
            asked = ", ".join(_asked_for(assignment, kind)) or "nothing"
            raise CourseError(
                f"{assignment.slug}: the cells marked {kind} are for {', '.join(names) or 'nothing'}, "
                f"the table of assignments asks for {asked}; make the two agree"
            )
    nbformat.validate(notebook)
    return notebook


def _attach(cell: NotebookNode, pictures: Path) -> None:
    """Put the pictures that a cell shows into it, so that it shows them wherever the notebook goes."""
    for name in ATTACHMENT.findall(cell.source):
        path = pictures / name
        if not path.is_file():
            raise CourseError(f"there is no picture {path}: make it with autograder pictures")
        cell.setdefault("attachments", {})[name] = {"image/png": base64.b64encode(path.read_bytes()).decode()}


def _asked_for(assignment: Assignment, kind: str) -> Mapping[str, int]:
    return assignment.answers if kind == "answer" else assignment.points_of


def _nbgrader(assignment: Assignment, kind: str, name: str) -> dict[str, object]:
    points_of = _asked_for(assignment, kind)
    if name not in points_of:
        raise CourseError(
            f"{assignment.slug}: a cell is marked {kind}={name!r}, which the table of assignments lacks"
        )
    metadata: dict[str, object] = {
        "schema_version": 3,
        "grade_id": name if kind == "solution" else f"{kind}_{name}",
        "grade": kind != "solution",
        "solution": kind != "check",  # both: nbgrader leaves the points to a person
        "locked": kind == "check",
        "task": False,
    }
    if kind != "solution":
        metadata["points"] = points_of[name]
    return metadata


def _cell_id(cell: NotebookNode, position: int) -> str:
    """An id that stays when other cells change."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    if grade_id:
        return str(grade_id)
    return hashlib.sha256(f"{position}\n{cell.source}".encode()).hexdigest()[:12]


def box(assignment: Assignment) -> str:
    """The Markdown at the top of an assignment."""
    goals = "\n".join(f"* {goal};" for goal in assignment.objectives).removesuffix(";") + "."
    before = (
        f"exercises before {assignment.number:02d}"
        if assignment.number > 1
        else "Python and a little PyTorch"
    )
    needs = f"{before}; {assignment.prerequisites}" if assignment.prerequisites else before
    lines = [
        f"# Exercise {assignment.number:02d} · {assignment.title}",
        badges(assignment.slug),
        f"**{assignment.points} points · about {assignment.minutes} minutes · "
        f"difficulty {'●' * assignment.difficulty}{'○' * (5 - assignment.difficulty)}**",
        f"Read beside [chapter {assignment.number} of the book]({in_book(assignment.slug)}). You need: {needs}.",
        f"When you are done, you can\n\n{goals}",
        "Run the cells from top to bottom: each needs those before it. Every check tells what it found, as often as "
        "you like; `check(name, hint=1)` gives a hint, and there are three. Neither costs points."
        + ("" if BOOK else LINKS_ARE_TEXTS),
    ]
    return "\n\n".join(line for line in lines if line)


def text_of(assignment: Assignment, sources: Path) -> Path:
    """The source of an assignment in the folder of all solutions' texts.

    Raises:
        CourseError: it is not there, as in a course that was installed without its repository.
    """
    path = sources / assignment.slug / f"{assignment.slug}.py"
    if not path.is_file():
        raise CourseError(
            f"{path} is missing: give the command in the folder of the course's repository, or name its "
            "folder solutions with --sources"
        )
    return path


def release(assignment: Assignment, text_file: Path, course: Path) -> Path:
    """Make the release with nbgrader, from text, in a course folder.

    Args:
        assignment: which one.
        text_file: its source.
        course: an nbgrader course; the solution notebook is written to its source folder.

    Returns:
        The released notebook.

    Raises:
        CourseError: the source is at odds with the table, or nbgrader refuses it.
    """
    config = course_config(course)
    coursedir = CourseDirectory(config=config, root=str(course.resolve()))
    source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment.slug)).resolve()
    source.mkdir(parents=True, exist_ok=True)
    pictures = text_file.parent / PICTURES
    notebook = notebook_of(assignment, text_file.read_text(encoding="utf-8"), pictures)
    nbformat.write(notebook, source / f"{assignment.slug}.ipynb")
    outcome = NbGraderAPI(coursedir, config=config).generate_assignment(assignment.slug, force=True)
    if not outcome["success"]:
        said = outcome.get("log") or outcome.get("error")
        raise CourseError(f"nbgrader could not release {assignment.slug}:\n{said}")
    folder = Path(coursedir.format_path(coursedir.release_directory, ".", assignment.slug)).resolve()
    return folder / f"{assignment.slug}.ipynb"

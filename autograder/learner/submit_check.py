"""Whether a hand-in would be accepted: the grader's own intake, asked before the deadline. Nothing is run or sent."""

from __future__ import annotations

import ast
import os
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from autograder.assignments import RELEASED, Assignment
from autograder.grading.intake import LONG, Intake, Refused, grade_ids_in, take_in, take_in_file
from autograder.learner.starting import released_notebook
from vae_ref.errors import CourseError

SLUGS = {assignment.slug: assignment for assignment in RELEASED}


@dataclass(frozen=True)
class Look:
    """What the grader would say about one hand-in.

    Attributes:
        name: of the assignment, or of the file if it belongs to none.
        path: what would be handed in.
        refused: why it would be refused; empty if it would be accepted.
        warnings: what is unfinished or out of place, a sentence each.
        begun: whether anything is written in it.
    """

    name: str
    path: Path
    refused: str = ""
    warnings: tuple[str, ...] = ()
    begun: bool = True


def look_at(path: Path) -> list[Look]:
    """Look at a notebook; at a hand-in, a folder named like its assignment; or at all of them in a folder.

    Raises:
        CourseError: there is nothing that could be handed in.
    """
    if path.is_dir():
        return _look_into(path)
    if not os.path.lexists(path):
        raise CourseError(f"there is no {path}: name a notebook, or the folder with yours")
    if path.suffix != ".ipynb":
        raise CourseError(f"{path} is no notebook: what is handed in ends in .ipynb, as 02_bound.ipynb does")
    return [_look_at_file(path)]


def as_text(found: list[Look]) -> str:
    """A line for each hand-in, its warnings below, and the sum."""
    lines = []
    for one in found:
        if one.refused:
            lines.append(f"✗ {one.name} would be refused: {one.refused} ({one.path})")
        elif not one.begun:
            lines.append(f"○ {one.name} is not begun ({one.path})")
        else:
            lines.append(f"{'!' if one.warnings else '✓'} {one.name} would be accepted ({one.path})")
        lines += [f"    {text}" for text in one.warnings]
    refused = sum(bool(one.refused) for one in found)
    idle = sum(not one.begun and not one.refused for one in found)
    lines.append(f"{len(found) - refused - idle} would be accepted, {refused} refused, {idle} not begun.")
    return "\n".join(lines)


def _look_into(folder: Path) -> list[Look]:
    name = folder.resolve().name
    if name in SLUGS:
        return [_look_at_hand_in(folder, SLUGS[name])]
    found = [_look_at_hand_in(folder / slug, a) for slug, a in SLUGS.items() if (folder / slug).is_dir()]
    found += [_look_at_file(path) for path in sorted(folder.glob("*.ipynb"))]
    for path in sorted(folder.glob("*/*.ipynb")):
        if path.parent.name not in SLUGS and not path.parent.name.startswith("."):
            found.append(_look_at_file(path, in_wrong_folder=True))
    if not found:
        raise CourseError(f"{folder} holds no notebook of an exercise: name one, or the folder with yours")
    return found


def _look_at_hand_in(folder: Path, assignment: Assignment) -> Look:
    """A folder as it would be handed in."""
    path = folder / f"{assignment.slug}.ipynb"
    skeleton = _released(assignment)
    # whether the way to the folder has links on this machine is nothing to the grader
    intake = take_in(folder.parent.resolve() / folder.name, skeleton, path.name)
    return _look(assignment, path, skeleton, intake, [])


def _look_at_file(path: Path, in_wrong_folder: bool = False) -> Look:
    """A notebook that would be handed in alone."""
    try:
        written_for = _assignment_of(grade_ids_in(path))
    except Refused as refusal:
        return Look(path.stem if path.stem in SLUGS else path.name, path, refused=str(refusal))
    assignment = SLUGS.get(path.stem, written_for)
    if assignment is None:
        known = f"{RELEASED[0].slug}.ipynb to {RELEASED[-1].slug}.ipynb"
        return Look(path.name, path, refused=f"it is no exercise of this course; those are {known}")
    notes = []
    if path.stem != assignment.slug:
        notes.append(f"Name it {assignment.slug}.ipynb: by its name the grader knows it.")
    elif written_for not in (assignment, None):
        notes.append(f"It has the cells of {written_for.slug}: is it the right notebook?")
    if in_wrong_folder:
        notes.append(f"If you hand in its folder, name that {assignment.slug}.")
    skeleton = _released(assignment)
    return _look(assignment, path, skeleton, take_in_file(path, skeleton), notes)


def _assignment_of(grade_ids: set[str]) -> Assignment | None:
    """The assignment that most of the cells belong to."""
    shared = {slug: len(grade_ids & {*assignment.points_of}) for slug, assignment in SLUGS.items()}
    best = max(shared, key=lambda slug: shared[slug])
    return SLUGS[best] if shared[best] else None


def _released(assignment: Assignment) -> NotebookNode:
    return nbformat.read(released_notebook(assignment.slug), as_version=4)


def _look(
    assignment: Assignment, path: Path, skeleton: NotebookNode, intake: Intake, notes: list[str]
) -> Look:
    if intake.refused:
        return Look(assignment.slug, path, refused=intake.refused)
    sources = [cell.source for cell in skeleton.cells]
    begun = [cell.source for cell in intake.notebook.cells] != sources
    if begun:
        notes += [f"{note[0].upper()}{note[1:]}." for note in intake.notes]
        notes += _unfinished(assignment, skeleton, intake.notebook)
    return Look(assignment.slug, path, warnings=tuple(notes), begun=begun)


def _unfinished(assignment: Assignment, skeleton: NotebookNode, rebuilt: NotebookNode) -> Iterator[str]:
    """What the learner might not know of, a sentence each."""
    released = {_grade_id(cell): cell.source for cell in skeleton.cells}
    defined: set[str] = set()
    unwritten: list[str] = []
    broken: list[str] = []
    for cell in rebuilt.cells:
        name = _grade_id(cell)
        if cell.cell_type == "code" and LONG not in cell.metadata.get("tags", []):
            code = TransformerManager().transform_cell(cell.source)
            if problem := _not_python(code):
                whose = f"of {name}" if name else f"that begins “{cell.source.strip().splitlines()[0][:60]}”"
                broken.append(f"The cell {whose} is not Python: {problem}.")
                defined.add(name)
                continue
            defined |= _names_in(code)
            if cell.metadata.get("nbgrader", {}).get("solution") and _is_stub(code):
                unwritten.append(name)
        elif cell.source.strip() in (released.get(name, "").strip(), "") and name.startswith("answer_"):
            unwritten.append(name)
    if unwritten:
        yield f"Not written yet: {', '.join(name.removeprefix('answer_') for name in unwritten)}."
    yield from broken
    if unnamed := [name for name in assignment.points_of if name not in defined]:
        yield f"Nothing in it is named {' or '.join(unnamed)}, so the check of that name finds nothing."


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _not_python(code: str) -> str:
    """What is wrong with the source of a cell, in the words of Python; empty if it can be run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"{error.msg}, in its line {error.lineno}" if error.lineno else str(error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__
    return ""


def _names_in(code: str) -> set[str]:
    """The names that a cell gives to anything."""
    table = symtable.symtable(code, "cell", "exec")
    return {name.get_name() for name in table.get_symbols() if name.is_assigned() or name.is_imported()}


def _is_stub(code: str) -> bool:
    """Whether something in the cell still says that it is not written."""
    raised = (node.exc for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Raise))
    kinds = (exc.func if isinstance(exc, ast.Call) else exc for exc in raised)
    return any(isinstance(kind, ast.Name) and kind.id == "NotImplementedError" for kind in kinds)

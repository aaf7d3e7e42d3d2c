"""Rebuild a hand-in from the released notebook and the learner's own cells, or say why that is not possible.

Nothing of a submitted notebook is kept but the sources of its cells: solution cells are recognised by their grade_id,
cells that the release does not have are the learner's own and run as plain code. So metadata that were damaged, turned
around or forged have no effect, and a file beside the notebook is never looked at.
"""

from __future__ import annotations

import copy
import errno
import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.both_sides.text import printable

MAX_NOTEBOOK_BYTES = 20 * 2**20
MAX_CELLS = 1000
MAX_LISTS = 500_000  # and objects, in the whole file: each takes a hundred times the memory of its bracket
MAX_SOURCE_CHARACTERS = 200_000  # of all cells together
FIRST_YEAR, LAST_YEAR = 2000, 2200  # of times of hand-in
# Windows, where learners look at their own files, knows only the last one
OPEN = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)
_TIME = re.compile(r"[0-9T:. +-]{1,40}([A-Za-z]{1,5})?")
RECORD = "autograder"  # key of the notebook's metadata under which intake says what it did
# nobody's mistake beside a notebook: nbgrader's time of hand-in, and what Jupyter and Python make by themselves
EXPECTED = ("timestamp.txt", ".ipynb_checkpoints", "__pycache__")
LONG = "not-run-when-graded"  # tag of cells that only show something


@dataclass(frozen=True)
class Intake:
    """A notebook that is safe to pass on, and what happened to it."""

    notebook: NotebookNode
    refused: str = ""  # why the learner's work could not be taken over
    notes: tuple[str, ...] = ()  # what was left out


class Refused(Exception):
    """The hand-in cannot be read; the message says why."""


def take_in(folder: Path, skeleton: NotebookNode, name: str) -> Intake:
    """Rebuild the hand-in in ``folder``.

    Args:
        folder: what one learner handed in; nothing in it is trusted.
        skeleton: the released notebook.
        name: file name that the notebook should have.
    """
    notes = []
    try:
        path, note = _find(folder, name)
        notes += [note] if note else []
        submitted = _parse(_read(path, MAX_NOTEBOOK_BYTES))
        strays = [_shown(n) for n in _names_in(folder) if n not in (path.name, *EXPECTED)]
    except Refused as refusal:
        return _refusal(refusal, skeleton)
    if strays:
        notes.append(f"left out, because only the notebook is graded: {', '.join(strays[:10])}")
    return _rebuilt(submitted, skeleton, notes)


def take_in_file(path: Path, skeleton: NotebookNode) -> Intake:
    """Rebuild a hand-in that is a notebook alone, whatever its name; arguments as for :func:`take_in`."""
    try:
        return _rebuilt(_parse(_read(path, MAX_NOTEBOOK_BYTES)), skeleton, [])
    except Refused as refusal:
        return _refusal(refusal, skeleton)


def grade_ids_in(path: Path) -> set[str]:
    """The ids that the cells of a notebook carry, by which an assignment is told from another.

    Raises:
        Refused: the notebook cannot be read.
    """
    return {cell["grade_id"] for cell in _parse(_read(path, MAX_NOTEBOOK_BYTES))}


def _refusal(refusal: Refused, skeleton: NotebookNode) -> Intake:
    return Intake(_marked(copy.deepcopy(skeleton), str(refusal), ()), str(refusal))


def _rebuilt(submitted: list[dict[str, Any]], skeleton: NotebookNode, notes: list[str]) -> Intake:
    rebuilt, missing = _transplant(submitted, skeleton)
    if missing:
        notes.append(f"not found in the notebook: the cells for {', '.join(missing)}")
    return Intake(_marked(rebuilt, "", tuple(notes)), "", tuple(notes))


def record_of(notebook: NotebookNode) -> tuple[str, list[str]]:
    """The reason for a refusal and the notes that :func:`take_in` left in a rebuilt notebook."""
    record = notebook.metadata.get(RECORD, {})
    return str(record.get("refused", "")), [str(note) for note in record.get("notes", [])]


def hand_in_time(folder: Path) -> tuple[datetime | None, str]:
    """The time in ``timestamp.txt`` in UTC without a zone, and what is wrong with it if it cannot be used."""
    # only here: learners, who ask whether a hand-in would be accepted, need not have nbgrader
    from nbgrader.utils import parse_utc

    path = folder / "timestamp.txt"
    if not os.path.lexists(path):
        return None, ""
    try:
        text = _read(path, 200).decode().strip()
        # what parse_utc takes for the name of a time zone it looks for among files; after a space it takes +0100 for
        # a hundred seconds
        time = parse_utc(re.sub(r" (?=[+-]\d)", "", text)) if _TIME.fullmatch(text) else None
    except (Refused, ValueError, ArithmeticError, TypeError, AttributeError, LookupError):
        time = None
    if time is None or not FIRST_YEAR <= time.year <= LAST_YEAR:
        return None, "its time of hand-in cannot be read and was left out"
    return time, ""


def _find(folder: Path, name: str) -> tuple[Path, str]:
    """The notebook of a hand-in, and a note if it does not have the right name."""
    if folder.is_symlink() or folder.parent.is_symlink():
        raise Refused("the folder is a link to another place; hand in the notebook itself")
    names = _names_in(folder)
    if name in names:
        return folder / name, ""
    others = [other for other in names if other.endswith(".ipynb")]
    if len(others) == 1:
        return folder / others[
            0
        ], f"the notebook was taken from {_shown(others[0])}; it should be named {name}"
    found = f"found {', '.join(map(_shown, others[:5]))}" if others else "there is no notebook at all"
    raise Refused(f"no notebook named {name}: {found}")


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise Refused(f"{_shown(folder.name)} is not a folder that can be read ({error.strerror})") from None


def _read(path: Path, max_bytes: int) -> bytes:
    """The content of a plain file, never through a link."""
    try:
        if path.is_symlink():  # where the system has no O_NOFOLLOW
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        handle = os.open(path, OPEN)
    except OSError as error:
        if path.is_symlink():
            raise Refused(f"{_shown(path.name)} is a link to another file; hand in the file itself") from None
        raise Refused(f"{_shown(path.name)} cannot be opened ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused(f"{_shown(path.name)} is not a file")
    with os.fdopen(handle, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise Refused(
            f"{_shown(path.name)} has more than {max_bytes:,} bytes: clear its outputs and save it again"
        )
    return content


def _parse(content: bytes) -> list[dict[str, Any]]:
    """The cells of a notebook, as plain dictionaries of text."""
    if not content.strip():
        raise Refused("the notebook file is empty")
    if content.count(b"[") + content.count(b"{") > MAX_LISTS:
        raise Refused(
            f"the notebook has more than {MAX_LISTS:,} brackets: clear its outputs and save it again"
        )
    try:
        tree = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refused("the notebook is not UTF-8 text; save it again from Jupyter") from None
    except json.JSONDecodeError as error:
        raise Refused(
            f"the file is not a notebook: its JSON breaks off or is damaged in line {error.lineno}; "
            "open it in Jupyter and save it again"
        ) from None
    except (RecursionError, ValueError):
        raise Refused(
            "the file is not a notebook: its JSON is nested too deeply or has impossible numbers"
        ) from None
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list):
        raise Refused(
            "the file is not a notebook of format 4: it has no list of cells; save it again from Jupyter"
        )
    if len(cells) > MAX_CELLS:
        raise Refused(f"the notebook has {len(cells):,} cells; at most {MAX_CELLS:,} are read")
    parsed = [_plain(cell) for cell in cells if isinstance(cell, dict)]
    if sum(len(cell["source"]) for cell in parsed) > MAX_SOURCE_CHARACTERS:
        raise Refused(f"the cells hold more than {MAX_SOURCE_CHARACTERS:,} characters of source")
    return parsed


def _plain(cell: dict[str, Any]) -> dict[str, Any]:
    """Kind, id, grade_id and source of a cell, each a string whatever stood there."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return {
        "code": cell.get("cell_type") == "code",
        "id": cell.get("id") if isinstance(cell.get("id"), str) else "",
        "grade_id": grade_id if isinstance(grade_id, str) else "",
        "source": printable(source).replace("\r\n", "\n") if isinstance(source, str) else "",
    }


def _shown(name: str) -> str:
    """A file name that is safe to print, to store and to show on a page."""
    return re.sub(r"[^\w .()+-]", "?", name.encode("utf-8", "replace").decode())[:80]


def _transplant(submitted: list[dict[str, Any]], skeleton: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The skeleton with the learner's solutions and the learner's own cells, and the solutions that were missing."""
    rebuilt = copy.deepcopy(skeleton)
    place = {cell.id: i for i, cell in enumerate(rebuilt.cells)}
    place_of_grade_id = {_grade_id(c): i for i, c in enumerate(rebuilt.cells) if _grade_id(c)}
    place_of_source = {c.source: i for i, c in enumerate(rebuilt.cells)}
    own: dict[
        int, list[NotebookNode]
    ] = {}  # position in the skeleton → the learner's own cells that follow it
    filled: set[int] = set()
    last = -1
    for cell in submitted:
        here = place_of_grade_id.get(
            cell["grade_id"], place.get(cell["id"], place_of_source.get(cell["source"]))
        )
        if here is None or (here in filled and _is_solution(rebuilt.cells[here])):
            # a second cell with the same grade_id is a copy that the learner made: it runs like any other code
            if cell["code"] and cell["source"].strip():
                own.setdefault(last, []).append(nbformat.v4.new_code_cell(cell["source"]))
            continue
        last = max(last, here)
        filled.add(here)
        if _is_solution(rebuilt.cells[here]):
            rebuilt.cells[here].source = cell["source"]
    missing = [
        gid for gid, i in place_of_grade_id.items() if _is_solution(rebuilt.cells[i]) and i not in filled
    ]
    for grade_id in missing:
        cell = rebuilt.cells[place_of_grade_id[grade_id]]
        if cell.cell_type == "code":  # a missing answer in words stays as released: nbgrader knows it as none
            # the released stub would come after the learner's own definition, wherever that is, and undo it
            cell.source = "# this cell was not in the notebook that was handed in"
    cells = list(own.get(-1, []))
    for i, cell in enumerate(rebuilt.cells):
        cells += [cell, *own.get(i, [])]
    for number, cell in enumerate(c for group in own.values() for c in group):
        cell.id = f"own-{number}"
    rebuilt.cells = cells
    return rebuilt, missing


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _is_solution(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution", False))


def _marked(notebook: NotebookNode, refused: str, notes: tuple[str, ...]) -> NotebookNode:
    notebook.metadata[RECORD] = {"refused": refused, "notes": list(notes)}
    return notebook

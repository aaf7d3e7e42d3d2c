"""A learner's folder: the released exercises are copied into it, and nothing that a learner has changed is replaced."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from autograder.addresses import BOOK, LINKS_ARE_TEXTS
from autograder.assignments import RELEASED, Assignment
from autograder.learner.folder import MARK
from vae_ref.errors import CourseError
from vae_ref.files import write_atomically, write_text

COPIED = "copied.json"
LINK = re.compile(r"\[([^\[\]]+)\]\(\.\./\.\./book/(\d+)_\w+\.md(?:#([\w-]+))?\)")

NEW = "new"
SAME = "there already, as released"
RENEWED = "renewed: you had not changed it"
YOURS = "yours, left alone"
OUTDATED = "yours, left alone; there is a newer release: rename yours and start again to have both"


def released_notebook(slug: str) -> Path:
    """The released notebook of an assignment: in the installed package, or beside the package in a checkout.

    Raises:
        CourseError: it is in neither.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "exercises", package.parent / "exercises"):
        if (path := folder / slug / f"{slug}.ipynb").is_file():
            return path
    raise CourseError(
        f"the notebook of {slug} did not come with this installation: install the course again, as its README says"
    )


def start(folder: Path) -> Iterator[tuple[str, str]]:
    """Copy the exercises that are missing, and renew those that the learner has not changed.

    Args:
        folder: the learner's; it is made if needed.

    Yields:
        The path of each notebook below ``folder``, and what became of it.

    Raises:
        CourseError: something cannot be read or written.
    """
    copied = _copied(folder)
    for assignment in RELEASED:
        place = f"{assignment.slug}/{assignment.slug}.ipynb"
        released = released_notebook(assignment.slug).read_bytes()
        fresh = _for_learners(released, assignment, folder)
        there = _read(folder / place)
        before = copied.get(assignment.slug, {})
        same = there is not None and _digest(there) == _digest(fresh)
        if there is None or (not same and _digest(there) == before.get("written")):
            write_atomically(folder / place, lambda file, content=fresh: file.write(content))  # type: ignore[misc]
            what = NEW if there is None else RENEWED
        elif same:
            what = SAME
        else:
            what = OUTDATED if before and before.get("released") != _digest(released) else YOURS
        if what not in (YOURS, OUTDATED):
            copied[assignment.slug] = {"released": _digest(released), "written": _digest(fresh)}
        write_text(folder / MARK / COPIED, json.dumps(copied, indent=1) + "\n")
        yield place, what


def _copied(folder: Path) -> dict[str, dict[str, str]]:
    """What was copied before, by assignment; whatever cannot be understood counts as the learner's."""
    try:
        found = json.loads((folder / MARK / COPIED).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {slug: entry for slug, entry in entries if isinstance(entry, dict)}


def _read(path: Path) -> bytes | None:
    """What a file holds; None if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}): move it away or choose another folder"
        ) from None


def _for_learners(released: bytes, assignment: Assignment, folder: Path) -> bytes:
    """A notebook whose links to the book lead somewhere, or say in words where to look."""
    if BOOK or (folder.resolve().parent / "book" / f"{assignment.slug}.md").is_file():
        return released
    notebook = json.loads(released)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = LINK.sub(_in_words, "".join(cell["source"])).replace(LINKS_ARE_TEXTS, "")
            cell["source"] = text.splitlines(keepends=True)
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _in_words(link: re.Match[str]) -> str:
    text, chapter, section = link.groups()
    return f"{text} [chapter {int(chapter)}, “{section.replace('-', ' ')}”]" if section else text


def _digest(content: bytes) -> str:
    """A name for what a person wrote in a notebook: opening, running and saving it in Jupyter does not change that."""
    try:
        cells = nbformat.reads(content.decode(), as_version=4).cells
        content = json.dumps([[cell.id, cell.cell_type, cell.source] for cell in cells]).encode()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, nbformat.ValidationError):
        pass  # no notebook of ours: its bytes count
    return hashlib.sha256(content).hexdigest()

"""Released notebooks as pages of the book: beside their chapters, with links that lead to each other."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from autograder.addresses import badges, in_book
from autograder.assignments import Assignment

_PAGE, _LABEL = "\0page\0", "\0label\0"
# a link into the book, as a release has it
LINK = re.compile(
    r"\]\("
    + re.escape(in_book(_PAGE, _LABEL))
    .replace(re.escape(_PAGE), r"(\w+)")
    .replace(re.escape(f"#{_LABEL}"), r"(?:#([\w-]+))?")
    + r"\)"
)
# a picture from another host that is a link, as releases have it: [![Open in Colab](picture)](address)
BADGE = re.compile(r"\[!\[([^\]]*)\]\([^)]*\)\]\(([^)]*)\)[ \t]*")
HEADING = re.compile(r"^#+ ", re.MULTILINE)
# a line of words after an empty one: neither HTML, nor a picture, a formula, a table or a list
PARAGRAPH = re.compile(r"(?:\A|(?<=\n\n))(?=[\w(\[]|\*\*)")


def write_label(name: str) -> str:
    """The label of the place in an exercise where something is written."""
    return f"write-{name.lower().replace('_', '-')}"


def launch_links(assignment: Assignment) -> list[str]:
    """Links that open the notebook elsewhere, in Markdown; none while the course has no address.

    The badges of the release are pictures from other hosts, and no page of the book asks another host for anything.
    """
    return [f"[{text}]({address})" for text, address in BADGE.findall(badges(assignment.slug))]


def _tools(assignment: Assignment) -> str:
    """The box that takes the exercise to where it can be worked on."""
    notebook = f"{assignment.slug}.ipynb"
    links = [f"{{download}}`Download the notebook <../../exercises/{assignment.slug}/{notebook}>`"]
    links += launch_links(assignment)
    return (
        "```{admonition} Work on it\n:class: exercise-tools\n\n"
        f"{' · '.join(links)} · [Back to the chapter](../{assignment.slug}.md)\n\n"
        "This page shows the notebook as learners get it; cells run in the notebook, not here.\n```"
    )


def exercise_page(notebook: str, assignment: Assignment) -> tuple[str, dict[str, bytes]]:
    """A released notebook as a page of the book.

    Args:
        notebook: its file's content.
        assignment: which one it is.

    Returns:
        The page, with a title if its first heading is a lower one, a box to download and open it, labels where
        something is to be written, and links as the book has them; and the pictures beside it by their names.
    """
    content = json.loads(notebook)
    cells = content["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    markdown = [cell for cell in cells if cell["cell_type"] == "markdown"]
    first = next(
        (line for cell in markdown for line in cell["source"].splitlines() if line.startswith("#")), ""
    )
    if not first.startswith("# "):
        title = f"# Exercise {assignment.number}: {assignment.title}"
        cells.insert(0, {"cell_type": "markdown", "id": "title", "metadata": {}, "source": title})
    _label_cells(cells)
    pictures = {}
    for cell in markdown:
        cell["source"] = BADGE.sub("", cell["source"])
        cell["source"] = LINK.sub(_in_the_book, cell["source"])
        for name, data in cell.pop("attachments", {}).items():
            file = f"{assignment.slug}-{name}"
            pictures[file] = base64.b64decode(data["image/png"])
            cell["source"] = cell["source"].replace(f"(attachment:{name})", f"(pictures/{file})")
    first_cell = cells[0]
    heading, rest = first_cell["source"].partition("\n")[::2]
    first_cell["source"] = f"{heading}\n\n{_tools(assignment)}\n{rest}".rstrip()
    return json.dumps(content, ensure_ascii=False, indent=1), pictures


def _in_the_book(link: re.Match[str]) -> str:
    page, label = link.groups()
    return f"](#{label})" if label else f"](../{page}.md)"


def _label_cells(cells: list[dict[str, Any]]) -> None:
    """Put a label before the text that asks for each thing to write: its last heading, or else its beginning."""
    asking = None
    for cell in cells:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "markdown" and not about:
            asking = cell
        elif about.get("solution") and not about.get("grade") and asking is not None:
            places = [*HEADING.finditer(asking["source"])] or [*PARAGRAPH.finditer(asking["source"])]
            place = places[-1].start()
            text, label = asking["source"], f"({write_label(about['grade_id'])})=\n"
            asking["source"] = text[:place] + label + text[place:]

"""Say in the margin of a section what is written about it in the exercise, with a link there.

Which section belongs to what is said once, by the checks. build.py writes it down for this extension: loading all
checks here as well would take seconds of each build.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from exercise_pages import write_label
from sphinx.application import Sphinx

SECTION = re.compile(r"^\(([\w-]+)\)=\n(#+ .*\n)", re.MULTILINE)
THINGS_TO_WRITE = Path(__file__).resolve().parents[1] / "_generated" / "things_to_write.json"


@functools.cache
def things_to_write() -> dict[str, dict[str, list[str]]]:
    """Names of what is written in each exercise, by the label of the section that explains it."""
    things: dict[str, dict[str, list[str]]] = json.loads(THINGS_TO_WRITE.read_text(encoding="utf-8"))
    return things


def add_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the margin notes to a chapter's text before it is parsed."""
    things = things_to_write().get(page, {})

    def with_note(heading: re.Match[str]) -> str:
        names = things.get(heading[1], [])
        links = ", ".join(f"[`{name}`](#{write_label(name)})" for name in names)
        return heading[0] + (f"\n```{{margin}} Exercise\nWrite {links}\n```\n\n" if names else "")

    source[0] = SECTION.sub(with_note, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

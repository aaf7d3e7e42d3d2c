"""Say in the margin of a section what is written about it in the exercise, with a link there.

Which section belongs to what is said once, by the checks.
"""

from __future__ import annotations

import re

from exercise_pages import write_label
from sphinx.application import Sphinx

from autograder.assignments import RELEASED
from autograder.checks import checks_of

SECTION = re.compile(r"^\(([\w-]+)\)=\n(#+ .*\n)", re.MULTILINE)


def things_of_sections(slug: str) -> dict[str, list[str]]:
    """Names of what is written in an exercise, by the label of the section that explains it."""
    things: dict[str, list[str]] = {}
    for name, check in checks_of(slug).items():
        things.setdefault(check.section, []).append(name)
    return things


def add_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the margin notes to a chapter's text before it is parsed."""
    if page not in [assignment.slug for assignment in RELEASED]:
        return
    things = things_of_sections(page)

    def with_note(heading: re.Match[str]) -> str:
        names = things.get(heading[1], [])
        links = ", ".join(f"[`{name}`](#{write_label(name)})" for name in names)
        return heading[0] + (f"\n```{{margin}} Exercise\nWrite {links}\n```\n\n" if names else "")

    source[0] = SECTION.sub(with_note, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

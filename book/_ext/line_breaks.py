"""Where a line may break.

* Not between a formula or a number and a sign that belongs to it: neither a comma nor % begins a line, and no ±
  ends one.
* In a table also at the joints of a long name, so that no column needs the whole width for `sampler_spread`, and
  with a hyphen in the longest words of the course; not within the shape of a tensor.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

FORMULA = re.compile(
    r'(\(?)(<span class="math notranslate nohighlight">[^<]*</span>)((?:[.,;:!?)’”]|-th\b)*)'
)
TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
NAME = re.compile(r'(?<=<span class="pre">)[^<]+')
JOINT = re.compile(r"(?<=\w)[_/.](?=\w)|(?<=[a-z])(?=[A-Z])")
LONGEST = re.compile(
    r"((?<=reparameter)(?=ization)|(?<=reconstruc)(?=tions))(?=[^<>]*<)"
)  # not in an address
NUMBER = re.compile(r"(?<=\d) (?=%)|(?<= ±) (?=\d)")
SHAPE = re.compile(r'(<code class="[^"]*)(">(?:<span class="pre">[\w(),]{1,4}</span> ?){2,4}</code>)')


def with_breaks(body: str) -> str:
    """HTML whose formulas hold on to their signs, and whose names in tables may break."""

    def together(match: re.Match[str]) -> str:
        return f'<span class="together">{match[0]}</span>' if match[1] or match[3] else match[0]

    def jointed(table: re.Match[str]) -> str:
        text = SHAPE.sub(r"\1 together\2", LONGEST.sub("&shy;", table[0]))
        return NAME.sub(lambda name: JOINT.sub(r"\g<0><wbr>", name[0]), text)

    return TABLE.sub(jointed, FORMULA.sub(together, NUMBER.sub("\N{NO-BREAK SPACE}", body)))


def set_breaks(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Do so for a page of the book."""
    if doctree is not None and app.builder.name == "html":
        context["body"] = with_breaks(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", set_breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

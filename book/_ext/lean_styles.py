"""Leave rules out of style sheets that can match nothing in this book: four fifths of what the theme brings.

A rule stays if every class and id that it asks for is a word of some page or script. That errs on the side of staying:
a word of a script need not be a class.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from pathlib import Path

# what stands in quotes or in a url() may look like a brace or a comment
LITERAL = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|url\([^)\"']*\)|\\."
TOKEN = re.compile(rf"{LITERAL}|[{{}};]", re.DOTALL)
COMMENT = re.compile(rf"({LITERAL})|/\*.*?\*/", re.DOTALL)
WITH_RULES_INSIDE = ("@media", "@supports", "@layer", "@container")
# inside :not(), :is() and their like a name that does not occur does not keep the whole from matching
ALTERNATIVES = re.compile(r":[\w-]+\((?:[^()]|\([^()]*\))*\)")
NAME = re.compile(r"[.#]((?:[\w-]|[^\x00-\x7f]|\\.)+)")
WORD = re.compile(r"[\w-]+")
OTHERS = ("mathjax", "locales")  # folders below _static whose scripts bring their own styles, or none


def parts(css: str) -> Iterator[tuple[str, str | None]]:
    """The rules of a style sheet: what stands before the braces, and what inside; None for one that has no braces."""
    depth = start = opened = 0
    for token in TOKEN.finditer(css):
        mark = token[0]
        if mark == "{":
            depth += 1
            opened = token.start() if depth == 1 else opened
        elif mark == "}" and depth:
            depth -= 1
            if depth == 0:
                yield css[start:opened].strip(), css[opened + 1 : token.start()]
                start = token.end()
        elif mark == ";" and depth == 0:
            yield css[start : token.start()].strip(), None
            start = token.end()


def _split(selectors: str) -> list[str]:
    """Selectors at the commas between them, not at those in brackets."""
    found, depth, start = [], 0, 0
    for index, character in enumerate(selectors):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            found.append(selectors[start:index])
            start = index + 1
    return [*found, selectors[start:]]


def _may_match(selector: str, words: Set[str]) -> bool:
    names = NAME.findall(re.sub(r"\[[^\]]*\]", "", ALTERNATIVES.sub("", selector)))
    return all(re.sub(r"\\(.)", r"\1", name) in words for name in names)


def pruned(css: str, words: Set[str]) -> str:
    """A style sheet without the rules that can match nothing.

    Args:
        css: the style sheet.
        words: classes and ids that may occur.
    """
    kept = []
    for head, body in parts(COMMENT.sub(r"\1", css)):
        if body is None:
            kept.append(f"{head};" if head else "")
        elif head.startswith(WITH_RULES_INSIDE):
            inside = pruned(body, words)
            kept.append(f"{head}{{{inside}}}" if inside else "")
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        elif matching := [one.strip() for one in _split(head) if _may_match(one, words)]:
            kept.append(f"{','.join(matching)}{{{body}}}")
    return "\n".join(filter(None, kept))


def words_of(book: Path) -> set[str]:
    """All that may be a class or an id: words of the pages and of their scripts."""
    scripts = [
        script
        for script in (book / "_static").rglob("*.js")
        if script.relative_to(book / "_static").parts[0] not in OTHERS
    ]
    found: set[str] = set()
    for path in [*book.rglob("*.html"), *scripts]:
        found.update(WORD.findall(path.read_text(encoding="utf-8")))
    return found


def cut_styles(book: Path, own: Path) -> None:
    """Prune the style sheets of a finished book.

    Args:
        book: its folder.
        own: folder of the static files that were written for this book; these have no rule too many.
    """
    words = words_of(book)
    for path in (book / "_static").rglob("*.css"):
        if not (own / path.relative_to(book / "_static")).exists():
            path.write_text(pruned(path.read_text(encoding="utf-8"), words), encoding="utf-8")

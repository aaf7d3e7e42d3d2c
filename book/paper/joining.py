"""Join the finished pages of the book into one HTML page for printing.

What only works on a screen goes (buttons, downloads, folded code), what was folded to be found out opens (answers), and
every link that leads to another page of the book leads to its place on this one.
"""

from __future__ import annotations

import copy
import posixpath
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

ON_SCREEN_ONLY = (
    "script, style, form, input, canvas, button, a.headerlink, .page-downloads, .progress-mark, .progress-overview, "
    ".exercise-tools, .noprint, .screen-only, details.above-input, details.above-cell"
)
MATHJAX_SETTINGS = re.compile(r"window\.MathJax\s*=\s*(\{.*?\})\s*</script>", re.DOTALL)


# chapters and appendices with numbers or letters; sections of other pages are entries of a list, such as a glossary's
NUMBERED = re.compile(r"(?:\d+|[A-Z])\. ")


@dataclass
class Chapter:
    """A page of the book as a part of the printed one."""

    name: str  # such as "02_bound"
    part: str  # caption of the part that it opens, or ""
    title: str  # words only
    html: str
    sections: list[tuple[str, str]] = field(default_factory=list)  # anchor and title of each

    @property
    def anchor(self) -> str:
        """Where its beginning is on the printed page."""
        return anchor_of(self.name)


def anchor_of(page: str, identifier: str = "") -> str:
    """Where something that has an id on a page of the book is on the printed one."""
    place = page.replace("/", "-")
    return f"{place}--{identifier}" if identifier else place


def pages_of(toc: Path) -> list[tuple[str, str]]:
    """Names of all pages in reading order, each with the caption of the part that begins there."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    pages = [(contents["root"], "")]
    for part in contents["parts"]:
        caption = part.get("caption", "")
        for chapter in part["chapters"]:
            for page in (chapter, *chapter.get("sections", [])):
                pages.append((page["file"], caption))
                caption = ""
    return pages


def _goal(link: str, page: str, known: set[str]) -> str | None:
    """Where a link of a page leads on the printed page; itself if it leaves the book; None if it leads to no page."""
    parts = urlsplit(link)
    if parts.scheme:
        return link
    path = unquote(parts.path)
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else f"{page}.html"
    name = goal.removesuffix(".html")
    return f"#{anchor_of(name, unquote(parts.fragment))}" if name in known and goal != name else None


def _strip(article: Tag) -> None:
    for unwanted in article.select(ON_SCREEN_ONLY):
        unwanted.decompose()
    for folded in article.select("details"):
        folded["open"] = ""
    for image in article.select("img"):
        image.attrs.pop("loading", None)
    for element in article.select("[aria-labelledby], [aria-describedby], [tabindex]"):
        for name in ("aria-labelledby", "aria-describedby", "tabindex"):
            element.attrs.pop(name, None)


def _move_in(article: Tag, page: str, known: set[str]) -> None:
    """Make ids, links and pictures of a page those of the printed page."""
    for element in article.select("[id]"):
        element["id"] = anchor_of(page, str(element["id"]))
    for image in article.select("img[src]"):
        source = str(image["src"])
        if not urlsplit(source).scheme:
            image["src"] = posixpath.normpath(posixpath.join(posixpath.dirname(page), source))
    for link in article.select("a[href]"):
        goal = _goal(str(link["href"]), page, known)
        if goal is None:
            link.unwrap()
        else:
            link["href"] = goal


def _words(heading: Tag) -> str:
    return " ".join(heading.get_text(" ").split())


def _inner(heading: Tag) -> str:
    """HTML of a title without ids and links, to be shown a second time."""
    twin = copy.copy(heading)
    for link in twin.select("a"):
        link.unwrap()
    for element in twin.select("[id]"):
        del element["id"]
    return twin.decode_contents().strip()


def read_chapter(book: Path, name: str, part: str, known: set[str]) -> Chapter:
    """Read a page of the finished book.

    Args:
        book: its folder.
        name: the page.
        part: caption of the part that it opens, or "".
        known: names of all pages that will be printed.
    """
    soup = BeautifulSoup((book / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    if article is None:
        raise ValueError(f"{name}.html has no article: is {book} a book built here?")
    _strip(article)
    _move_in(article, name, known)
    heading = article.select_one("h1")
    sections = []
    for title in article.select("h2"):
        section = title.find_parent("section")
        if section is not None and section.get("id"):
            sections.append((str(section["id"]), _inner(title)))
    words = name if heading is None else _words(heading)
    return Chapter(name, part, words, article.decode_contents(), sections)


def contents_of(chapters: list[Chapter]) -> str:
    """The table of contents; the numbers of pages are filled in once they are known."""

    def row(anchor: str, title: str, kind: str) -> str:
        number = f'<span class="contents-number" data-anchor="{escape(anchor)}">000</span>'
        return f'<li class="{kind}"><a href="#{escape(anchor)}"><span>{title}</span>{number}</a></li>'

    rows = []
    for chapter in chapters:
        if chapter.part:
            rows.append(f'<li class="contents-part">{escape(chapter.part)}</li>')
        inner = chapter.name.startswith("_generated/")
        rows.append(
            row(chapter.anchor, escape(chapter.title), "contents-exercise" if inner else "contents-chapter")
        )
        if NUMBERED.match(chapter.title):
            rows += [row(anchor, title, "contents-section") for anchor, title in chapter.sections]
    return f'<nav id="contents"><h1>Contents</h1><ul>{"".join(rows)}</ul></nav>'


def running_heads(chapters: list[Chapter]) -> str:
    """Style that says at the top of each page which chapter it belongs to."""
    rules = []
    for index, chapter in enumerate(chapters):
        title = chapter.title.replace("\\", "").replace('"', "'")
        rules.append(f'@page chapter-{index} {{ @top-center {{ content: "{title}"; }} }}')
        rules.append(f'[id="{chapter.anchor}"] {{ page: chapter-{index}; }}')
    return "\n".join(rules)


def mathjax_settings(page: str) -> str:
    """What a page of the book tells MathJax."""
    match = MATHJAX_SETTINGS.search(page)
    return match[1] if match else "{}"


def join(book: Path, toc: Path, title: str, author: str) -> str:
    """The whole book as one page.

    Args:
        book: folder of the finished pages.
        toc: the table of contents, ``_toc.yml``.
        title: of the book.
        author: of the book.
    """
    pages = pages_of(toc)
    known = {name for name, _ in pages}
    chapters = [read_chapter(book, name, part, known) for name, part in pages]
    settings = next(
        (
            found
            for name, _ in pages
            if (found := mathjax_settings((book / f"{name}.html").read_text(encoding="utf-8"))) != "{}"
        ),
        "{}",
    )
    bodies = "\n".join(f'<div class="chapter" id="{c.anchor}">{c.html}</div>' for c in chapters)
    head, _, tail = title.partition(",")
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<meta name="author" content="{escape(author)}">
<link rel="stylesheet" href="_static/pygments.css">
<link rel="stylesheet" href="paper.css">
<style>{running_heads(chapters)}</style>
<script>window.MathJax = {settings}; MathJax.chtml = {{fontURL: "fonts"}};</script>
<script defer src="_static/mathjax/startup.js"></script>
</head>
<body>
<div id="cover">
<p class="cover-title">{escape(head)}</p>
<p class="cover-subtitle">{escape(tail.strip())}</p>
<img src="_static/paper-dogs.png" alt="Two rows of drawn dogs">
<p class="cover-author">{escape(author)}</p>
<p class="cover-note">On the web this book has figures to touch and code that is folded away. Here figures stand still,
folded code is left out, and the answers to questions follow them.</p>
</div>
{contents_of(chapters)}
{bodies}
</body>
</html>
"""

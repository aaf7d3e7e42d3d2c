"""The finished book as a reader meets it: every page in a real browser, every link, every label."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml

from autograder.assignments import RELEASED
from autograder.checks import checks_of

pytestmark = pytest.mark.slow

TOC = yaml.safe_load((Path(__file__).parents[2] / "book" / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [
    TOC["root"],
    *(
        page["file"]
        for part in TOC["parts"]
        for chapter in part["chapters"]
        for page in (chapter, *chapter.get("sections", []))
    ),
]
WITHOUT_RENDERED_TEXT = """() => {
  const copy = document.querySelector("article").cloneNode(true);
  copy.querySelectorAll("mjx-container, pre, code, script, style").forEach(e => e.remove());
  return copy.textContent;
}"""


@dataclass
class Visit:
    """What happened while a page was open."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def visit(browser: Any, url: str, width: int = 1280, scheme: str = "light") -> tuple[Any, Visit]:
    """Open a page, wait until its formulas are set, and note what it asked for and complained about."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Visit()
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", lambda request: seen.complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
    page.on("console", lambda m: m.type == "error" and seen.complaints.append(f"console: {m.text}"))
    page.on("response", lambda r: r.status >= 400 and seen.complaints.append(f"{r.status}: {r.url}"))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.evaluate("async () => { if (window.MathJax) await MathJax.startup.promise; }")
    return page, seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_a_page_asks_nobody_else_and_has_no_errors(
    browser: Any, address: str, name: str, scheme: str
) -> None:
    page, seen = visit(browser, f"{address}{name}.html", scheme=scheme)
    page.close()
    assert seen.requests, "the browser asked for nothing at all"
    elsewhere = [url for url in seen.requests if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []
    assert seen.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_all_formulas_are_rendered(browser: Any, address: str, name: str) -> None:
    page, _ = visit(browser, f"{address}{name}.html")
    written = page.locator("article .math").count()
    rendered = page.locator("article mjx-container").count()
    errors = page.locator("mjx-merror, [data-mml-node=merror], [data-mjx-error]").count()
    text = page.evaluate(WITHOUT_RENDERED_TEXT)
    page.close()
    assert rendered >= written and errors == 0
    if name[:1].isdigit():
        assert written > 20
    for raw in ("$", "\\(", "\\[", "\\frac"):
        assert raw not in text


@pytest.mark.parametrize("name", PAGES)
def test_images_load_and_have_alt_text(browser: Any, address: str, name: str) -> None:
    page, _ = visit(browser, f"{address}{name}.html")
    images = page.evaluate(
        "async () => Promise.all([...document.querySelectorAll('article img')].map(async image => {"
        " image.loading = 'eager'; await image.decode().catch(() => 0);"
        " return [image.src, image.alt, image.naturalWidth]; }))"
    )
    page.close()
    if name[:1].isdigit():
        assert images, "a chapter without a figure"
    for source, alt, width in images:
        assert width > 0, source
        assert len(alt) > 40 and not alt.startswith(("../", "_images")), f"{source}: {alt!r}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(browser: Any, address: str, name: str) -> None:
    page, _ = visit(browser, f"{address}{name}.html", width=390)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert width <= 390


class _Anchors(HTMLParser):
    """Ids of a page, and what it links to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if identifier := values.get("id"):
            self.ids.add(identifier)
        for name in ("href", "src"):
            if target := values.get(name):
                self.targets.append(target)


def read_anchors(path: Path) -> _Anchors:
    anchors = _Anchors()
    anchors.feed(path.read_text(encoding="utf-8"))
    return anchors


def test_every_internal_link_and_anchor_resolves(book: Path) -> None:
    pages = {path: read_anchors(path) for path in book.rglob("*.html") if "_static" not in path.parts}
    broken, followed = [], 0
    for path, anchors in pages.items():
        for target in anchors.targets:
            if urlsplit(target).scheme:
                continue
            file, fragment = urldefrag(target)
            goal = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            followed += 1
            if not goal.exists():
                broken.append(f"{path.name}: {target}")
            elif fragment and goal in pages and unquote(fragment) not in pages[goal].ids:
                broken.append(f"{path.name}: {target} (no such anchor)")
    assert followed > 100
    assert broken == []


@pytest.mark.parametrize("slug", [assignment.slug for assignment in RELEASED])
def test_labels_that_checks_link_to_exist(book: Path, slug: str) -> None:
    ids = read_anchors(book / f"{slug}.html").ids
    labels = {
        label
        for check in checks_of(slug).values()
        for label in (check.section, *(mistake.section for mistake in check.misconceptions))
    }
    assert labels <= ids


@pytest.mark.parametrize(("name", "label", "number"), [("02_bound", "eq-log-normal", "(2.3)")])
def test_equations_carry_the_number_of_their_chapter(book: Path, name: str, label: str, number: str) -> None:
    html = (book / f"{name}.html").read_text(encoding="utf-8")
    (shown,) = re.findall(rf'id="equation-{label}">\s*<span class="eqno">([^<]+)<', html)
    assert shown == number


@pytest.mark.parametrize("slug", [assignment.slug for assignment in RELEASED])
def test_the_exercise_stands_after_its_chapter_and_can_be_downloaded(book: Path, slug: str) -> None:
    html = (book / f"{slug}.html").read_text(encoding="utf-8")
    assert f'href="_generated/{slug}.html"' in html
    (download,) = book.rglob(f"_downloads/*/{slug}.ipynb")
    released = Path(__file__).parents[2] / "exercises" / slug / f"{slug}.ipynb"
    assert download.read_bytes() == released.read_bytes()
    assert PAGES.index(f"_generated/{slug}") == PAGES.index(slug) + 1


@pytest.mark.parametrize("slug", [assignment.slug for assignment in RELEASED])
def test_sections_and_exercises_lead_to_each_other(book: Path, slug: str) -> None:
    chapter, exercise = (read_anchors(book / f"{name}.html") for name in (slug, f"_generated/{slug}"))
    for name, check in checks_of(slug).items():
        place = f"write-{name.lower().replace('_', '-')}"
        assert place in exercise.ids
        assert f"_generated/{slug}.html#{place}" in chapter.targets, name
        assert f"../{slug}.html#{check.section}" in exercise.targets, name

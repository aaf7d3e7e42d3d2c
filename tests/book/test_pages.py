"""The finished book as a reader meets it: every page in a real browser, every link, every label."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.resources import files
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
  const copy = (document.querySelector("article") ?? document.body).cloneNode(true);
  copy.querySelectorAll("mjx-container, pre, code, script, style").forEach(e => e.remove());
  return copy.textContent;
}"""
IMAGES = """async () => Promise.all([...document.querySelectorAll("article img")].map(async image => {
  image.loading = "eager"; await image.decode().catch(() => 0);
  return [image.src, image.alt, image.naturalWidth, image.clientWidth, image.clientHeight, image.naturalHeight]; }))"""
WIDTHS = (320, 390, 768, 1000, 1100, 1199, 1230, 1280, 1600)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = (
    f"() => axe.run({{runOnly: {list(RULES)}, rules: {{'color-contrast': {{enabled: false}}}}, "
    "resultTypes: ['violations']}).then(r => r.violations)"
)
# Formulas are alike, and half of all elements: three stay for each path of tags and classes that leads to one.
THIN_OUT = """() => {
  const seen = new Map();
  for (const formula of document.querySelectorAll("mjx-container")) {
    const path = [formula.getAttribute("display")];
    for (let e = formula.parentElement; e; e = e.parentElement) path.push(e.tagName, e.className);
    const count = (seen.get(path.join(" ")) ?? 0) + 1;
    seen.set(path.join(" "), count);
    if (count > 3) formula.replaceWith("a formula");
  }
}"""
# Contrast is looked at three times for each path of tags, classes and styles that leads to text. Colours depend on
# little else (the parity of a row), and all ten thousand elements would take as long as all else in these tests.
RUN_CONTRAST = """() => {
  const chosen = new Map(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const holder = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !holder.checkVisibility()) continue;
    const path = [];
    for (let e = holder; e; e = e.parentElement)
      path.push(e.tagName, e.getAttribute("class"), e.getAttribute("style"), (e.rowIndex ?? 0) % 2);
    const alike = chosen.get(path.join(" ")) ?? [];
    if (alike.length < 3) chosen.set(path.join(" "), [...alike, holder]);
  }
  const context = {include: [...chosen.values()].flat()};
  return axe.run(context, {runOnly: ["color-contrast"], resultTypes: ["violations"]}).then(r => r.violations);
}"""


def of_one_page(name: str) -> Any:
    """A parameter whose tests run in one process, which opens the page once for all of them."""
    return pytest.param(name, marks=pytest.mark.xdist_group(f"page-{name}"))


ALL = [of_one_page(name) for name in [*PAGES, "search", "genindex"]]
WRITTEN = [of_one_page(name) for name in PAGES]


def violations(page: Any, *scripts: str) -> list[str]:
    """What axe-core finds on a page, a line for each element."""
    page.evaluate(AXE)
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:160]}: {node.get('failureSummary', '')[:300]}"
        for script in scripts or (RUN_AXE, RUN_CONTRAST)
        for rule in page.evaluate(script)
        for node in rule["nodes"]
    ]


def show(page: Any, scheme: str) -> None:
    """Have a page use light or dark colours, at once and not little by little."""
    page.add_style_tag(content="* { transition: none !important }")
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]")


@dataclass
class Survey:
    """All that the tests below ask about a page, found while it was open once."""

    requests: list[str]
    complaints: list[str]
    written: int  # formulas
    rendered: int
    errors: int
    text: str  # without what was rendered
    images: list[list[Any]]
    widths: dict[int, int]  # of the page, by those of the window
    violations: dict[str, list[str]]  # by the scheme of colours


@pytest.fixture(scope="session")
def survey(visit: Any, address: str) -> Any:
    """A function that surveys a page, once: first in light colours, then in dark ones."""

    @functools.cache
    def survey_page(name: str) -> Survey:
        seen = visit(f"{address}{name}.html")
        page = seen.page
        found = Survey(
            [],
            [],
            page.locator("article .math").count(),
            page.locator("article mjx-container").count(),
            page.locator("mjx-merror, [data-mml-node=merror], [data-mjx-error]").count(),
            page.evaluate(WITHOUT_RENDERED_TEXT),
            page.evaluate(IMAGES),
            {},
            {},
        )
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found.widths[width] = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size({"width": 1280, "height": 900})
        show(page, "dark")
        # before axe, which asks for style sheets itself
        found.requests += seen.requests
        found.complaints += seen.complaints
        page.evaluate(THIN_OUT)
        found.violations["dark"] = violations(page, RUN_CONTRAST)  # no other rule knows colours
        show(page, "light")
        found.violations["light"] = violations(page)
        page.close()
        return found

    return survey_page


@pytest.mark.parametrize("name", ALL)
def test_a_page_asks_nobody_else_and_has_no_errors(survey: Any, address: str, name: str) -> None:
    seen = survey(name)
    assert seen.requests, "the browser asked for nothing at all"
    elsewhere = [url for url in seen.requests if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_a_page_is_accessible(survey: Any, name: str, scheme: str) -> None:
    assert survey(name).violations[scheme] == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (
            "image-alt",
            "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=='>",
        ),
        ("color-contrast", "<p style='color: #bbb; background: #fff'>hardly to be read</p>"),
        ("button-name", "<button></button>"),
    ],
)
def test_what_is_not_accessible_is_found(visit: Any, address: str, rule: str, fault: str) -> None:
    page = visit(f"{address}citing.html").page
    before = violations(page)
    page.evaluate("html => document.querySelector('article').insertAdjacentHTML('beforeend', html)", fault)
    new = [line for line in violations(page) if line not in before]
    page.close()
    assert new and all(line.startswith(f"{rule}:") for line in new)


@pytest.mark.parametrize("name", WRITTEN)
def test_all_formulas_are_rendered(survey: Any, name: str) -> None:
    seen = survey(name)
    assert seen.rendered >= seen.written and seen.errors == 0
    if name[:1].isdigit() and name[:2] not in {"00", "11", "12"}:
        assert seen.written > 20
    for raw in ("$", "\\(", "\\[", "\\frac"):
        assert raw not in seen.text


@pytest.mark.parametrize("name", WRITTEN)
def test_images_load_have_alt_text_and_keep_their_shape(survey: Any, name: str) -> None:
    images = survey(name).images
    if name[:1].isdigit() and name[:2] not in {"11", "12"}:
        assert images, "a chapter without a figure"
    for source, alt, width, shown_width, shown_height, height in images:
        assert width > 0, source
        assert len(alt) > 40 and not alt.startswith(("../", "_images")), f"{source}: {alt!r}"
        if shown_height:  # not folded away
            assert shown_width / shown_height == pytest.approx(width / height, rel=0.02), source


@pytest.mark.parametrize("name", WRITTEN)
def test_a_page_never_scrolls_sideways(survey: Any, name: str) -> None:
    widths = survey(name).widths
    assert widths and [window for window, page in widths.items() if page > window] == []


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


@pytest.mark.parametrize(("name", "chapter"), [("00_start", 0), ("02_bound", 2), ("10_sharper", 10)])
def test_equations_carry_the_number_of_their_chapter(book: Path, name: str, chapter: int) -> None:
    html = (book / f"{name}.html").read_text(encoding="utf-8")
    shown = re.findall(r'id="equation-eq-[\w-]+">\s*<span class="eqno">([^<]+)<', html)
    assert shown == [f"({chapter}.{number})" for number in range(1, len(shown) + 1)] != []


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

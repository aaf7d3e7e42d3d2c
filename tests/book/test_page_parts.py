"""What the book's own extensions make of a page, without building one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from docutils import nodes

from autograder import addresses
from autograder.assignments import RELEASED

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A function that loads a module of the book, as its build does."""
    before = set(sys.modules)
    for folder in (BOOK, BOOK / "_ext"):
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BOOK) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def page_of(*children: nodes.Node) -> nodes.document:
    from docutils.utils import new_document

    page = new_document("page")
    page += children
    return page


def test_words_formulas_figures_and_code_take_time(load: object) -> None:
    reading: ModuleType = load("reading_time")  # type: ignore[operator]
    paragraph = nodes.paragraph("", "word " * 900)
    assert reading.reading_seconds(page_of(paragraph)) == pytest.approx(300)
    assert reading.reading_seconds(nodes.math_block("", "x^2 + y^2")) == reading.SECONDS_A_FORMULA
    assert (
        reading.reading_seconds(nodes.literal_block("", "a = 1\n\nb = 2"))
        == 2 * reading.SECONDS_A_LINE_OF_CODE
    )
    assert reading.reading_seconds(nodes.image("")) == reading.SECONDS_A_FIGURE
    folded = nodes.container("", nodes.literal_block("", "a\n" * 99), classes=["cell", "tag_hide-input"])
    assert reading.reading_seconds(folded) == 0
    assert reading.reading_seconds(nodes.comment("", "never shown")) == 0


@pytest.mark.parametrize(("words", "minutes"), [(1, 1), (180 * 7, 7), (180 * 42, 40), (180 * 43, 45)])
def test_minutes_are_round(load: object, words: int, minutes: int) -> None:
    reading: ModuleType = load("reading_time")  # type: ignore[operator]
    assert reading.reading_minutes(page_of(nodes.paragraph("", "word " * words))) == minutes


def test_pictures_carry_their_size_and_wait(load: object) -> None:
    lean: ModuleType = load("lean_pages")  # type: ignore[operator]
    files = {"dogs.png": BOOK / "_static" / "paper-dogs.png"}
    html = '<img alt="a" src="../_images/dogs.png" /><img alt="b" src="_images/dogs.png"/><img src="unknown.png"/>'
    first, second, third = lean.with_sizes(html, files).split("<img")[1:]
    assert 'width="1024" height="256"' in first and "lazy" not in first
    assert 'width="1024" height="256" loading="lazy"' in second
    assert third == ' src="unknown.png"/>'
    html = '<img src="dogs.png" style="width: 561px; height: 140px;" />'
    assert lean.with_sizes(html, files) == '<img src="dogs.png" width="561" height="140" />'


def test_commas_stay_with_their_formulas_and_names_in_tables_break_at_joints(load: object) -> None:
    breaks: ModuleType = load("line_breaks")  # type: ignore[operator]
    formula = r'<span class="math notranslate nohighlight">\(k &lt; 1\)</span>'
    assert breaks.with_breaks(f"so {formula} is") == f"so {formula} is"
    assert breaks.with_breaks(f"so ({formula}), the {formula}-th") == (
        f'so <span class="together">({formula}),</span> the <span class="together">{formula}-th</span>'
    )
    code = '<span class="pre">Some/VaeOf_dogs.npy</span>'
    assert breaks.with_breaks(code) == code
    assert breaks.with_breaks(f"<table><td>{code}</td></table>") == (
        '<table><td><span class="pre">Some/<wbr>Vae<wbr>Of_<wbr>dogs.<wbr>npy</span></td></table>'
    )
    words = '<a href="03.html#the-reparameterization-trick">The reparameterization trick</a>'
    assert breaks.with_breaks(words) == words
    assert breaks.with_breaks(f"<table>{words}</table>") == (
        f"<table>{words.replace('The reparameter', 'The reparameter&shy;')}</table>"
    )
    shape = '<code class="a b"><span class="pre">(B,</span> <span class="pre">L)</span></code>'
    assert (
        breaks.with_breaks(f"<table>{shape}</table>")
        == f"<table>{shape.replace('a b', 'a b together')}</table>"
    )
    call = '<code class="a b"><span class="pre">kl_weight(step,</span> <span class="pre">warm)</span></code>'
    assert "together" not in breaks.with_breaks(f"<table>{call}</table>")
    assert breaks.with_breaks("1.2 ± 0.1, by 20 % more") == (
        "1.2 ±\N{NO-BREAK SPACE}0.1, by 20\N{NO-BREAK SPACE}% more"
    )


def test_the_size_of_a_drawing_is_in_pixels(load: object, tmp_path: Path) -> None:
    lean: ModuleType = load("lean_pages")  # type: ignore[operator]
    drawing = tmp_path / "a.svg"
    drawing.write_text(
        '<?xml version="1.0"?><svg xmlns="x" width="396pt" height="244.8pt" viewBox="0 0 1 1"></svg>'
    )
    assert lean.size_of(drawing) == (528, 326)
    drawing.write_text('<svg height="10" width="20px">')
    assert lean.size_of(drawing) == (20, 10)
    drawing.write_text("<svg viewBox='0 0 1 1'>")
    assert lean.size_of(drawing) is None


def test_icons_are_those_that_pages_and_styles_show(load: object) -> None:
    lean: ModuleType = load("lean_pages")  # type: ignore[operator]
    styles = (
        '.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}.fa-dog:before{content:"\\f6d3"}'
        '.hide:after{content:"\\f107"}:root{--pst-icon-bell:"\uf0f3"}'
    )
    assert lean.icons_in('<i class="fa-solid fa-bars"></i>', styles) == {0xF0C9, 0xF107, 0xF0F3}


STYLES = """
@charset "utf-8"; /* .gone { */
:root { --a: url("data:x,{;}"); }
.kept, .gone:hover { color: red; background: url(a.png) }
.kept:not(.gone) > a[href=".gone"], p { margin: .5em }
.gone .kept { margin: 0 }
#gone::before { content: "} .kept {" }
@media (width > 9px) { .gone { top: 0 } .sd-a\\:b { top: 1px } }
@media print { .gone { top: 0 } }
@keyframes gone { from { top: 0 } to { top: 1px } }
"""


def test_rules_that_can_match_nothing_are_left_out(load: object) -> None:
    lean: ModuleType = load("lean_styles")  # type: ignore[operator]
    lines = lean.pruned(STYLES, {"kept", "sd-a:b"}).splitlines()
    assert lines == [
        '@charset "utf-8";',
        ':root{ --a: url("data:x,{;}"); }',
        ".kept{ color: red; background: url(a.png) }",
        '.kept:not(.gone) > a[href=".gone"],p{ margin: .5em }',
        "@media (width > 9px){.sd-a\\:b{ top: 1px }}",
        "@keyframes gone{ from { top: 0 } to { top: 1px } }",
    ]


def test_styles_of_the_theme_are_cut_and_our_own_are_not(load: object, tmp_path: Path) -> None:
    lean: ModuleType = load("lean_styles")  # type: ignore[operator]
    book, own = tmp_path / "book", tmp_path / "own"
    for folder in (book / "_static" / "figures", own / "figures"):
        folder.mkdir(parents=True)
    (book / "a.html").write_text('<p class="on-page">')
    (book / "_static" / "a.js").write_text('node.classList.add("by-script")')
    rules = ".on-page{top:0}\n.by-script{top:0}\n.nowhere{top:0}"
    for path in (
        book / "_static" / "theme.css",
        book / "_static" / "figures" / "own.css",
        own / "figures" / "own.css",
    ):
        path.write_text(rules)
    lean.cut_styles(book, own)
    assert (book / "_static" / "theme.css").read_text() == ".on-page{top:0}\n.by-script{top:0}"
    assert (book / "_static" / "figures" / "own.css").read_text() == rules


def test_a_page_carries_the_previews_of_its_links(load: object) -> None:
    previews: ModuleType = load("previews")  # type: ignore[operator]
    targets = {
        ("02_bound", "equation-eq-kl"): "formula",
        ("_generated/02_bound", "a"): "here",
        ("x", "y"): "no link",
    }
    body = (
        '<a class="reference internal" href="../02_bound.html#equation-eq-kl">(2.4)</a>'
        '<a class="reference internal" href="#a">above</a><a class="reference internal" href="#b">unknown</a>'
        '<a class="reference external" href="https://example.org/02_bound.html#equation-eq-kl">elsewhere</a>'
    )
    assert previews.previews_of("_generated/02_bound", body, targets) == {
        "../02_bound.html#equation-eq-kl": "formula",
        "#a": "here",
    }


def test_sections_and_formulas_are_remembered_without_markup(load: object) -> None:
    previews: ModuleType = load("previews")  # type: ignore[operator]
    paragraph = nodes.paragraph("", "Less than ", nodes.math("", "a < b"), nodes.literal("", "kl<0"))
    section = nodes.section(
        "", nodes.title("", "A title"), paragraph, nodes.paragraph("", "later"), ids=["s"]
    )
    words = previews._beginning(section)
    assert "<strong>A title</strong>" in words and "later" not in words
    assert '<span class="math">\\(a &lt; b\\)</span><code>kl&lt;0</code>' in words


def test_launch_buttons_need_an_address(load: object, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: ModuleType = load("exercise_pages")  # type: ignore[operator]
    assignment = RELEASED[0]
    monkeypatch.setattr(addresses, "REPOSITORY", "")
    assert pages.launch_links(assignment) == []
    monkeypatch.setattr(addresses, "REPOSITORY", "https://github.com/OWNER/NAME")
    colab, binder = pages.launch_links(assignment)
    assert colab.startswith("[Open in Colab](https://colab.research.google.com/github/OWNER/NAME/")
    assert binder.startswith("[Open in Binder](https://mybinder.org/")


def test_pages_of_exercises_show_no_picture_from_elsewhere(
    load: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: ModuleType = load("exercise_pages")  # type: ignore[operator]
    assignment = RELEASED[0]
    monkeypatch.setattr(addresses, "REPOSITORY", "https://github.com/OWNER/NAME")
    released = (ROOT / "exercises" / assignment.slug / f"{assignment.slug}.ipynb").read_text(encoding="utf-8")
    with_badges = released.replace('"cells": [', f'"cells": [{_badge_cell(assignment.slug)},', 1)
    page, _ = pages.exercise_page(with_badges, assignment)
    assert "[![" not in page and "badge" not in page
    assert "[Open in Colab](" in page and "{download}" in page


def _badge_cell(slug: str) -> str:
    import json

    return json.dumps(
        {"cell_type": "markdown", "id": "b", "metadata": {}, "source": [addresses.badges(slug)]}
    )


def test_the_citation_says_what_the_file_says(load: object, tmp_path: Path) -> None:
    module: ModuleType = load("citation_page")  # type: ignore[operator]
    cff = tmp_path / "CITATION.cff"
    about = {
        "title": "Dogs", "version": "1.2", "date-released": "2027-03-01",
        "authors": [{"given-names": "Ada", "family-names": "Byron"}, {"name": "The others"}],
    }  # fmt: skip
    cff.write_text(yaml.safe_dump(about))
    text = module.citation(cff, "2026", "https://example.org/book")
    assert "Byron, Ada; The others (2027). *Dogs* (version 1.2). <https://example.org/book>" in text
    assert "author = {Byron, Ada and {The others}}" in text and "year = {2027}" in text
    assert module.citation(cff, "2026").count("http") == 0


def test_the_card_is_drawn_as_large_as_sites_cut_it(load: object) -> None:
    card: ModuleType = load("social_card")  # type: ignore[operator]
    picture = card.draw_card("Variational Autoencoders, drawn", "below")
    assert picture.size == (1200, 630)
    assert len(picture.getcolors(1 << 24)) > 10_000  # dogs, not a blank

"""The book on paper: complete, linked, with nothing missing on any page."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pdf")]

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture
def joining(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BOOK))
    yield importlib.import_module("paper.joining")
    for name in [name for name in sys.modules if name == "paper" or name.startswith("paper.")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def reader(pdf: Path) -> Any:
    return pytest.importorskip("pypdf").PdfReader(pdf)


@pytest.fixture(scope="module")
def texts(reader: Any) -> list[str]:
    return [page.extract_text() for page in reader.pages]


def flat(outline: list[Any]) -> list[Any]:
    return [entry for item in outline for entry in (flat(item) if isinstance(item, list) else [item])]


def drawings_on(page: Any) -> int:
    """Pictures and forms that a page shows."""
    return len(page.get("/Resources", {}).get("/XObject", {}))


def test_it_is_small_enough_to_send(pdf: Path) -> None:
    assert 1_000_000 < pdf.stat().st_size < 20_000_000


def test_every_page_shows_something(reader: Any, texts: list[str]) -> None:
    assert 150 < len(texts) < 900
    words = [len(re.sub(r"\d+$", "", text.strip()).split()) for text in texts]
    empty = [
        number
        for number, page in enumerate(reader.pages, 1)
        if words[number - 1] < 15 and not drawings_on(page)
    ]
    assert empty == []


def test_nothing_is_unresolved(texts: list[str]) -> None:
    unresolved = re.compile(r"\?\?|\[\?\]|\\(?:frac|mathbb|mathcal|begin|operatorname)\b")
    places = [
        (number, found[0]) for number, text in enumerate(texts, 1) if (found := unresolved.search(text))
    ]
    assert places == []


def test_the_outline_leads_to_every_page_of_the_book(reader: Any, joining: ModuleType) -> None:
    titles = {re.sub(r"\s+", " ", entry.title).strip() for entry in flat(reader.outline)}
    assert len(titles) > 100
    for name, _ in joining.pages_of(BOOK / "_toc.yml"):
        if not name.startswith("_generated/"):
            heading = next(
                line[2:].strip()
                for line in (BOOK / f"{name}.md").read_text(encoding="utf-8").splitlines()
                if line.startswith("# ")
            )
            assert any(heading in title for title in titles), heading


def test_the_contents_name_the_pages_that_they_link_to(reader: Any, texts: list[str]) -> None:
    first = next(number for number, text in enumerate(texts) if re.match(r"\d*\s*Contents", text))
    rows: dict[str, int] = {}
    for text in texts[first : first + 12]:
        for line in text.splitlines():
            if found := re.match(r"(\d+\. .*?)\s*(\d+)$", line.strip()):
                rows.setdefault(re.sub(r"\s+", " ", found[1]).strip(), int(found[2]))
    assert len(rows) >= 12
    for title, number in rows.items():
        assert title.split(". ", 1)[1].split()[0] in texts[number - 1], (title, number)
    assert sorted(rows.values()) == list(rows.values()), "chapters follow each other"


def test_links_lead_to_places_that_exist(reader: Any) -> None:
    known = set(reader.named_destinations)
    inside, outside, lost = 0, 0, []
    for number, page in enumerate(reader.pages, 1):
        for annotation in page.get("/Annots") or []:
            link = annotation.get_object()
            if link.get("/Subtype") != "/Link":
                continue
            if "/A" in link and "/URI" in (action := link["/A"].get_object()):
                outside += 1
                if not str(action["/URI"]).startswith(("http://", "https://", "mailto:")):
                    lost.append((number, action["/URI"]))
            else:
                inside += 1
                goal = link["/Dest"] if "/Dest" in link else link["/A"].get_object()["/D"]
                if isinstance(goal, str) and goal not in known and f"/{goal.lstrip('/')}" not in known:
                    lost.append((number, goal))
    assert inside > 500 and outside > 100
    assert lost == []


def test_all_fonts_come_along(reader: Any) -> None:
    fonts: dict[str, bool] = {}
    for page in reader.pages:
        for font in (page["/Resources"].get("/Font") or {}).values():
            font = font.get_object()
            parts = font.get("/DescendantFonts", [font])
            for part in parts:
                part = part.get_object()
                descriptor = part.get("/FontDescriptor", {}).get_object() if "/FontDescriptor" in part else {}
                embedded = part.get("/Subtype") == "/Type3" or any(
                    str(key).startswith("/FontFile") for key in descriptor
                )
                fonts[str(part.get("/BaseFont", part.get("/Name", "type 3")))] = embedded
    assert [name for name, embedded in fonts.items() if not embedded] == []
    for needed in ("STIXGeneral", "DejaVuSansMono", "MathJax"):
        assert any(needed in name for name in fonts), (needed, sorted(fonts))


def test_only_drawings_are_stretched(reader: Any) -> None:
    """Tall brackets are made of stretched pieces; pieces that are letters of a font are left out by viewers."""
    stretched = re.compile(
        rb"([\d.]+) 0 0 ([\d.]+) [-\d.]+ [-\d.]+ cm\s(?:(?!cm\s).)*?BT\s/(F\d+)", re.DOTALL
    )
    drawn = letters = 0
    for page in reader.pages:
        for across, down, name in stretched.findall(page.get_contents().get_data()):
            if max(float(across), float(down)) > 100:
                font = page["/Resources"]["/Font"][f"/{name.decode()}"].get_object()
                drawn, letters = (
                    drawn + (font["/Subtype"] == "/Type3"),
                    letters + (font["/Subtype"] != "/Type3"),
                )
    assert drawn > 20 and letters == 0


def test_figures_are_drawings(reader: Any) -> None:
    """Charts stay charts: far more pages draw paths than pictures of pixels could explain."""
    forms = pixels = 0
    for page in reader.pages:
        for thing in page.get("/Resources", {}).get("/XObject", {}).values():
            kind = thing.get_object().get("/Subtype")
            forms, pixels = forms + (kind == "/Form"), pixels + (kind == "/Image")
    curves = sum(page.get_contents().get_data().count(b" c\n") > 50 for page in reader.pages)
    assert curves > 30, (curves, forms, pixels)


def test_equations_are_numbered(texts: list[str]) -> None:
    whole = "\n".join(texts)
    for number in ("(2.1)", "(2.3)", "(6.1)", "(10.1)"):
        assert number in whole


def test_it_says_what_it_is(reader: Any) -> None:
    assert reader.metadata.title == "Variational Autoencoders, drawn and graded"
    assert reader.trailer["/Root"]["/MarkInfo"][
        "/Marked"
    ]  # tagged: a screen reader finds headings and paragraphs
    assert str(reader.trailer["/Root"]["/Lang"]).startswith("en")


def page_html(body: str) -> str:
    return f'<html><body><article class="bd-article">{body}</article></body></html>'


def test_joined_pages_link_to_each_other(joining: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "_toc.yml").write_text("root: a\nparts: [{caption: Part, chapters: [{file: sub/b}]}]\n")
    (tmp_path / "a.html").write_text(
        page_html(
            '<section id="s"><h1>A<a class="headerlink" href="#s">#</a></h1><a href="sub/b.html#t">there</a>'
            '<a href="genindex.html">index</a><a href="https://example.org">out</a><button>no</button>'
            '<a href="_downloads/x.ipynb">file</a>'
            '<details class="hide above-input"><pre>out of sight</pre></details></section>'
        )
    )
    (tmp_path / "sub" / "b.html").write_text(
        page_html('<section id="s"><h1>1. B</h1><section id="t"><h2>Two</h2><img src="../_images/p.svg"/>'
                  '<a href="../a.html">back</a></section></section>')
    )  # fmt: skip
    page = joining.join(tmp_path, tmp_path / "_toc.yml", "Title, with a tail", "Author")
    for there in (
        'href="#sub-b--t"',
        'id="sub-b--t"',
        'href="#a"',
        'id="a"',
        'src="_images/p.svg"',
        "example.org",
    ):
        assert there in page, there
    for gone in ("headerlink", "<button", "out of sight", "genindex", "x.ipynb"):
        assert gone not in page, gone
    assert "index" in page and "file" in page, "words of a link that leads nowhere on paper stay"
    assert 'data-anchor="sub-b--t"' in page and "contents-part" in page
    lists = [joining.Chapter("glossary", "", "Glossary", "", [("glossary--a", "A")])]
    assert "glossary--a" not in joining.contents_of(lists), "entries of a list are no sections"


def test_a_missing_browser_is_named(joining: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    printing = importlib.import_module("paper.printing")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(printing.PaperError, match="install the package chromium"):
        printing.find_chromium()


def test_a_book_offers_the_pdf_that_lies_beside_it(joining: ModuleType, tmp_path: Path) -> None:
    offering = importlib.import_module("paper.offering")
    line = '<p class="page-line">Take this along as text<span class="whole-book"></span></p>'
    pages = [tmp_path / "index.html", tmp_path / "sub" / "a.html", tmp_path / "search.html"]
    pages[1].parent.mkdir()
    for page in pages:
        page.write_text("<p>no place</p>" if page.stem == "search" else line)
    for content in (
        b"%PDF" + bytes(1_600_000),
        b"%PDF" + bytes(3_600_000),
    ):  # a second one takes the place of the first
        offering.offer(content, tmp_path)
        assert (tmp_path / "book.pdf").read_bytes() == content
        for page, address in zip(pages, ("book.pdf", "../book.pdf"), strict=False):
            text = page.read_text()
            assert text.count("<a ") == 1 and f', or <a href="{address}" download>' in text
            assert f"({len(content) / 1e6:.0f} MB)" in text
    assert pages[2].read_text() == "<p>no place</p>"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "book.pdf",
        "index.html",
        "search.html",
        "sub",
    ]


def test_a_book_without_a_pdf_offers_none(book: Path) -> None:
    for name in ("index", "02_bound"):
        html = (book / f"{name}.html").read_text(encoding="utf-8")
        assert ('href="book.pdf"' in html) == (book / "book.pdf").exists()
        assert '<span class="whole-book">' in html

"""What makes pages pleasant: search, previews, marks of progress, downloads; from a server and from files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("craft")]

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "02_bound"


@pytest.fixture
def reader(browser: Any) -> Iterator[Any]:
    """A browser of somebody who has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture(params=["server", "files"])
def place(request: pytest.FixtureRequest, address: str, book: Path) -> str:
    """Where the book is: at a web server, and in a folder."""
    return address if request.param == "server" else f"{book.as_uri()}/"


def test_the_search_finds_what_it_is_asked_for(visit: Any, reader: Any, place: str) -> None:
    seen = visit(f"{place}{CHAPTER}.html", context=reader)
    seen.page.wait_for_load_state("networkidle")  # leaving would cut off a picture that is under way
    seen.page.keyboard.press("Control+k")
    seen.page.keyboard.type("reparameterization")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("#search-results ul.search a")
    titles = seen.page.locator("#search-results ul.search a").all_inner_texts()
    assert any("reparameterization trick" in title.lower() for title in titles)
    from_file = place.startswith("file:")
    assert ("opened from a file" in seen.page.inner_text(".bd-search-container")) == from_file
    if not from_file:
        seen.page.wait_for_selector("#search-results p.context")
    assert seen.complaints == []


def test_a_word_that_is_nowhere_is_said_to_be_nowhere(visit: Any, reader: Any, address: str) -> None:
    page = visit(f"{address}search.html?q=xylophonist", context=reader).page
    page.wait_for_function(
        "() => /did not match/i.test(document.querySelector('#search-results')?.innerText ?? '')"
    )


def test_code_is_copied_as_it_stands(visit: Any, reader: Any, address: str) -> None:
    reader.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit(f"{address}{CHAPTER}.html", context=reader).page
    cell = page.locator(".cell_input .highlight").filter(has=page.locator("button.copybtn:visible")).first
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


@pytest.mark.parametrize(
    ("selector", "says"),
    [("a.internal[data-reference]", "Kingma"), ("a[href='#equation-eq-elbo']", "mjx-container")],
)
def test_a_link_shows_where_it_leads(visit: Any, reader: Any, place: str, selector: str, says: str) -> None:
    seen = visit(f"{place}{CHAPTER}.html", context=reader)
    page, card = seen.page, seen.page.locator("#preview")
    link = page.locator(f"article {selector}").filter(visible=True)
    if says == "Kingma":
        link = link.filter(has_text="Kingma")
    link.first.hover()
    card.wait_for(state="visible")
    if says.startswith("mjx"):
        card.locator(says).wait_for()
        assert "\\" not in page.evaluate("() => document.querySelector('#preview mjx-math').textContent")
    else:
        assert says in card.inner_text()
    assert link.first.get_attribute("aria-describedby") == "preview"
    card.hover()  # a preview stays while the pointer is on it
    page.wait_for_timeout(400)
    assert card.is_visible()
    page.keyboard.press("Escape")
    assert card.is_hidden()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    page.keyboard.press("Tab")
    link.first.focus()
    card.wait_for(state="visible")
    page.keyboard.press("Tab")
    assert link.first.get_attribute("aria-describedby") is None
    assert seen.complaints == []


def test_equations_of_other_chapters_are_shown(visit: Any, reader: Any, place: str) -> None:
    page = visit(f"{place}06_generation.html", context=reader).page
    link = page.locator(f"article a[href='{CHAPTER}.html#equation-eq-kl']").first
    link.hover()
    page.locator("#preview mjx-container").wait_for()


def test_marks_of_progress_stay_and_can_be_cleared_by_keyboard(visit: Any, reader: Any, place: str) -> None:
    seen = visit(f"{place}{CHAPTER}.html", context=reader)
    button = seen.page.get_by_role("button", name="Mark as read")
    button.focus()
    seen.page.keyboard.press("Enter")
    done = seen.page.locator(".progress-mark button")
    assert done.get_attribute("aria-pressed") == "true"
    assert seen.page.locator(".bd-docs-nav .read-tick").count() == 1
    start = visit(f"{place}index.html", context=reader)
    overview = start.page.locator(".progress-overview")
    assert "You have read 1 of" in overview.inner_text()
    assert ("opened from a file" in overview.inner_text()) == place.startswith("file:")
    start.page.get_by_role("button", name="Clear all marks").focus()
    start.page.keyboard.press("Space")
    assert "No page is marked as read yet" in overview.inner_text()
    assert start.page.locator(".read-tick").count() == 0
    again = visit(f"{place}{CHAPTER}.html", context=reader)
    assert again.page.locator(".progress-mark button").get_attribute("aria-pressed") == "false"
    assert [*seen.complaints, *start.complaints, *again.complaints] == []


def test_a_browser_that_keeps_nothing_is_told_so(visit: Any, reader: Any, address: str) -> None:
    reader.add_init_script(
        "Object.defineProperty(Storage.prototype, 'setItem', {value: () => { throw new DOMException('no'); }})"
    )
    page = visit(f"{address}index.html", context=reader).page
    assert "cannot remember" in page.locator(".progress-overview").inner_text()


def test_the_line_below_the_title_tells_the_time_and_gives_the_page(
    visit: Any, reader: Any, address: str
) -> None:
    page = visit(f"{address}{CHAPTER}.html", context=reader).page
    line = page.locator("h1 + .page-line")
    (minutes,) = re.findall(r"About (\d+) minutes to read", line.inner_text())
    assert 20 <= int(minutes) <= 120
    with page.expect_download() as text:
        line.get_by_role("link", name="text").click()
    assert Path(text.value.path()).read_bytes() == (ROOT / "book" / f"{CHAPTER}.md").read_bytes()
    with page.expect_download() as notebook:
        line.get_by_role("link", name="notebook").click()
    content = nbformat.read(notebook.value.path(), as_version=4)
    nbformat.validate(content)
    code = [cell.source for cell in content.cells if cell.cell_type == "code"]
    source = (ROOT / "book" / f"{CHAPTER}.md").read_text(encoding="utf-8")
    assert len(code) == source.count("```{code-cell}") and all(cell in source for cell in code)
    assert not any("{include}" in cell.source for cell in content.cells)


def test_an_exercise_can_be_taken_along_from_its_page(visit: Any, reader: Any, address: str) -> None:
    page = visit(f"{address}_generated/{CHAPTER}.html", context=reader).page
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the notebook").click()
    released = ROOT / "exercises" / CHAPTER / f"{CHAPTER}.ipynb"
    assert Path(download.value.path()).read_bytes() == released.read_bytes()


def test_pages_follow_each_other(visit: Any, reader: Any, address: str) -> None:
    page = visit(f"{address}{CHAPTER}.html", context=reader).page
    page.locator("a.right-next").click()
    page.wait_for_url(f"**/_generated/{CHAPTER}.html")
    page.locator("a.left-prev").click()
    page.wait_for_url(f"**/{CHAPTER}.html")


def test_light_and_dark_are_a_button_away_and_stay(visit: Any, reader: Any, address: str) -> None:
    page = visit(f"{address}{CHAPTER}.html", context=reader).page
    button = page.locator(".bd-header-article .theme-switch-button")
    for _ in range(3):
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            break
        button.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page = visit(f"{address}citing.html", context=reader).page
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_folded_answers_open_wherever_their_title_is_touched(visit: Any, reader: Any, address: str) -> None:
    seen = visit(f"{address}{CHAPTER}.html", context=reader)
    box = seen.page.locator(".admonition.toggle").first
    box.locator(".admonition-title").evaluate(
        "title => title.insertAdjacentHTML('afterbegin', '<em>touch me</em>')"
    )
    assert "toggle-hidden" in box.get_attribute("class")
    box.get_by_text("touch me").click()
    assert "toggle-hidden" not in box.get_attribute("class")
    box.locator("button.toggle-button").focus()
    seen.page.keyboard.press("Enter")
    assert "toggle-hidden" in box.get_attribute("class")
    assert seen.complaints == []


@pytest.fixture(scope="module")
def chapter(visit: Any, address: str) -> Iterator[Any]:
    """A chapter in one window for tests that only look."""
    page = visit(f"{address}{CHAPTER}.html").page
    yield page
    page.close()


@pytest.mark.parametrize("width", [1000, 1100, 1199, 1200, 1230, 1280, 1600])
def test_notes_in_the_margin_stay_on_the_page(chapter: Any, width: int) -> None:
    page = chapter
    page.set_viewport_size({"width": width, "height": 900})
    notes = page.evaluate(
        "[...document.querySelectorAll('aside.margin')].map(e => e.getBoundingClientRect().right)"
    )
    text = page.evaluate(
        "document.querySelector('article section > p:not([class])').getBoundingClientRect().right"
    )
    assert notes and max(notes) <= width
    assert (min(notes) > text) == (width >= 1200), (
        "beside the text where there is room, else between the paragraphs"
    )


def test_what_scrolls_can_be_reached_by_keyboard(visit: Any, address: str) -> None:
    page = visit(f"{address}{CHAPTER}.html", width=390).page
    unreachable = page.evaluate(
        "() => [...document.querySelectorAll('div.math, mjx-container[display=true], div.highlight pre')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex !== 0).length"
    )
    reachable = page.locator("mjx-container[tabindex='0']").count()
    page.close()
    assert unreachable == 0 and reachable > 0


def test_a_table_that_goes_on_fades_until_its_end_is_reached(visit: Any, address: str) -> None:
    page = visit(f"{address}09_tighter.html", width=320).page
    table = page.locator(".pst-scrollable-table-container.goes-on").first.element_handle()
    fade = "e => getComputedStyle(e).maskImage"
    assert "gradient" in table.evaluate(fade)
    table.evaluate("e => { e.scrollLeft = e.scrollWidth; }")
    page.wait_for_function("e => !e.classList.contains('goes-on')", arg=table)
    assert table.evaluate(fade) == "none"
    page.close()


def test_nothing_of_a_folded_proof_stands_below_its_title(visit: Any, address: str) -> None:
    page = visit(f"{address}09_tighter.html").page
    heights = page.evaluate(
        "[...document.querySelectorAll('.admonition.toggle-hidden')].map(e => Math.round(e.offsetHeight))"
    )
    page.close()
    assert len(heights) > 3 and len(set(heights)) == 1


def test_formulas_fit_between_contents_on_both_sides(visit: Any, address: str) -> None:
    page = visit(f"{address}00_start.html", width=1200).page
    wide = page.evaluate(
        "[...document.querySelectorAll('mjx-container[display=true]')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    page.close()
    assert wide == []


def test_paper_shows_answers_and_no_buttons(visit: Any, reader: Any, address: str) -> None:
    page = visit(f"{address}{CHAPTER}.html", context=reader).page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    shown = page.evaluate("[...document.querySelectorAll('button')].filter(e => e.checkVisibility()).length")
    hidden = page.evaluate(
        "[...document.querySelectorAll('.admonition.toggle > section, .admonition.toggle > p')]"
        ".filter(e => !e.checkVisibility({visibilityProperty: true}) || e.offsetHeight === 0).length"
    )
    assert shown == 0 and hidden == 0


@pytest.mark.parametrize("name", ["index", CHAPTER])
def test_other_sites_learn_what_to_show(book: Path, name: str) -> None:
    html = (book / f"{name}.html").read_text(encoding="utf-8")
    tags = dict(re.findall(r'<meta property="(og:[a-z:]+)" content="([^"]*)"', html))
    assert {"og:title", "og:description", "og:image", "og:image:alt"} <= set(tags)
    assert 40 < len(tags["og:description"]) <= 203
    assert tags["og:image"].endswith("_static/social-card.png")
    assert (book / "_static" / "social-card.png").exists()


def test_the_page_on_citing_shows_the_file(visit: Any, reader: Any, address: str) -> None:
    text = visit(f"{address}citing.html", context=reader).page.inner_text("article")
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    for what in (about["title"], about["message"], str(about["version"]), "@misc{vae-course"):
        assert what in text


def test_previews_are_data_and_nothing_more(book: Path) -> None:
    for page in sorted(book.glob("[01]*_*.html")):
        html = page.read_text(encoding="utf-8")
        ((data, rest),) = re.findall(
            r'<script type="application/json" id="previews">(.*?)</script>(.?)', html, re.DOTALL
        )
        known = json.loads(data)
        assert "<" not in data, rest
        for address in known:
            assert f'href="{address}"' in html, address

"""The interactive figures in the finished book: they answer to mouse, touch and keyboard, and stay still on paper."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FIGURES = {  # where each one stands
    "bound": "02_bound",
    "path": "03_sampling",
    "noise": "03_sampling",
    "shell": "06_generation",
    "explorer": "07_latents",
    "collapse": "08_clinic",
    "rate": "09_tighter",
}
STATE = """name => {
  const panel = document.querySelector(`#play-${name} .vf-panel`);
  const pictures = [...panel.querySelectorAll("canvas")].map(canvas => canvas.getAttribute("aria-label"));
  const charts = [...panel.querySelectorAll("svg.vf-chart")].map(chart => chart.innerHTML);
  return [...panel.querySelectorAll("dl, table"), ...pictures, ...charts].map(e => e.innerText ?? e).join("|");
}"""
PIXELS = """() => [...document.querySelector("#play-explorer .vf-explorer canvas").getContext("2d")
  .getImageData(0, 0, 64, 64).data].join()"""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# axe-core looks at all of a page before it looks at a part of it
LEAVE_ALONE = """name => {
  for (let e = document.querySelector(`#play-${name}`); e !== document.body; e = e.parentElement)
    for (const other of [...e.parentElement.children]) if (other !== e) other.remove();
}"""
RUN_AXE = f"""selector => axe.run(selector, {{runOnly: {RULES}, preload: false}})
  .then(found => found.violations.flatMap(rule => rule.nodes.map(node => `${{rule.id}}: ${{node.html}}`)))"""


def start_figure(page: Any, name: str) -> Any:
    """Start a figure by keyboard and return its panel."""
    page.locator(f"#play-{name} .vf-start").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('#play-{name} dd')?.textContent")
    return page.locator(f"#play-{name} .vf-panel")


def reacts(page: Any, name: str, act: Callable[[], Any]) -> bool:
    """Whether what the figure shows changes soon after some action."""
    before = page.evaluate(STATE, name)
    act()
    try:
        page.wait_for_function(
            f"([name, before]) => ({STATE})(name) !== before", arg=[name, before], timeout=5000
        )
    except playwright.TimeoutError:
        return False
    return True


def click_at(page: Any, element: Any, share: float) -> None:
    """Click an element at some share of its width."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def drag(page: Any, element: Any, share: float) -> None:
    """Drag from the middle of an element by some share of its width."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + share * box["width"], y, steps=4)
    page.mouse.up()


@pytest.fixture(params=["server", "folder"])
def place(request: pytest.FixtureRequest, address: str, book: Path) -> str:
    """Where the book is read: from a server, and from a folder."""
    return address if request.param == "server" else f"{book.as_uri()}/"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_answers_to_keyboard_and_mouse(visit: Any, place: str, name: str) -> None:
    seen = visit(f"{place}{FIGURES[name]}.html", formulas=False)
    page = seen.page
    assert any("figures/figure.js" in url for url in seen.requests)
    assert not any(
        f"figures/{file}.js" in url for url in seen.requests for file in ("tools", name)
    )  # only when asked for
    still = page.locator(f"#play-{name} img.interactive")
    assert still.is_visible()
    panel = start_figure(page, name)
    assert not still.is_visible()
    assert page.evaluate("document.activeElement.matches('.vf-panel input, .vf-panel button')")

    sliders = panel.locator("input[type=range]:visible")
    assert sliders.count() > 0
    for slider in sliders.all():
        slider.focus()
        spoken = slider.get_attribute("aria-valuetext")
        key = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
        assert reacts(page, name, lambda key=key: page.keyboard.press(key)), slider.get_attribute("id")
        assert slider.get_attribute("aria-valuetext") != spoken

    assert reacts(page, name, lambda: click_at(page, sliders.first, 0.85))
    for number, chart in enumerate(panel.locator("svg.vf-drag").all()):
        assert reacts(page, name, lambda to=chart, share=(-0.3, 0.2)[number % 2]: drag(page, to, share))
    page.wait_for_function(f"document.querySelector('#play-{name} [role=status]').textContent")

    page.evaluate(LEAVE_ALONE, name)
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
        assert page.evaluate(RUN_AXE, f"#play-{name}") == [], scheme
    page.emulate_media(media="print")
    assert still.is_visible() and panel.is_hidden()
    page.close()
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith((place, "data:", "blob:"))] == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_works_on_a_phone(browser: Any, visit: Any, address: str, name: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    seen = visit(f"{address}{FIGURES[name]}.html", context=context)
    page = seen.page
    page.locator(f"#play-{name} .vf-start").tap()
    page.wait_for_function(f"document.querySelector('#play-{name} dd')?.textContent")
    slider = page.locator(f"#play-{name} input[type=range]").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    x, y = box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2
    assert reacts(page, name, lambda: page.touchscreen.tap(x, y))
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width <= 390 and seen.complaints == []


def test_pages_without_figures_load_no_script_for_them(visit: Any, address: str) -> None:
    seen = visit(f"{address}01_dogs.html", formulas=False)
    seen.page.close()
    assert not any("/figures/" in url for url in seen.requests)


def test_what_cannot_be_loaded_is_said(visit: Any, address: str) -> None:
    page = visit(f"{address}02_bound.html", formulas=False).page
    page.route("**/bound.js", lambda route: route.abort())
    button = page.locator("#play-bound .vf-start")
    button.press("Enter")
    page.wait_for_function(
        "document.querySelector('#play-bound .vf-start').textContent.includes('try again')"
    )
    page.unroute("**/bound.js")
    start_figure(page, "bound")
    page.close()


def test_numbers_shown_are_those_of_the_functions(visit: Any, address: str) -> None:
    page = visit(f"{address}02_bound.html", formulas=False).page
    panel = start_figure(page, "bound")
    panel.locator("input[type=range]").first.press("End")
    shown = [float(text.replace("−", "-")) for text in panel.locator("dd").all_inner_texts()]
    mu, s = (float(panel.locator("input[type=range]").nth(k).input_value()) for k in range(2))
    expected = page.evaluate(
        "([mu, s]) => { const [of, m] = [vaeFigures.bound, 'straight']; return [of.logEvidence(m), of.elbo(m, mu, s),"
        " of.gap(m, mu, s), of.reconstruction(m, mu, s), of.klToPrior(mu, s)]; }",
        [mu, s],
    )
    page.close()
    assert mu == 3.5 and shown == pytest.approx(expected, abs=6e-4)
    assert shown[1] + shown[2] == pytest.approx(shown[0], abs=2e-3)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_q_climbs_to_the_posterior(browser: Any, visit: Any, address: str, motion: str) -> None:
    context = browser.new_context(reduced_motion=motion)
    page = visit(f"{address}02_bound.html", context=context, formulas=False).page
    panel = start_figure(page, "bound")
    panel.get_by_role("button", name="Climb the ELBO").press("Enter")
    gap = "Number(document.querySelectorAll('#play-bound dd')[2].textContent)"
    if motion == "reduce":
        assert page.evaluate(gap) < 0.005  # there at once
    page.wait_for_function(f"{gap} < 0.005", timeout=30_000)
    context.close()


def test_the_recording_plays_and_pauses_by_keyboard(visit: Any, address: str) -> None:
    seen = visit(f"{address}08_clinic.html", formulas=False)
    page = seen.page
    panel = start_figure(page, "collapse")
    slider, play = panel.locator("input[type=range]"), panel.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Space")
    page.wait_for_function("Number(document.querySelector('#play-collapse input').value) > 3")
    page.keyboard.press("Space")
    stopped = slider.input_value()
    page.wait_for_timeout(500)
    assert slider.input_value() == stopped
    slider.press("End")
    assert slider.input_value() == slider.get_attribute("max")
    assert panel.locator("dd").nth(1).inner_text().startswith("0 of")
    page.close()
    assert seen.complaints == []


def test_the_explorer_changes_models_and_walks(visit: Any, place: str) -> None:
    seen = visit(f"{place}07_latents.html", formulas=False)
    page = seen.page
    panel = start_figure(page, "explorer")
    assert not any("stanford.js" in url for url in seen.requests)

    def changes(act: Callable[[], Any]) -> bool:
        before = page.evaluate(PIXELS)
        act()
        page.wait_for_function(f"before => ({PIXELS})() !== before", arg=before, timeout=5000)
        return True

    for name in ("Draw from the learned prior", "Draw from N(0, I)", "Mean of all codes"):
        assert changes(lambda name=name: panel.get_by_role("button", name=name).press("Enter")), name
    assert changes(lambda: panel.get_by_label("walk from A to B").press("PageUp"))
    for way in ("arc", "arc in the learned prior"):
        assert changes(lambda way=way: panel.get_by_label(way, exact=True).check()), way
    panel.get_by_label("photos").check()
    page.wait_for_function(
        "document.querySelectorAll('#play-explorer dd')[1].textContent === '13.86'"
    )  # √192
    assert panel.get_by_role("button", name="Draw from the learned prior").is_hidden()
    assert changes(lambda: panel.get_by_role("slider", name="direction 1").press("PageUp"))
    page.close()
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith((place, "data:", "blob:"))] == []

"""The interactive figures in the finished book: they answer to mouse, touch and keyboard, and stay still on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FIGURES = {  # where each one stands
    "bound": "02_bound",
    "path": "03_sampling",
    "noise": "03_sampling",
    "shell": "06_generation",
    "explorer": "07_latents",
    "collapse": "08_clinic",
    "rate": "09_tighter",
}


def open_page(context: Any, url: str) -> tuple[Any, list[str], list[str]]:
    """A page with what it asks for and complains about."""
    page, requests, complaints = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("console", lambda m: m.type == "error" and complaints.append(f"console: {m.text}"))
    page.on("response", lambda r: r.status >= 400 and complaints.append(f"{r.status}: {r.url}"))
    page.goto(url)
    return page, requests, complaints


STATE = """name => {
  const panel = document.querySelector(`#play-${name} .vf-panel`);
  const canvases = [...panel.querySelectorAll("canvas")].map(c => c.getAttribute("aria-label"));
  return [panel.querySelector("dl").innerText, ...canvases, panel.querySelector("svg.vf-chart")?.innerHTML].join("|");
}"""


def start_figure(page: Any, name: str) -> Any:
    """Start a figure by keyboard and return its panel."""
    button = page.locator(f"#play-{name} .vf-start")
    button.focus()
    page.keyboard.press("Enter")
    panel = page.locator(f"#play-{name} .vf-panel")
    panel.locator("dd").first.wait_for()
    page.wait_for_function(f"document.querySelector('#play-{name} dd').textContent !== ''")
    return panel


def reacts(page: Any, name: str, act: Callable[[], None]) -> bool:
    """Whether what the figure shows changes soon after some action."""
    before = page.evaluate(STATE, name)
    act()
    try:
        page.wait_for_function(
            f"([name, before]) => ({STATE})(name) !== before", arg=[name, before], timeout=3000
        )
    except Exception:
        return False
    return True


@pytest.fixture(params=["server", "folder"])
def place(request: pytest.FixtureRequest, address: str, book: Path) -> str:
    """Where the book is read: from a server, and from a folder."""
    return address if request.param == "server" else f"{book.as_uri()}/"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_answers_to_keyboard_and_mouse(browser: Any, place: str, name: str) -> None:
    page, requests, complaints = open_page(browser, f"{place}{FIGURES[name]}.html")
    assert any(url.split("?")[0].endswith("figures/figure.js") for url in requests)
    assert not any("tools.js" in url or f"{name}.js" in url for url in requests)  # only when asked for
    still = page.locator(f"#play-{name} img.interactive")
    assert still.is_visible() and len(still.get_attribute("alt")) > 40
    panel = start_figure(page, name)
    assert not still.is_visible()
    assert page.evaluate("document.activeElement.closest('.vf-panel') !== null")
    assert page.evaluate("document.activeElement.matches('input, button')")

    sliders = panel.locator("input[type=range]:visible")
    for place_ in range(sliders.count()):
        slider = sliders.nth(place_)
        slider.focus()
        key = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
        spoken = slider.get_attribute("aria-valuetext")
        assert reacts(page, name, lambda key=key: page.keyboard.press(key)), f"slider {place_}"
        assert slider.get_attribute("aria-valuetext") != spoken

    box = sliders.first.bounding_box()
    assert reacts(
        page, name, lambda: page.mouse.click(box["x"] + 0.85 * box["width"], box["y"] + box["height"] / 2)
    )
    page.wait_for_function(f"document.querySelector('#play-{name} [role=status]').textContent !== ''")
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((place, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("name", "way"), [("bound", 0.3), ("path", 0.2), ("rate", -0.3), ("shell", 0.2), ("collapse", 0.3)]
)
def test_charts_can_be_dragged(browser: Any, address: str, name: str, way: float) -> None:
    page, _, complaints = open_page(browser, f"{address}{FIGURES[name]}.html")
    panel = start_figure(page, name)
    chart = panel.locator("svg.vf-drag").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + way * box["width"], y, steps=4)
        page.mouse.up()

    assert reacts(page, name, drag)
    page.close()
    assert complaints == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_works_on_a_phone(browser: Any, address: str, name: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page, _, complaints = open_page(context, f"{address}{FIGURES[name]}.html")
    button = page.locator(f"#play-{name} .vf-start")
    assert button.bounding_box()["height"] >= 24
    button.tap()
    panel = page.locator(f"#play-{name} .vf-panel")
    panel.locator("dd").first.wait_for()
    slider = panel.locator("input[type=range]").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert reacts(
        page, name, lambda: page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    )
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width <= 390 and complaints == []


@pytest.mark.parametrize("name", FIGURES)
def test_paper_shows_the_still_picture(browser: Any, address: str, name: str) -> None:
    page, _, _ = open_page(browser, f"{address}{FIGURES[name]}.html")
    start_figure(page, name)
    page.emulate_media(media="print")
    assert page.locator(f"#play-{name} img.interactive").is_visible()
    assert page.locator(f"#play-{name} .vf-panel").is_hidden()
    assert page.locator(".vf-start:visible").count() == 0
    page.close()


def test_a_page_without_figures_loads_no_script_for_them(browser: Any, address: str) -> None:
    page, requests, _ = open_page(browser, f"{address}01_dogs.html")
    page.close()
    assert not any("/figures/" in url for url in requests)


def test_numbers_shown_are_those_of_the_functions(browser: Any, address: str) -> None:
    page, _, _ = open_page(browser, f"{address}02_bound.html")
    panel = start_figure(page, "bound")
    panel.locator("input[type=range]").first.focus()
    page.keyboard.press("End")
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
def test_q_climbs_to_the_posterior(browser: Any, address: str, motion: str) -> None:
    context = browser.new_context(reduced_motion=motion)
    page, _, _ = open_page(context, f"{address}02_bound.html")
    panel = start_figure(page, "bound")
    panel.get_by_role("button", name="Climb the ELBO").press("Enter")
    page.wait_for_function(
        "document.querySelectorAll('#play-bound dd')[2].textContent.startsWith('0.00')", timeout=20_000
    )
    context.close()


def test_the_recording_plays_and_pauses_by_keyboard(browser: Any, address: str) -> None:
    page, _, complaints = open_page(browser, f"{address}08_clinic.html")
    panel = start_figure(page, "collapse")
    slider, play = panel.locator("input[type=range]"), panel.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Space")
    page.wait_for_function("Number(document.querySelector('#play-collapse input').value) > 3")
    page.keyboard.press("Space")
    stopped = slider.input_value()
    page.wait_for_timeout(500)
    assert slider.input_value() == stopped
    slider.focus()
    page.keyboard.press("End")
    assert slider.input_value() == slider.get_attribute("max")
    assert panel.locator("dd").nth(1).inner_text().startswith("0 of")
    page.close()
    assert complaints == []


@pytest.mark.parametrize("where", ["server", "folder"])
def test_the_explorer_changes_models_and_walks(browser: Any, address: str, book: Path, where: str) -> None:
    place = address if where == "server" else f"{book.as_uri()}/"
    page, requests, complaints = open_page(browser, f"{place}07_latents.html")
    panel = start_figure(page, "explorer")
    assert not any("stanford.js" in url for url in requests)
    pixels = """() => [...document.querySelector("#play-explorer .vf-explorer canvas").getContext("2d")
        .getImageData(0, 0, 64, 64).data].join()"""

    def changes(act: Callable[[], None]) -> bool:
        before = page.evaluate(pixels)
        act()
        page.wait_for_timeout(400)
        return bool(page.evaluate(pixels) != before)

    for name in ("Draw from the learned prior", "Draw from N(0, I)", "Mean of all codes"):
        assert changes(lambda name=name: panel.get_by_role("button", name=name).press("Enter")), name
    walk = panel.get_by_label("walk from A to B")
    assert changes(lambda: walk.press("PageUp"))
    for way in ("arc", "arc in the learned prior"):
        assert changes(lambda way=way: panel.get_by_label(way, exact=True).check()), way
    panel.get_by_label("photos").check()
    page.wait_for_function(
        "document.querySelectorAll('#play-explorer dd')[1].textContent === '13.86'"
    )  # √192
    assert panel.get_by_role("button", name="Draw from the learned prior").is_hidden()
    assert changes(lambda: panel.get_by_label("direction 1").press("PageUp"))
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((place, "data:", "blob:"))] == []

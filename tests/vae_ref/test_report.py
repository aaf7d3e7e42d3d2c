"""The page of results: what is on it, that it asks nobody for anything, and its map in a real browser."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_ref import trainer as trainer_module
from vae_ref.bound import kl_divergence
from vae_ref.checkpoint import Progress, load_checkpoint
from vae_ref.codecs import RatePoint
from vae_ref.config import Config
from vae_ref.dogs import Batches, DogData, load_paper
from vae_ref.evaluation import calibrate, evaluate_model
from vae_ref.latents import encode_dataset
from vae_ref.networks import VAE
from vae_ref.rate_distortion import comparison_set, measure_model
from vae_ref.report import charts, write_report
from vae_ref.report.latent_map import GRID, decode_plane, map_data
from vae_ref.report.page import Section, html_table
from vae_ref.report.results import likelihood_section, rate_distortion_section, unit_sigma_bits
from vae_ref.runs import Run
from vae_ref.trainer import Trainer

SETTINGS = Config(latent_dim=4, batch_size=16, warmup_steps=5, num_validation=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DogData:
    return load_paper(180, 24, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def run(data: DogData, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "STEPS_PER_ROW", 5)
        Trainer(SETTINGS, data, folder).train(epochs=3)
    saved = load_checkpoint(folder)
    return Run(folder, saved, SETTINGS, Progress(**saved.progress), saved.build_model(), data)


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory) -> Path:
    return write_report(run, tmp_path_factory.mktemp("page") / "new")


class Tags(HTMLParser):
    """Collects all tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def test_the_page_is_whole_and_describes_its_pictures(page: Path) -> None:
    text = page.read_text()
    tags = Tags(text)
    assert tags.named("html") == [{"lang": "en"}] and len(tags.named("h1")) == 1
    assert len(tags.named("table")) == len(tags.named("caption")) == 2
    pictures = tags.named("img")
    assert len(pictures) >= 8 and all(len(picture["alt"] or "") > 30 for picture in pictures)
    for heading in (
        "Loss curves",
        "Reconstructions",
        "Samples",
        "Interpolations",
        "Rate of each unit",
        "Latent map",
    ):
        assert f">{heading}</h2>" in text
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags.found:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set((attributes.get(name) or "").split()) <= set(ids)
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "metrics.json"]
    assert json.loads((page.parent / "metrics.json").read_text())["latent_dim"] == 4


def test_the_page_asks_nobody_for_anything(page: Path) -> None:
    text = page.read_text()
    assert "default-src 'none'" in text
    assert not re.search(
        r"(?:src|href)=\"(?!data:)|url\(|@import|fetch\(|XMLHttp|https?://(?!www\.w3\.org/2000)", text
    )


def test_text_from_outside_stays_text() -> None:
    section = Section("<b>", "a < b & c", [html_table("<i>", ("<u>",), [("<script>", "&")])])
    assert not re.search(r"<(?:b|i|u|script)>", section.html())
    assert "&lt;script&gt;" in section.html() and "a &lt; b &amp; c" in section.html()


def test_epochs_are_means_weighted_by_images() -> None:
    rows = [(40, 8.0), (100, 4.0), (150, 2.0), (200, 1.0), (230, 0.5)]
    history = [{"step": 0, "images": n, "reconstruction": v, "kl": 1.0, "loss": v + 1} for n, v in rows]
    first, second = charts.per_epoch(history, 100)  # the third is not finished
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert first["reconstruction"] == pytest.approx(0.4 * 8 + 0.6 * 4)
    assert second["loss"] == pytest.approx(0.5 * 3 + 0.5 * 2)


def test_the_plane_is_decoded_where_it_says(data: DogData) -> None:
    torch.manual_seed(0)
    model = VAE(5)
    centre, components = torch.randn(5), torch.linalg.qr(torch.randn(5, 2))[0].T
    low, high = torch.tensor([-2.0, -1.0]), torch.tensor([3.0, 4.0])
    with torch.no_grad():
        images = decode_plane(model, centre, components, low, high)
        right_end_of_second_row = centre + 3.0 * components[0] + (-1 + 5 / (GRID - 1)) * components[1]
        expected = model.decode(right_end_of_second_row[None])[0]
    assert images.shape == (GRID**2, 3, 64, 64)
    assert torch.allclose(images[2 * GRID - 1], expected, atol=1e-5)


def test_the_map_places_codes_by_their_projections(run: Run) -> None:
    mu, labels = encode_dataset(run.model, Batches(run.data.test, 256))
    found = map_data(run, mu, labels)
    places = np.stack([found["x"], found["y"]], axis=1)
    assert places.shape == (24, 2) and places.min() > 0 and places.max() < 1
    centred = (mu - mu.mean(dim=0)).double().numpy()
    _, vectors = np.linalg.eigh(centred.T @ centred)
    expected = centred @ vectors[:, ::-1][:, :2]
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], expected[:, axis])[0, 1]) > 0.9999
    assert found["label"] == labels.tolist() and len(found["factors"]) == 10


def test_a_model_is_placed_by_a_sample_and_its_rate(run: Run) -> None:
    dogs = comparison_set(run.data.test)
    point = measure_model(run.model, dogs, "curve", "setting", seed=3)
    x, _ = next(iter(Batches(dogs, 24)))
    with torch.no_grad():
        z, mu, logvar = run.model.draw(x, torch.Generator().manual_seed(3))
        errors = {
            name: (run.model.decode(code) - x).square().mean(dim=(1, 2, 3)).double()
            for name, code in (("sampled", z), ("exact", mu))
        }
    assert point.sampled.bytes == pytest.approx(
        kl_divergence(mu, logvar).mean().item() / math.log(2) / 8, rel=1e-5
    )
    assert point.sampled.psnr == pytest.approx(-10 * errors["sampled"].log10().mean().item(), rel=1e-5)
    assert point.sampled.psnr_of_mean_error == pytest.approx(
        -10 * errors["sampled"].mean().log10().item(), rel=1e-5
    )
    assert point.psnr_of_mean_code == pytest.approx(-10 * errors["exact"].log10().mean().item(), rel=1e-5)


def test_bits_at_sigma_one_follow_from_those_at_the_best(run: Run) -> None:
    model = run.model
    calibrate(model, run.data.train)
    at_best = evaluate_model(model, run.data.test).as_dict()
    sigma = model.sigma.clone()
    model.sigma.fill_(1.0)
    at_one = evaluate_model(model, run.data.test)
    model.sigma.copy_(sigma)
    assert unit_sigma_bits(at_best, 12288) == pytest.approx(at_one.bits_per_dim, rel=1e-5)
    assert at_one.bits_per_dim > at_best["bits_per_dim"]


def test_the_likelihood_table_names_the_collapse() -> None:
    numbers = {
        "kl": 380.2,
        "psnr": 21.1,
        "sigma": 0.09,
        "active_units": 100,
        "latent_dim": 128,
        "bits_per_dim": 6.6,
    }
    main = {
        **numbers,
        "reconstruction": -9000.0,
        "bits_per_dim_calibrated": {"colour": 5.96, "spectrum": 4.26, "filtered": 3.68},
    }
    collapsed = {
        **main,
        "kl": 0.0,
        "psnr": 11.98,
        "active_units": 0,
        "bits_per_dim_calibrated": {"filtered": 3.87},
    }
    evaluations = {"vae": main, "spectrum-collapsed": collapsed}
    latent_free = {"sigma": 7.1, "colour": 6.5, "spectrum": 3.88, "scales": 3.76}
    html = likelihood_section(evaluations, latent_free, {"PNG": 5.72, "WEBP": 3.96}, 12288).html()
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", html)
    cells = {name: re.findall("<td>(.*?)</td>", rest) for name, rest in rows}
    bits = [row[0] for row in cells.values()]
    assert bits[2:7] == ["6.600", "5.960", "4.260", "3.680", "3.870"]
    assert bits[7:] == ["7.100", "3.880", "3.760", "5.720", "3.960"]
    assert cells["colours × spectrum, trained under it: collapsed"] == ["3.870", "0.0", "11.98", "0 of 128"]


def test_the_curves_are_compared_in_words() -> None:
    def point(name: str, size: float, psnr: float, container: float = 0.0) -> dict:
        return RatePoint(name, f"{size:g}", size, psnr, psnr - 0.2, container).as_dict()

    measured = [
        {"sampled": point("two levels", size, psnr), "psnr_of_mean_code": psnr + 0.3}
        for size, psnr in ((300.0, 28.0), (60.0, 20.0))
    ]
    codecs = [point("WebP", 180.0, 22.0, 62), point("WebP", 300.0, 26.0, 62), point("JPEG", 350.0, 20.0, 305)]
    html = rate_distortion_section(measured, codecs).html()
    assert (
        "WebP, whole files: at its worst 2.0 dB above it where both have pictures (codec from 180 bytes)"
        in html
    )
    # the model's line has 22.58 dB at 118 bytes, where WebP without its 62 has 22, and 25.93 at 238, where it has 26
    assert (
        "without container: at its worst 0.1 dB below it where both have pictures (codec from 118 bytes)"
        in html
    )
    assert "JPEG, whole files: none there to compare, the smallest takes 350 bytes" in html
    assert html.count("<tr>") == 1 + 5 and "28.30" in html and "<td>305</td>" in html


CENTRE = """name => { const c = document.getElementById("map-" + name);
  return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 < 3); }"""
CONTRAST = """() => {
  const light = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { const c = getComputedStyle(e).backgroundColor;
      return c !== "rgba(0, 0, 0, 0)" || !e.parentElement ? c : behind(e.parentElement); };
  return [...document.querySelectorAll("h1, h2, p, b, span, th, td, caption, figcaption, label, select")]
    .filter(e => e.textContent.trim() && e.offsetWidth > 1)
    .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 80)]; })
    .filter(([ratio]) => ratio < 4.5); }"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_page_in_a_browser(page: Path, browser, width: int, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)
    requests, complaints = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.goto(page.as_uri())
    tab.wait_for_timeout(300)
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    assert complaints == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CONTRAST) == []
    tab.close()


@pytest.mark.slow
@pytest.mark.parametrize("touch", [False, True])
def test_the_map_shows_what_is_pointed_at(page: Path, browser, run: Run, touch: bool) -> None:
    mu, labels = encode_dataset(run.model, Batches(run.data.test, 256))
    found = map_data(run, mu, labels)
    places = torch.tensor([found["x"], found["y"]]).T
    dot = int(torch.cdist(places, places).fill_diagonal_(9).min(dim=1)[0].argmax())  # the loneliest one
    context = browser.new_context(
        viewport={"width": 400, "height": 800}, has_touch=touch, reduced_motion="reduce"
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.locator("#map-plane").scroll_into_view_if_needed()
    box = tab.locator("#map-svg").bounding_box()
    place = (box["x"] + found["x"][dot] * box["width"], box["y"] + (1 - found["y"][dot]) * box["height"])
    (tab.touchscreen.tap if touch else tab.mouse.move)(*place)
    assert tab.locator("#map-name").text_content() == run.data.class_names[run.data.test.labels[dot]]
    shown = np.array(tab.evaluate(CENTRE, "picture")).reshape(64, 64, 3)
    errors = [np.abs(shown - image.transpose(1, 2, 0)).mean() for image in run.data.test.images.astype(float)]
    assert int(np.argmin(errors)) == dot and min(errors) < 12  # WebP loses a little
    decoded = tab.evaluate(CENTRE, "decoded")
    tab.locator("#map-place", has_text="nearest picture").wait_for(state="attached")
    if not touch:  # dragging to the other side decodes another place
        tab.mouse.down()
        tab.mouse.move(box["x"] + (1 - found["x"][dot]) * box["width"], place[1], steps=3)
        tab.mouse.up()
        assert tab.evaluate(CENTRE, "decoded") != decoded
    context.close()


@pytest.mark.slow
def test_the_map_works_by_keyboard(page: Path, browser) -> None:
    tab = browser.new_page()
    tab.goto(page.as_uri())
    plane = tab.locator("#map-plane")
    plane.focus()
    cross = tab.locator("#map-svg .cross")
    places = [cross.get_attribute("transform")]
    for key in ("ArrowRight", "Shift+ArrowUp", "ArrowLeft", "Home"):
        tab.keyboard.press(key)
        places.append(cross.get_attribute("transform"))
    assert len(set(places)) == 4 and places[-1] == places[0] == "translate(50 50)"
    seen = set()
    for _ in range(24):
        tab.keyboard.press("PageDown")
        seen.add(
            tab.locator("#map-svg .ring").evaluate("e => e.getAttribute('cx') + ' ' + e.getAttribute('cy')")
        )
    assert len(seen) == 24  # every picture can be reached
    tab.locator("#map-place", has_text="nearest picture").wait_for(state="attached")
    assert re.search(r"% to the right, .* nearest picture: \w+", tab.locator("#map-place").text_content())
    tab.keyboard.press("Shift+Tab")  # the map does not keep the focus
    assert tab.evaluate("document.activeElement.id") == "map-colour"
    before = tab.locator("#map-svg .dot").first.get_attribute("style")
    tab.locator("#map-colour").select_option("factor:tilt")
    assert tab.locator("#map-svg .dot").first.get_attribute("style") != before
    tab.close()

"""The page itself: sections of figures and tables, filled into one HTML file that asks no other host for anything."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from matplotlib.figure import Figure

from vae_ref import figures

# metric: (how it is shown, what it is)
NUMBERS = {
    "bits_per_dim": ("{:.4f}", "Upper bound on the bits one pixel value costs; 8 without a model."),
    "bits_per_dim_error": ("{:.4f}", "Its standard error over the test images."),
    "entropy_floor": ("{:.4f}", "Bits per pixel value of the known noise: no model can go below."),
    "elbo": ("{:,.1f}", "Lower bound on log p(x), nats per image."),
    "reconstruction": ("{:,.1f}", "−log p(x|z), nats per image."),
    "kl": ("{:,.1f}", "KL(q(z|x) ‖ p(z)), what the code says about the image, nats per image."),
    "kl_bytes": ("{:,.1f}", "The same in bytes: what an ideal coder would need for a picture's code."),
    "sigma": ("{:.4f}", "Standard deviation of a pixel round the reconstruction; fitted on training images."),
    "psnr": ("{:.2f}", "Reconstructions from mean codes against the images, dB."),
    "ssim": ("{:.4f}", "Structural similarity of the same; 1 for equal pictures."),
    "active_units": ("{}", "Latent dimensions whose mean code varies with the image."),
    "latent_dim": ("{}", "Latent dimensions."),
    "parameters": ("{:,}", "Weights of encoder and decoder."),
    "training_images_per_second": ("{:,.0f}", "Speed of training."),
    "training_seconds": ("{:,.0f}", "Time spent training."),
    "training_images": ("{:,}", "Training images seen, repeats counted."),
}
# in the text above the table, in the settings, or pictures of their own
ELSEWHERE = {
    "swap_probe",
    "kl_per_unit",
    "num_images",
    "data",
    "split",
    "machine",
    "config",
    "fingerprint",
    "seed",
}


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        heading: also names the part's anchor.
        text: a plain sentence or two below it; may be empty.
        parts: figures, and finished HTML.
    """

    heading: str
    text: str
    parts: Sequence[Figure | str]

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")

    def html(self) -> str:
        parts = "\n".join(
            part if isinstance(part, str) else self._figure(part, number)
            for number, part in enumerate(self.parts, 1)
        )
        text = f'<p class="note">{escape(self.text)}</p>\n' if self.text else ""
        return (
            f'<section aria-labelledby="{self.anchor}"><h2 id="{self.anchor}">{escape(self.heading)}</h2>\n'
            f"{text}{parts}</section>"
        )

    def _figure(self, figure: Figure, number: int) -> str:
        label = escape(f"{self.heading}, figure {number}")
        return (
            f'<div class="scroll wide" tabindex="0" role="region" aria-label="{label}">'
            f"<figure>{_image(figure)}</figure></div>"
        )


def render(title: str, lead: str, metrics: dict[str, Any], sections: Iterable[Section]) -> str:
    """Fill the page's template.

    Args:
        title: heading of the page.
        lead: what it is about.
        metrics: numbers of the run.
        sections: what stands between the summary and the table of all numbers.
    """
    numbers = html_table(
        f"Measured on the {metrics['num_images']:,} images of the test side, none of which was seen in training.",
        ("Quantity", "Value", "What it is"),
        _number_rows(metrics),
    )
    settings = html_table(
        "What decides the outcome of this run, and where it ran.",
        ("Setting", "Value"),
        _setting_rows(metrics),
    )
    last = (
        Section("All numbers", "", [numbers]),
        Section("Settings", "", [settings]),
    )
    return Template(asset("page.html")).substitute(
        title=escape(title),
        lead=escape(lead),
        style=asset("page.css"),
        cards="\n".join(f"<li>{card}</li>" for card in _cards(metrics)),
        sections="\n".join(section.html() for section in (*sections, *last)),
    )


def asset(name: str) -> str:
    """A file of the template."""
    return files("vae_ref.report").joinpath(name).read_text(encoding="utf-8")


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls sideways where it does not fit.

    Args:
        caption: what it shows.
        columns: heading of each.
        rows: cells as text; the first one of a row is its heading.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(c)}</td>" for c in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
        "</table></div>"
    )


def _cards(metrics: dict[str, Any]) -> Iterator[str]:
    probe = metrics["swap_probe"]
    verdict = '<b class="good">in use</b>' if probe["passed"] else '<b class="bad">ignored: broken</b>'
    swap = (
        f"code, swap probe: {probe['own_psnr']:.1f} dB with its own, {probe['swapped_psnr']:.1f} dB swapped"
    )
    floor = f", floor {metrics['entropy_floor']:.2f}" if "entropy_floor" in metrics else ""
    yield f"<b>{metrics['bits_per_dim']:.3f}</b><span>bits per dimension{floor}</span>"
    yield f"<b>{metrics['kl']:.0f}</b><span>nats of rate (KL), {metrics['kl_bytes']:.0f} bytes a picture</span>"
    yield f"<b>{metrics['psnr']:.1f}</b><span>dB PSNR, SSIM {metrics['ssim']:.2f}</span>"
    yield f"<b>{metrics['active_units']}&thinsp;/&thinsp;{metrics['latent_dim']}</b><span>active units</span>"
    yield f"{verdict}<span>{swap}</span>"


def _image(figure: Figure) -> str:
    buffer = io.BytesIO()
    # rows of photos are a fifth of the size they have as PNG
    figure.savefig(buffer, format="webp", dpi=130, pil_kwargs={"quality": 90})
    data = base64.b64encode(buffer.getvalue()).decode()
    width, height = (round(130 * inches) for inches in figure.get_size_inches())
    alt = escape(figures.alt_text(figure))
    return f'<img src="data:image/webp;base64,{data}" alt="{alt}" width="{width}" height="{height}">'


def _number_rows(metrics: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The numbers that are explained, then whatever else was measured."""
    for name, (form, text) in NUMBERS.items():
        if name in metrics:
            yield name.replace("_", " "), form.format(metrics[name]), text
    for name, value in metrics.items():
        if name not in NUMBERS and name not in ELSEWHERE:
            yield from _flat_rows(name.replace("_", " "), value)


def _flat_rows(name: str, value: object) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat_rows(f"{name}: {str(key).replace('_', ' ')}", part)
    elif isinstance(value, float):
        yield name, f"{value:,.4f}", ""
    elif not isinstance(value, list):
        yield name, "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value), ""


def _setting_rows(metrics: dict[str, Any]) -> Iterator[tuple[str, str]]:
    settings = {
        **metrics["config"],
        "data fingerprint": metrics["fingerprint"],
        "machine": metrics["machine"],
    }
    for name, value in settings.items():
        yield name.replace("_", " "), str(value)

"""The page of results: one self-contained HTML file, with the same numbers beside it as JSON."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_ref import figures
from vae_ref.dogs import FACTOR_NAMES, Batches
from vae_ref.dogs.dataset import take
from vae_ref.files import write_text
from vae_ref.generation import generate, interpolate, reconstruct
from vae_ref.latents import encode_dataset, principal_components, traverse
from vae_ref.runs import Run, measure

NAMES = {"paper": "paper dogs", "stanford": "Stanford Dogs"}

# metric: (how it is shown, what it is)
NUMBERS = {
    "bits_per_dim": ("{:.4f}", "Upper bound on the bits one pixel value costs; 8 without a model."),
    "bits_per_dim_error": ("{:.4f}", "Its standard error over the test images."),
    "entropy_floor": ("{:.4f}", "Bits per pixel value of the known noise: no model can go below."),
    "elbo": ("{:,.1f}", "Lower bound on log p(x), nats per image."),
    "reconstruction": ("{:,.1f}", "−log p(x|z), nats per image."),
    "kl": ("{:,.1f}", "KL(q(z|x) ‖ p(z)), what the code says about the image, nats per image."),
    "sigma": ("{:.4f}", "Standard deviation of a pixel round the reconstruction; fitted on training images."),
    "psnr": ("{:.2f}", "Reconstructions from mean codes against the images, dB."),
    "active_units": ("{}", "Latent dimensions whose mean code varies with the image."),
    "latent_dim": ("{}", "Latent dimensions."),
    "parameters": ("{:,}", "Weights of encoder and decoder."),
    "training_images_per_second": ("{:,.0f}", "Speed of training."),
    "training_seconds": ("{:,.0f}", "Time spent training."),
    "training_images": ("{:,}", "Training images seen, repeats counted."),
}


def write_report(run: Run, out: Path) -> Path:
    """Measure a run and write ``index.html`` and ``metrics.json``.

    Args:
        run: the run.
        out: folder, made if needed; older files of these names are replaced.

    Returns:
        The page.

    Raises:
        CourseError: a file cannot be written.
    """
    metrics = measure(run)
    page = render(run, metrics)
    write_text(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    write_text(out / "index.html", page)
    return out / "index.html"


def render(run: Run, metrics: dict[str, Any]) -> str:
    """Fill the page's template."""
    template = Template(files("vae_ref").joinpath("report.html").read_text(encoding="utf-8"))
    name = NAMES[run.config.data]
    lead = (
        f"A variational autoencoder learnt to squeeze {name} of 64×64 pixels into "
        f"{metrics['latent_dim']} numbers, in {metrics['training_seconds'] / 60:.1f} minutes of training. "
        "Bits per dimension, rate and the look of the samples disagree with each other: read them together."
    )
    return template.substitute(
        title=f"What the autoencoder learnt about {name}",
        lead=escape(lead),
        cards=_cards(metrics),
        sections="\n".join(_section(*part) for part in _sections(run)),
        num_images=f"{metrics['num_images']:,}",
        number_rows="\n".join(_number_rows(metrics)),
        setting_rows="\n".join(_setting_rows(metrics)),
    )


def _cards(metrics: dict[str, Any]) -> str:
    probe = metrics["swap_probe"]
    verdict = '<b class="good">in use</b>' if probe["passed"] else '<b class="bad">ignored: broken</b>'
    swap = (
        f"code, swap probe: {probe['own_psnr']:.1f} dB with its own, {probe['swapped_psnr']:.1f} dB swapped"
    )
    floor = f", floor {metrics['entropy_floor']:.2f}" if "entropy_floor" in metrics else ""
    cards = (
        f"<b>{metrics['bits_per_dim']:.3f}</b><span>bits per dimension{floor}</span>",
        f"<b>{metrics['kl']:.0f}</b><span>nats of rate (KL)</span>",
        f"<b>{metrics['psnr']:.1f}</b><span>dB PSNR</span>",
        f"<b>{metrics['active_units']}&thinsp;/&thinsp;{metrics['latent_dim']}</b><span>active units</span>",
        f"{verdict}<span>{swap}</span>",
    )
    return "\n".join(f"<li>{card}</li>" for card in cards)


def _sections(run: Run) -> Iterator[tuple[str, str, list[Figure]]]:
    """Heading, text and figures of each part."""
    model, progress = run.model, run.progress
    generator = torch.Generator().manual_seed(run.config.seed)
    rows = torch.linspace(0, len(run.data.test) - 1, 20).long()
    x, _ = take(run.data.test, rows)
    yield (
        "Loss curves",
        "The bound has two terms. At first the picture improves; then the code learns to be economical.",
        [figures.loss_curves(progress.history, progress.validation)] if progress.history else [],
    )
    yield (
        "Reconstructions",
        "Test images, and what is left of them after passing through the code.",
        [figures.reconstructions(x[:10], reconstruct(model, x[:10]))],
    )
    yield (
        "Samples",
        "Decoded from random codes: dogs that nobody ever saw.",
        [figures.samples(generate(model, 40, generator))],
    )
    paths: dict[str, Tensor] = {}
    for pair in range(3):
        for method in ("slerp", "lerp"):
            a, b = x[10 + 2 * pair], x[11 + 2 * pair]
            paths[f"pair {pair + 1}, {method}"] = interpolate(model, a, b, 9, method)
    yield (
        "Interpolations",
        "From one test image to another, on the arc (slerp) and on the straight line (lerp).",
        [figures.interpolations(paths)],
    )
    yield from _latent_sections(run, x)


def _latent_sections(run: Run, x: Tensor) -> Iterator[tuple[str, str, list[Figure]]]:
    mu, labels = encode_dataset(run.model, Batches(run.data.test, 256))
    _, explained, projected = principal_components(mu, 2)
    shares = explained.tolist()
    if run.data.test.factors is None:
        drawn = [figures.latent_scatter(projected, labels, run.data.class_names, shares)]
    else:
        drawn = [
            figures.factor_scatter(projected, _factor(run, name), text, shares)
            for name, text in (
                ("coat", "coat (cream … black)"),
                ("background", "background (place on its circle)"),
            )
        ]
    yield "Latent space", "Every point is the code of one test image.", drawn

    dims = mu.var(dim=0).argsort(descending=True)[:6]
    values = torch.linspace(-2.5, 2.5, 9)
    start = run.model.encode(x[:1])[0][0].detach()
    walks = [traverse(run.model, start, int(dim), values) for dim in dims]
    images = torch.zeros(len(walks), *walks[0].shape)
    for row, walk in enumerate(walks):
        images[row] = walk
    names = [f"dimension {int(dim)}" for dim in dims]
    yield (
        "One dimension at a time",
        "One image's code with one number changed: the six that vary most between images.",
        [figures.traversals(images, names, values.tolist())],
    )


def _factor(run: Run, name: str) -> Tensor:
    factors = run.data.test.factors
    assert factors is not None  # only drawn dogs have them
    return torch.from_numpy(np.ascontiguousarray(factors[:, FACTOR_NAMES.index(name)]))


def _section(heading: str, text: str, drawn: list[Figure]) -> str:
    name = heading.lower().replace(" ", "-")
    pictures = "\n".join(
        f'<div class="scroll wide" tabindex="0" role="region" aria-label="{escape(heading)}, figure {number}">'
        f"<figure>{_image(figure)}</figure></div>"
        for number, figure in enumerate(drawn, 1)
    )
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(heading)}</h2>'
        f'<p class="note">{escape(text)}</p>\n{pictures}</section>'
    )


def _image(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    data = base64.b64encode(buffer.getvalue()).decode()
    width, height = (round(130 * inches) for inches in figure.get_size_inches())
    alt = escape(figures.alt_text(figure))
    return f'<img src="data:image/png;base64,{data}" alt="{alt}" width="{width}" height="{height}">'


def _number_rows(metrics: dict[str, Any]) -> Iterator[str]:
    for name, (form, text) in NUMBERS.items():
        if name in metrics:
            shown = name.replace("_", " ")
            yield f'<tr><th scope="row">{shown}</th><td>{form.format(metrics[name])}</td><td>{text}</td></tr>'


def _setting_rows(metrics: dict[str, Any]) -> Iterator[str]:
    settings = {
        **metrics["config"],
        "data fingerprint": metrics["fingerprint"],
        "machine": metrics["machine"],
    }
    for name, value in settings.items():
        shown = f"<code>{escape(str(value))}</code>"
        yield f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{shown}</td></tr>'

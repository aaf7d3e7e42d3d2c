"""The still pictures of the interactive figures: what stands there before a press, on paper, and without JavaScript."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from book_style import BLUE, GREEN, GREY, ORANGE, use_book_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from PIL import Image
from scipy.stats import chi2, norm

from figures import RECORDED
from vae_ref.dogs import paper_dogs
from vae_ref.figures import tile
from vae_ref.generation import lerp, slerp
from vae_ref.latents import principal_components
from vae_ref.sampling import pathwise_gradient, score_function_gradient
from vae_ref.weights import load_weights


def recording(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return value


def bound() -> Figure:
    """x = z + noise with its posterior, and a q beside it; below, the bound for every mean."""
    x, sigma, mu, s = 1.2, 0.7, -0.4, 0.9
    variance = 1 / (1 + 1 / sigma**2)
    mean = variance * x / sigma**2
    log_p = norm.logpdf(x, 0, math.sqrt(1 + sigma**2))
    z = np.linspace(-4, 4, 401)

    def elbo(mean_of_q: Any) -> Any:
        error = (x - mean_of_q) ** 2 + s**2
        reconstruction = -0.5 * (math.log(2 * math.pi * sigma**2) + error / sigma**2)
        return reconstruction - 0.5 * (mean_of_q**2 + s**2 - math.log(s**2) - 1)

    figure, (above, below) = plt.subplots(2, 1, figsize=(5.5, 5.0), sharex=True, height_ratios=(1.1, 1))
    above.plot(z, norm.pdf(z), ":", color=GREY, label="prior p(z)")
    above.plot(z, norm.pdf(z, mean, math.sqrt(variance)), color=ORANGE, label="posterior p(z|x)")
    above.plot(z, norm.pdf(z, mu, s), color=BLUE, label="q(z|x)")
    above.fill_between(z, norm.pdf(z, mu, s), color=BLUE, alpha=0.15)
    above.set(xlabel="code z", ylim=(0, 0.9))
    above.legend(loc="upper left")
    below.axhline(log_p, linestyle="--", color=ORANGE, label="log p(x)")
    below.plot(z, elbo(z), color=BLUE, label="ELBO")
    below.plot([mu, mu], [elbo(mu), log_p], color=GREEN, linewidth=4, label="gap")
    below.plot(mu, elbo(mu), "o", color=BLUE, markersize=8)
    below.set(xlabel="mean of q", ylabel="nats", ylim=(log_p - 7, log_p + 0.7))
    below.legend(loc="lower left")
    return figure


def path() -> Figure:
    """Noise, codes and the slopes of sin(1.3 z) at the codes."""
    mu, s, omega = -0.5, 0.6, 1.3
    noise = np.linspace(-1.9, 1.9, 15)
    z = np.linspace(-4, 4, 401)
    figure, axes = plt.subplots(figsize=(5.5, 3.8))
    axes.fill_between(z, 2.6, 2.6 + norm.pdf(z), color=GREY, alpha=0.3, linewidth=0)
    axes.plot(z, np.sin(omega * z) - 0.6, color=GREEN)
    for place, eps in enumerate(noise):
        colour, width, size = (ORANGE, 2.5, 7) if place == 11 else (BLUE, 0.8, 4)
        code = mu + s * eps
        value = math.sin(omega * code) - 0.6
        slope = omega * math.cos(omega * code)
        axes.plot([eps, code], [2.6, 1.2], "o-", color=colour, linewidth=width, markersize=size)
        axes.plot(
            [code - 0.25, code + 0.25],
            [value - 0.25 * slope, value + 0.25 * slope],
            color=colour,
            linewidth=2.5,
        )
    for height, text in ((2.85, "ε ~ N(0, 1)"), (1.35, "z = μ + s ε"), (0.75, "f(z)")):
        axes.text(-3.95, height, text)
    axes.set(xlim=(-4, 4), yticks=[], xlabel="noise ε above, code z below")
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    return figure


def noise() -> Figure:
    """Both estimates of the slope of E[4 + z²] at 1, whose spreads the chapter derives."""
    generator = torch.Generator().manual_seed(0)
    mean, logvar = torch.tensor([1.0]), torch.tensor([2 * math.log(0.5)])
    kinds = {"pathwise": pathwise_gradient, "score function": score_function_gradient}
    figure, panels = plt.subplots(2, 1, figsize=(5.5, 3.6), sharex=True)
    for axes, (name, estimate), colour in zip(panels, kinds.items(), (BLUE, ORANGE), strict=True):
        found = estimate(lambda z: 4 + z[:, 0].square(), mean, logvar, 2000, generator)[:, 0]
        axes.hist(found.clamp(-48, 52), bins=np.linspace(-48, 52, 61), color=colour)
        axes.axvline(2, color="black", linestyle="--", linewidth=1)
        axes.set(title=f"{name}: standard deviation {found.std():.2f}", yticks=[])
        axes.grid(False)
    panels[1].set_xlabel("estimate of the slope, which is 2")
    return figure


def shell() -> Figure:
    """Two codes in 16 dimensions: the plane they span, and the lengths along both ways."""
    dims = 16
    a, b = torch.randn(2, dims, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    root, t = math.sqrt(dims), torch.linspace(0, 1, 61, dtype=torch.float64)[:, None]
    angle = torch.acos(torch.cosine_similarity(a, b, dim=0)).item()
    low, high = (math.sqrt(chi2.ppf(share, dims)) / root for share in (0.025, 0.975))
    ends = [
        torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64) * code.norm() / root
        for code, turn in ((a, (math.pi + angle) / 2), (b, (math.pi - angle) / 2))
    ]
    figure, (plane, lengths) = plt.subplots(1, 2, figsize=(5.5, 2.8))
    plane.add_patch(Wedge((0, 0), high, 0, 180, width=high - low, color=GREY, alpha=0.3, linewidth=0))
    lengths.axhspan(low, high, color=GREY, alpha=0.3, linewidth=0)
    for name, way, colour in (("line", lerp, ORANGE), ("arc", slerp, BLUE)):
        plane.plot(*way(*ends, t).T, color=colour)
        lengths.plot(t, way(a, b, t).norm(dim=1) / root, color=colour, label=name)
    for name, end in zip("ab", ends, strict=True):
        plane.plot([0, end[0]], [0, end[1]], color=GREY, linewidth=0.8)
        plane.text(*(1.15 * end), name, ha="center")
    plane.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-0.1, 1.6), xticks=[], yticks=[])
    plane.spines[:].set_visible(False)
    plane.grid(False)
    lengths.set(xlabel="share t of the way", ylabel="length / √L", ylim=(0.3, 1.6))
    lengths.legend(loc="lower right")
    return figure


def _pictures(axes: Axes, images: torch.Tensor | np.ndarray, columns: int, labels: list[str]) -> None:
    sheet = tile(images, columns) if isinstance(images, torch.Tensor) else images
    step = sheet.shape[0] / len(labels)
    axes.imshow(sheet)
    axes.set_yticks([step * (k + 0.5) for k in range(len(labels))], labels)
    axes.set_xticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


@torch.no_grad()
def explorer() -> Figure:
    """Three principal directions and a walk of drawn dogs."""
    model, _ = load_weights("paper")
    images, _ = paper_dogs(1200, seed=7)
    mu = torch.cat([model.encode(part.float() / 255)[0] for part in images.split(200)])
    components, _, projected = principal_components(mu, 4)
    values = torch.linspace(-2, 2, 7)[:, None]
    rows = [model.decode(mu.mean(0) + values * projected[:, k].std() * components[k]) for k in (0, 1, 3)]
    assert model.learned_prior is not None
    u = torch.randn(2, model.latent_dim, generator=torch.Generator().manual_seed(3))
    walk = model.learned_prior(slerp(u[:1], u[1:], torch.linspace(0, 1, 7)[:, None]))
    figure, axes = plt.subplots(figsize=(5.5, 3.1))
    labels = ["direction 1", "direction 2", "direction 4", "walk A to B"]
    _pictures(axes, torch.cat([*rows, model.decode(walk)]), 7, labels)
    return figure


def rate() -> Figure:
    """Points of the trained models, and what three of them make of the same dogs."""
    found = recording("rate")
    columns, points = found["tiles"]["columns"], found["points"]
    figure, (chart, pictures) = plt.subplots(2, 1, figsize=(5.5, 6.2), height_ratios=(1, 1.25))
    chart.plot(*_columns(found["linear"]), "--", color=GREY, label="best linear model, by formula")
    chart.plot(*_columns(points), "o-", color=BLUE, linewidth=1, label="trained networks")
    best = min(points, key=lambda point: point["rate"] + point["distortion"])
    chart.plot(best["rate"], best["distortion"], "o", color=ORANGE, markersize=9, label="best bound")
    chart.set(yscale="log", xlabel="rate R (nats a picture)", ylabel="distortion D (nats)")
    chart.legend()
    shown = [k for k, point in enumerate(points) if point["beta"] in (1, 64, 1024)]
    sheet = np.asarray(Image.open(RECORDED / "rate.webp").convert("RGB"))
    rows = [sheet[64 * row : 64 * row + 64, : 64 * columns] for row in (0, *(k + 1 for k in shown))]
    labels = ["pictures", *(f"β = {points[k]['beta']:g}" for k in shown)]
    _pictures(pictures, np.concatenate(rows), columns, labels)
    return figure


def _columns(points: list[dict[str, float]]) -> tuple[list[float], list[float]]:
    return [point["rate"] for point in points], [point["distortion"] for point in points]


def collapse() -> Figure:
    """KL of each latent in both recorded trainings."""
    found = recording("collapse")
    figure, panels = plt.subplots(1, 2, figsize=(5.5, 2.9), sharey=True)
    for axes, run, colour in zip(panels, found["runs"], (ORANGE, GREEN), strict=True):
        axes.plot(found["steps"], run["kl"], color=colour, linewidth=1)
        axes.set(xlabel="step", title=run["name"])
        axes.title.set_fontsize(10)  # side by side they leave no room for more
    panels[0].set_ylabel("KL of each latent (nats)")
    return figure


STILLS: dict[str, Callable[[], Figure]] = {
    "bound": bound,
    "path": path,
    "noise": noise,
    "shell": shell,
    "explorer": explorer,
    "rate": rate,
    "collapse": collapse,
}
WITH_PICTURES = ("explorer", "rate")


def save(name: str, folder: Path) -> None:
    """Draw one of ``STILLS`` into a folder: charts as SVG, pictures made of pixels as JPEG."""
    use_book_style()
    figure = STILLS[name]()
    if name in WITH_PICTURES:
        figure.savefig(folder / f"{name}.jpg", dpi=170, pil_kwargs={"quality": 88})
    else:
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)

"""What the page shows of one run: its training, its pictures, and its codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_ref import figures
from vae_ref.dogs import FACTOR_NAMES, Batches
from vae_ref.dogs.dataset import take
from vae_ref.generation import generate, interpolate, reconstruct
from vae_ref.latents import encode_dataset, principal_components, traverse
from vae_ref.report import charts
from vae_ref.report.latent_map import latent_map
from vae_ref.report.page import Section
from vae_ref.runs import Run


def run_sections(run: Run, metrics: dict[str, Any]) -> Iterator[Section]:
    """The sections of one run, in the order of the page."""
    yield from _training_sections(run)
    yield from _picture_sections(run)
    yield from _latent_sections(run, metrics)


def _training_sections(run: Run) -> Iterator[Section]:
    history, validation = run.progress.history, run.progress.validation
    if not history:
        return
    kept_aside = min(run.config.num_validation, len(run.data.train) // 10)
    epochs = charts.per_epoch(history, len(run.data.train) - kept_aside)
    drawn = [figures.loss_curves(history, validation)]
    if len(epochs) > 1:
        drawn.append(charts.epoch_curves(epochs))
    yield Section(
        "Loss curves",
        "The bound has two terms. At first the picture improves; then the code learns to be economical. Above over "
        "the steps, below as means over whole epochs.",
        drawn,
    )


def _picture_sections(run: Run) -> Iterator[Section]:
    x = example_images(run, 20)
    yield Section(
        "Reconstructions",
        "Test images, and what is left of them after passing through the code.",
        [figures.reconstructions(x[:10], reconstruct(run.model, x[:10]))],
    )
    generator = torch.Generator().manual_seed(run.config.seed)
    yield Section(
        "Samples",
        "Decoded from random codes: dogs that nobody ever saw.",
        [figures.samples(generate(run.model, 40, generator))],
    )
    paths: dict[str, Tensor] = {}
    for pair in range(3):
        for method in ("slerp", "lerp"):
            a, b = x[10 + 2 * pair], x[11 + 2 * pair]
            paths[f"pair {pair + 1}, {method}"] = interpolate(run.model, a, b, 9, method)
    yield Section(
        "Interpolations",
        "From one test image to another, on the arc (slerp) and on the straight line (lerp).",
        [figures.interpolations(paths)],
    )


def _latent_sections(run: Run, metrics: dict[str, Any]) -> Iterator[Section]:
    mu, labels = encode_dataset(run.model, Batches(run.data.test, 256))
    _, explained, projected = principal_components(mu, 2)
    shares = explained.tolist()
    yield Section(
        "Rate of each unit",
        "What each latent dimension says about a picture, in nats, the most talkative first. A unit at 0 repeats "
        "the prior: it was switched off.",
        [charts.kl_per_unit(metrics["kl_per_unit"])],
    )
    if run.data.test.factors is None:
        drawn = [figures.latent_scatter(projected, labels, run.data.class_names, shares)]
    else:
        drawn = [
            figures.factor_scatter(projected, factor_values(run, name), text, shares)
            for name, text in (
                ("coat", "coat (cream … black)"),
                ("background", "background (place on its circle)"),
            )
        ]
    yield Section("Latent space", "Every point is the code of one test image.", drawn)
    yield Section(
        "Latent map",
        "The same two directions to walk through. Point at the map, tap or drag: beside it stand the nearest test "
        "picture, what the code kept of it, and the picture decoded at exactly this place, with all other directions "
        "at their mean.",
        [latent_map(run, mu, labels)],
    )
    yield _traversals(run, mu)


def _traversals(run: Run, mu: Tensor) -> Section:
    dims = mu.var(dim=0).argsort(descending=True)[:6]
    values = torch.linspace(-2.5, 2.5, 9)
    walks = [traverse(run.model, mu[0], int(dim), values) for dim in dims]
    images = torch.zeros(len(walks), *walks[0].shape)
    for row, walk in enumerate(walks):
        images[row] = walk
    names = [f"dimension {int(dim)}" for dim in dims]
    return Section(
        "One dimension at a time",
        "One image's code with one number changed: the six that vary most between images.",
        [figures.traversals(images, names, values.tolist())],
    )


def example_images(run: Run, count: int) -> Tensor:
    """Test images spread over the whole side, (count, 3, 64, 64); the same ones at each call."""
    rows = torch.linspace(0, len(run.data.test) - 1, count).long()
    return take(run.data.test, rows)[0]


def factor_values(run: Run, name: str) -> Tensor:
    """A factor of all drawn test dogs, (N,)."""
    factors = run.data.test.factors
    assert factors is not None  # only drawn dogs have them
    return torch.from_numpy(np.ascontiguousarray(factors[:, FACTOR_NAMES.index(name)]))

"""Charts that only the page of results needs: epochs, the rate of each unit, rate against distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_ref.codecs import RatePoint
from vae_ref.figures import BLUE, COLOURS, GREEN, MARKERS, ORANGE, Row, new_figure, style_axes, term

INACTIVE_NATS = 0.01  # below this a unit's rate is called switched off in the chart's description


def per_epoch(history: Sequence[Row], images_per_epoch: int) -> list[dict[str, float]]:
    """Means over whole epochs, weighted by images.

    Args:
        history: rows with "images", the number seen so far, and terms averaged since the row before.
        images_per_epoch: training images.

    Returns:
        Rows with "epoch" (1, 2, …), "reconstruction", "kl" and "loss". A row that spans the end of an epoch
        counts for the one in which its middle lies; an epoch that was not finished is left out.
    """
    names = ("reconstruction", "kl", "loss")
    seen = np.array([0, *(row["images"] for row in history)], dtype=float)
    weight = np.diff(seen)
    epoch = ((seen[1:] - weight / 2) // images_per_epoch).astype(int)
    values = np.array([[row[name] for name in names] for row in history])
    rows = []
    for number in range(int(seen[-1] // images_per_epoch)):
        chosen = epoch == number
        if chosen.any():  # of a small data set a row can span several epochs
            means = np.average(values[chosen], axis=0, weights=weight[chosen])
            rows.append({"epoch": float(number + 1), **dict(zip(names, means.tolist(), strict=True))})
    return rows


def epoch_curves(epochs: Sequence[Row]) -> Figure:
    """Draw the terms of the bound over epochs.

    Args:
        epochs: rows of ``per_epoch``.
    """
    first, last = epochs[0], epochs[-1]
    alt = (
        f"Means over {last['epoch']:.0f} epochs. The negative bound falls from {term(first, 'bound'):,.0f} to "
        f"{term(last, 'bound'):,.0f} nats per image; the KL term ends at {last['kl']:,.0f}."
    )
    figure = new_figure(10, 2.9, alt)
    panels = (
        ("reconstruction", "Reconstruction", BLUE),
        ("kl", "KL", ORANGE),
        ("bound", "−ELBO", GREEN),
    )
    number = [row["epoch"] for row in epochs]
    for axes, (name, title, colour) in zip(figure.subplots(1, 3), panels, strict=True):
        marker = "o" if len(epochs) <= 40 else ""
        axes.plot(number, [term(row, name) for row in epochs], color=colour, marker=marker, markersize=3.5)
        style_axes(axes, "epoch", "nats per image", f"{title}, mean over an epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def kl_per_unit(rates: Sequence[float]) -> Figure:
    """Draw what each latent dimension says about a picture.

    Args:
        rates: nats per image, largest first.
    """
    active = sum(rate > INACTIVE_NATS for rate in rates)
    alt = (
        f"Bars of the KL term of {len(rates)} latent dimensions, falling from {rates[0]:.2f} nats; "
        f"{active} of them say more than {INACTIVE_NATS} nats."
    )
    figure = new_figure(10, 2.9, alt)
    axes = figure.subplots()
    axes.stairs(rates, np.arange(len(rates) + 1) + 0.5, fill=True, color=BLUE)
    axes.set_xlim(0.5, len(rates) + 0.5)
    axes.set_ylim(bottom=0)
    title = f"KL of each latent dimension: {sum(rates):,.0f} nats in all, {active} dimensions above {INACTIVE_NATS}"
    style_axes(axes, "latent dimension, sorted", "nats per image", title)
    return figure


def rate_distortion(
    models: Mapping[str, Sequence[RatePoint]], codecs: Mapping[str, Sequence[RatePoint]]
) -> Figure:
    """Draw PSNR over bytes a picture: models as lines with filled markers, codecs with open ones.

    Args:
        models: points of each model's curve; their bytes are ideal code lengths.
        codecs: points of each codec's curve; their bytes are whole files. Thin dotted lines show them without
            the container, which a plain grey picture's file measures.
    """
    best = max((p for points in models.values() for p in points), key=lambda p: p.psnr, default=None)
    reach = f" The models reach {best.psnr:.1f} dB at {best.bytes:.0f} bytes." if best else ""
    least = "; ".join(
        f"{name} starts at {points[0].bytes:.0f} bytes with {points[0].psnr:.1f} dB"
        for name, points in codecs.items()
    )
    alt = f"PSNR over bytes a picture.{reach} {least}."
    figure = new_figure(8.5, 5.2, alt)
    axes = figure.subplots()
    for place, (name, points) in enumerate({**models, **codecs}.items()):
        ours = name in models
        ordered = sorted(points, key=lambda point: point.bytes)
        psnr = [point.psnr for point in ordered]
        axes.plot(
            [point.bytes for point in ordered],
            psnr,
            label=name,
            color=COLOURS[place],
            marker=MARKERS[place],
            markersize=5.5,
            fillstyle="full" if ours else "none",
            linewidth=2.2 if ours else 1.3,
        )
        if not ours:
            bare = [point.bytes - point.container_bytes for point in ordered]
            axes.plot(bare, psnr, color=COLOURS[place], linestyle=":", linewidth=1.1)
    axes.plot([], [], color="#565e70", linestyle=":", linewidth=1.1, label="codec without its container")
    axes.axvspan(60, 300, color="#56B4E9", alpha=0.08, linewidth=0)
    axes.set_xlim(0, 640)
    style_axes(
        axes,
        "bytes a picture — codecs: whole file; models: ideal code length, KL / (8 ln 2)",
        "PSNR, mean over pictures, dB",
        "Rate and distortion at 64×64",
    )
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure

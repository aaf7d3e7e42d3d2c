"""Figures of the course: functions that return a matplotlib Figure, in Okabe and Ito's colours.

This module imports no chapter: it draws arrays. Every figure carries a description for people who cannot
see it (``alt_text``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, BLACK = COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_TEXT = "#1d2230"
_TILE = 0.95  # inches
_GAP = 2  # pixels between pictures

Row = Mapping[str, float]


def alt_text(figure: Figure) -> str:
    """The description a figure was given when it was drawn."""
    return str(figure.get_label())


def new_figure(
    width: float, height: float, alt: str, layout: ConstrainedLayoutEngine | None = None
) -> Figure:
    """An empty white figure.

    Args:
        width, height: inches.
        alt: what it shows, for people who cannot see it.
        layout: how its parts are placed; matplotlib's constrained layout if None.
    """
    figure = Figure(figsize=(width, height), layout=layout or ConstrainedLayoutEngine(), facecolor="white")
    figure.set_label(alt)
    return figure


def style_axes(axes: Axes, xlabel: str, ylabel: str, title: str) -> None:
    """Label axes and take away what distracts."""
    axes.set_xlabel(xlabel, color=_TEXT)
    axes.set_ylabel(ylabel, color=_TEXT)
    axes.set_title(title, color=_TEXT, fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)


def loss_curves(history: Sequence[Row], validation: Sequence[Row] = ()) -> Figure:
    """Draw reconstruction, KL and their sum, the negative bound, over the steps of a run.

    The sum is not what is minimised where the KL is weighted, but it means the same for all runs and images.

    Args:
        history: rows with "step", "reconstruction", "kl": nats per image.
        validation: such rows for images kept aside.
    """
    last = history[-1] if history else {"step": 0, "reconstruction": 0, "kl": 0}
    alt = (
        f"Three curves over {last['step']:,.0f} training steps. At the end the reconstruction term is "
        f"{last['reconstruction']:,.0f}, the KL term {last['kl']:,.0f} and their sum {term(last, 'bound'):,.0f} "
        "nats per image."
    )
    figure = new_figure(10, 3.1, alt)
    panels = (
        ("reconstruction", "Reconstruction, −log p(x|z)", BLUE),
        ("kl", "KL(q(z|x) ‖ p(z))", ORANGE),
        ("bound", "−ELBO: their sum", GREEN),
    )
    for axes, (name, title, colour) in zip(figure.subplots(1, 3), panels, strict=True):
        axes.plot(*_columns(history, name), color=colour, linewidth=1.6, label="training")
        if validation:
            axes.plot(
                *_columns(validation, name), color=BLACK, linestyle="--", linewidth=1.1, label="kept aside"
            )
        style_axes(axes, "step", "nats per image", title)
        # the first steps are off any useful scale
        values = _columns(history, name)[1][len(history) // 20 :]
        if len(values) > 1 and np.ptp(values) > 0:
            axes.set_ylim(values.min() - 0.08 * np.ptp(values), values.max() + 0.08 * np.ptp(values))
        axes.legend(frameon=False, fontsize=8)
    return figure


def _columns(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row["step"] for row in rows]), np.array([term(row, name) for row in rows])


def term(row: Row, name: str) -> float:
    """A number of a row; "bound" is the negative one, reconstruction + KL, both at weight 1."""
    return row["reconstruction"] + row["kl"] if name == "bound" else row[name]


def tile(images: Tensor, columns: int, gap: int = _GAP) -> np.ndarray:
    """Lay pictures out in one, row by row, on white.

    Args:
        images: (N, 3, H, W), in [0, 1].
        columns: pictures in a row, at least 1.
        gap: pixels between pictures.

    Returns:
        uint8, (height, width, 3).
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    step_y, step_x = height + gap, width + gap
    sheet = np.full((rows * step_y - gap, columns * step_x - gap, channels), 255, dtype=np.uint8)
    pixels = (255 * images.detach().cpu().clamp(0, 1)).round().byte().permute(0, 2, 3, 1).numpy()
    for number, picture in enumerate(pixels):
        top, left = (number // columns) * step_y, (number % columns) * step_x
        sheet[top : top + height, left : left + width] = picture
    return sheet


def image_grid(
    images: Tensor, alt: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()
) -> Figure:
    """Lay pictures out in rows and columns.

    Args:
        images: (R, C, 3, H, W), in [0, 1].
        alt: what the figure shows, for people who cannot see it.
        row_labels: R texts on the left.
        column_labels: C texts above.
    """
    rows, columns, _, height, width = images.shape
    step_y, step_x = height + _GAP, width + _GAP
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02)
    extra_x, extra_y = (1.5 if row_labels else 0), (0.3 if column_labels else 0)
    figure = new_figure(columns * _TILE + extra_x, rows * _TILE + extra_y, alt, tight)
    axes = figure.subplots()
    axes.imshow(tile(images.flatten(0, 1), columns))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelcolor=_TEXT, labelsize=9)
    axes.set_yticks([r * step_y + height / 2 for r in range(len(row_labels))], row_labels)
    axes.set_xticks([c * step_x + width / 2 for c in range(len(column_labels))], column_labels)
    return figure


def reconstructions(x: Tensor, x_hat: Tensor) -> Figure:
    """Draw images above their reconstructions.

    Args:
        x, x_hat: (N, 3, H, W) each, in [0, 1].
    """
    pairs = x.new_empty((2, *x.shape))
    pairs[0], pairs[1] = x, x_hat
    alt = f"{len(x)} test images in the upper row and their reconstructions in the lower."
    return image_grid(pairs, alt, ("image", "reconstruction"))


def samples(images: Tensor, columns: int = 10) -> Figure:
    """Draw generated images in rows of ``columns``.

    Args:
        images: (N, 3, H, W), in [0, 1], N a multiple of ``columns``.
    """
    alt = f"{len(images)} images decoded from random codes."
    return image_grid(images.unflatten(0, (-1, columns)), alt)


def interpolations(paths: Mapping[str, Tensor]) -> Figure:
    """Draw ways from one image to another, one a row.

    Args:
        paths: images (T, 3, H, W) of each way by its name.
    """
    length = len(next(iter(paths.values())))
    rows = next(iter(paths.values())).new_empty((len(paths), *next(iter(paths.values())).shape))
    for row, images in enumerate(paths.values()):
        rows[row] = images
    alt = f"{len(paths)} rows of {length} images that change step by step from one dog to another."
    return image_grid(rows, alt, tuple(paths))


def traversals(images: Tensor, names: Sequence[str], values: Sequence[float]) -> Figure:
    """Draw what single latent dimensions do, one a row.

    Args:
        images: (D, V, 3, H, W), in [0, 1].
        names: D names of the dimensions.
        values: V values that the dimension takes.
    """
    span = f"from {values[0]:g} to {values[-1]:g}"
    alt = f"{len(names)} rows of images; in each, one latent dimension moves {span}."
    return image_grid(images, alt, names, tuple(f"{value:+.1f}" for value in values))


def latent_scatter(
    projected: Tensor, labels: Tensor, class_names: Sequence[str], explained: Sequence[float], shown: int = 6
) -> Figure:
    """Draw codes along their first two principal components, coloured by class.

    Args:
        projected: (N, 2).
        labels: class numbers, (N,).
        class_names: name of each class; the ``shown`` most frequent ones get a colour and a marker, the
            rest is grey.
        explained: shares of the variance of the two components.
    """
    points, classes = projected.detach().cpu().numpy(), labels.cpu().numpy()
    frequent = np.argsort(-np.bincount(classes, minlength=len(class_names)), kind="stable")[:shown]
    alt = (
        f"{len(points):,} codes along the two directions in which they vary most, "
        f"with {', '.join(class_names[c] for c in frequent)} marked."
    )
    figure = new_figure(7.5, 5, alt)
    axes = figure.subplots()
    rest = ~np.isin(classes, frequent)
    if rest.any():
        axes.scatter(points[rest, 0], points[rest, 1], s=4, color="#b9bec9", linewidths=0, label="other")
    for place, number in enumerate(frequent):
        chosen = points[classes == number]
        face = to_rgba(COLOURS[place % len(COLOURS)], 0.75)
        marker = MARKERS[place % len(MARKERS)]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=16,
            color=[face],
            marker=marker,
            linewidths=0,
            label=class_names[number],
        )
    title = "Mean codes of test images, main directions"
    style_axes(axes, f"component 1 ({explained[0]:.0%})", f"component 2 ({explained[1]:.0%})", title)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def factor_scatter(projected: Tensor, values: Tensor, name: str, explained: Sequence[float]) -> Figure:
    """Draw codes along their first two principal components, coloured by a known factor.

    Args:
        projected: (N, 2).
        values: the factor's value for each image, (N,).
        name: of the factor, with its unit.
        explained: shares of the variance of the two components.
    """
    alt = f"{len(projected):,} codes along the two directions in which they vary most, coloured by {name}."
    figure = new_figure(6.5, 5, alt)
    axes = figure.subplots()
    points = projected.detach().cpu().numpy()
    drawn = axes.scatter(
        points[:, 0], points[:, 1], s=9, c=values.cpu().numpy(), cmap="cividis", linewidths=0
    )
    title = "Mean codes of test images, main directions"
    style_axes(axes, f"component 1 ({explained[0]:.0%})", f"component 2 ({explained[1]:.0%})", title)
    figure.colorbar(drawn, ax=axes, label=name)
    return figure

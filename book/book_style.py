"""How the book's figures look: the colours of Okabe and Ito, which colour-blind readers can tell apart."""

from __future__ import annotations

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib_inline.backend_inline import set_matplotlib_formats

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"


def use_book_style(image_format: str = "svg") -> None:
    """Draw figures 5.5 inches wide, so that their text can still be read on a phone.

    Args:
        image_format: ``svg`` for lines, ``retina`` (PNG with doubled resolution) for pictures made of pixels.
    """
    set_matplotlib_formats(image_format)
    plt.rcParams.update(
        {
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, GREY]),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",  # a white card in dark mode
            "figure.figsize": (5.5, 3.4),
            "font.size": 11,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "svg.hashsalt": "book",
        }
    )

"""The map of codes on the page: test pictures on their two main directions, with decodes of the plane below them.

Everything the map shows is computed here and travels inside the page; ``latent_map.js`` only moves it about.
"""

from __future__ import annotations

import base64
import io
import json
import math
from string import Template
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from vae_ref.dogs import FACTOR_NAMES
from vae_ref.dogs.dataset import take
from vae_ref.figures import tile
from vae_ref.generation import reconstruct
from vae_ref.latents import principal_components
from vae_ref.networks import VAE
from vae_ref.report.page import asset
from vae_ref.runs import Run

MAX_POINTS = 324
GRID = 15  # decodes along each direction
MARGIN = 0.04  # of the points' range, on each side


def latent_map(run: Run, mu: Tensor, labels: Tensor) -> str:
    """HTML of the map.

    Args:
        run: the model and the test images.
        mu: mean codes of all test images, (N, L).
        labels: their classes, (N,).
    """
    data = map_data(run, mu, labels)
    # "</" would end the script element early
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    first, second = (f"{share:.0%}" for share in data["explained"])
    return Template(asset("latent_map.html")).substitute(
        data=text, script=asset("latent_map.js"), first=first, second=second, count=len(data["x"])
    )


@torch.no_grad()
def map_data(run: Run, mu: Tensor, labels: Tensor) -> dict[str, Any]:
    """What the script needs: places in [0, 1]² of the plane, names, and sheets of pictures.

    Args:
        run: a trained model with its data.
        mu: its mean codes of the test side, (N, L).
        labels: their classes, (N,).
    """
    components, explained, projected = principal_components(mu, 2)
    rows = torch.linspace(0, len(mu) - 1, min(MAX_POINTS, len(mu))).long()
    points = projected[rows]
    low, high = points.min(dim=0)[0], points.max(dim=0)[0]
    room = MARGIN * (high - low).clamp(min=1e-6)
    low, high = low - room, high + room
    places = (points - low) / (high - low)
    x, _ = take(run.data.test, rows)
    factors = run.data.test.factors
    return {
        "x": _short(places[:, 0]),
        "y": _short(places[:, 1]),
        "label": labels[rows].tolist(),
        "names": [name.replace("_", " ") for name in run.data.class_names],
        "factors": {}
        if factors is None
        else {
            name.replace("_", " "): _short(torch.from_numpy(factors[rows.numpy(), column]))
            for column, name in enumerate(FACTOR_NAMES)
        },
        "explained": explained.tolist(),
        "grid": GRID,
        "size": x.shape[-1],
        "pictures": sheet(x),
        "restored": sheet(reconstruct(run.model, x)),
        "plane": sheet(decode_plane(run.model, mu.mean(dim=0), components, low, high)),
    }


def decode_plane(model: VAE, centre: Tensor, components: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Decode a grid of codes on a plane.

    Args:
        model: a VAE.
        centre: code in which the plane's origin lies, (L,).
        components: the plane's two directions, (2, L).
        low, high: the grid's first and last place along each direction, (2,).

    Returns:
        GRID² images, row by row: the first direction to the right, the second downwards from ``low``.
    """
    share = torch.linspace(0, 1, GRID)
    v, u = torch.meshgrid(share, share, indexing="ij")
    places = low + (high - low) * torch.stack([u.flatten(), v.flatten()], dim=1)  # (GRID², 2)
    return model.decode(centre + places @ components)


def sheet(images: Tensor) -> str:
    """Pictures in a square sheet, row by row, as the data of a WebP file.

    Args:
        images: (N, 3, S, S), in [0, 1].
    """
    pixels = tile(images, math.ceil(math.sqrt(len(images))), gap=0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _short(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]

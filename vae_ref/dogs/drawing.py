"""Paper Dogs: portraits cut from coloured paper, drawn by code from ten independent, known factors.

Every picture is a stack of anti-aliased ellipses plus sensor noise of known strength. So two things are known
that no photo set offers: what a good code should contain (the factors), and how many bits no model can save
(the noise, see ``entropy_floor``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

IMAGE_SIZE = 64
NOISE_SIGMA = 2 / 255  # standard deviation of the sensor noise, in units of [0, 1]

# name: (lowest, highest value); drawn uniformly and independently
FACTORS: dict[str, tuple[float, float]] = {
    "coat": (0.0, 4.0),  # place on the palette below
    "ear_pose": (-80.0, 70.0),  # degrees: hanging … pricked
    "ear_length": (6.5, 10.5),  # pixels, half the ear
    "snout": (6.0, 10.0),  # pixels, half the width
    "eye_gap": (4.5, 8.5),  # pixels from the middle of the face
    "patch": (0.0, 9.0),  # pixels, radius of the patch round one eye
    "tilt": (-22.0, 22.0),  # degrees, head leaning to its left … right
    "background": (0.0, 1.0),  # place on a circle of paper colours
    "position": (-5.0, 5.0),  # pixels left … right
    "head_width": (13.0, 18.0),  # pixels, half the width
}
FACTOR_NAMES = tuple(FACTORS)

COAT_NAMES = ("cream", "golden", "chestnut", "slate", "black")
_COATS = np.array([[238, 218, 184], [222, 164, 84], [150, 86, 48], [116, 124, 138], [58, 54, 60]]) / 255
_INK, _WHITE, _TONGUE, _COLLAR, _TAG = (
    np.array(colour) / 255
    for colour in ((32, 28, 34), (240, 236, 228), (226, 112, 120), (196, 58, 60), (240, 196, 70))
)
CHUNK = 32  # images drawn at once: few enough for the arrays to stay in the processor's cache
_NECK = 46.0  # row about which the head tilts


def _shape(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float, soft: float = 1.0) -> Tensor:
    """Coverage in [0, 1] of an ellipse at the origin; its edge fades over ``soft`` pixels."""
    # signed distance to first order: f / |∇f| of f(p) = |p / r| − 1 is |p / r| (|p / r| − 1) / |p / r²|
    u, v = (x / rx).square(), (y / ry).square()
    norm = (u + v).sqrt_()  # |p / r|
    steepness = (u / rx**2 + v / ry**2).sqrt_().add_(1e-6)  # |p / r²|
    return norm.mul_(1 - norm).div_(steepness.mul_(soft)).add_(0.5).clamp_(0, 1)


class _Canvas:
    """Pictures of a batch, painted from back to front."""

    def __init__(self, colour: Tensor) -> None:
        self.pixels = colour.expand(-1, -1, IMAGE_SIZE, IMAGE_SIZE).clone()  # (B, 3, 64, 64)

    def paint(self, coverage: Tensor, colour: Tensor) -> None:
        # only exactly rounded operations (+ − × ÷ √) touch pixels, so a picture does not depend on its batch
        self.pixels += coverage[:, None] * (colour - self.pixels)

    def shade(self, coverage: Tensor, strength: float) -> None:
        self.pixels *= (1 - strength * coverage)[:, None]


def _colour(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.atleast_2d(values).astype(np.float32))[:, :, None, None]  # (B or 1, 3, 1, 1)


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None, None]  # (B, 1, 1)


def _colours(coat: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours (B, 3) of the coat and of the paper behind it."""
    place = np.clip(coat, 0, len(_COATS) - 1)
    fur = np.stack([np.interp(place, np.arange(len(_COATS)), channel) for channel in _COATS.T], axis=1)
    thirds = np.array([0.0, 1 / 3, 2 / 3])
    paper = 0.72 + 0.13 * np.cos(2 * math.pi * (background[:, None] - thirds))
    return fur, paper


def _draw_chunk(factors: np.ndarray) -> Tensor:
    """Noise-free pictures of at most ``CHUNK`` factor vectors."""
    named = dict(zip(FACTOR_NAMES, factors.T, strict=True))
    fur, paper = _colours(named["coat"], named["background"])
    light, dark = fur + 0.55 * (_WHITE - fur), fur * 0.72
    # a patch is a darker spot on a pale coat and a paler one on a dark coat, without a jump in between
    weight = np.clip((fur.mean(1, keepdims=True) - 0.35) / 0.3, 0, 1)
    spot = weight * fur * 0.5 + (1 - weight) * (0.45 * fur + 0.55 * _WHITE)
    middle = 32 + named["position"]
    grid = torch.arange(IMAGE_SIZE, dtype=torch.float32) + 0.5
    y, x = grid[:, None], grid[None, :]
    canvas = _Canvas(_colour(paper))

    body = x - _column(32 + 0.6 * named["position"])  # (B, 1, 64)
    canvas.shade(_shape(body - 1, y - 66, 18.0, 18.0, soft=5.0), 0.28)
    canvas.paint(_shape(body, y - 65, 17.0, 18.0), _colour(fur * 0.9))
    canvas.paint(_shape(body, y - 66, 8.5, 13.0), _colour(light))
    canvas.paint(_shape(body, y - 51.5, 10.5, 3.4), _colour(_COLLAR))
    canvas.paint(_shape(body, y - 56.5, 2.8, 2.8), _colour(_TAG))

    # the head's own axes: turned by the tilt about the neck, origin in the middle of the face
    angle = np.deg2rad(named["tilt"])
    cos, sin = _column(np.cos(angle)), _column(np.sin(angle))
    dx, dy = x - _column(middle), y - _NECK
    hx, hy = cos * dx + sin * dy, cos * dy - sin * dx + (_NECK - 31)  # (B, 64, 64)
    _draw_head(canvas, hx, hy, named, fur, light, dark, spot)
    return canvas.pixels


def _draw_head(
    canvas: _Canvas,
    x: Tensor,
    y: Tensor,
    named: dict[str, np.ndarray],
    fur: np.ndarray,
    light: np.ndarray,
    dark: np.ndarray,
    spot: np.ndarray,
) -> None:
    """Paint head, ears and face in the head's own axes; |x| paints both sides at once."""
    width, side = _column(named["head_width"]), x.abs()
    canvas.shade(_shape(x - 1, y - 2, width + 1, 17.0, soft=5.0), 0.28)
    canvas.paint(_shape(x, y, width, 16.0), _colour(fur))

    # an ear is an ellipse whose root sits on the head's upper edge
    angle, length = np.deg2rad(named["ear_pose"]), named["ear_length"]
    cos, sin = _column(np.cos(angle)), _column(np.sin(angle))
    root_x, root_y = _column(0.72 * named["head_width"]), -9.5
    along = (side - root_x) * cos - (y - root_y) * sin - _column(length - 3.5)
    across = (side - root_x) * sin + (y - root_y) * cos
    half, breadth = _column(length), _column(3.6 + 0.12 * length)
    canvas.shade(_shape(along, across - 1, half + 1, breadth + 1, soft=4.0), 0.22)
    canvas.paint(_shape(along, across, half, breadth), _colour(dark))
    canvas.paint(
        _shape(along + 0.5, across, 0.62 * half, 0.5 * breadth), _colour(dark + 0.35 * (_TONGUE - dark))
    )

    eye_x, radius = _column(named["eye_gap"]), _column(np.maximum(named["patch"], 1e-3))
    # a growing patch fades in instead of popping up
    patch = _shape(x - eye_x, y + 3, radius, 1.15 * radius) * radius.clamp(max=1)
    canvas.paint(patch, _colour(spot))

    snout = _column(named["snout"])
    canvas.paint(_shape(x, y - 13.2, 3.2, 4.6), _colour(_TONGUE))
    canvas.shade(_shape(x, y - 8, snout + 1, 7.2, soft=3.0), 0.18)
    canvas.paint(_shape(x, y - 7.5, snout, 6.6), _colour(light))
    canvas.paint(_shape(x, y - 9, 0.55, 3.2), _colour(_INK))
    canvas.paint(_shape(x, y - 3.8, 0.38 * snout, 2.3), _colour(_INK))
    canvas.paint(_shape(x + 0.9, y - 3.1, 1.1, 0.6), _colour(0.5 * (_INK + _WHITE)))

    canvas.paint(_shape(side - eye_x, y + 3, 2.9, 3.3), _colour(_WHITE))
    canvas.paint(_shape(side - eye_x, y + 2.8, 2.2, 2.7), _colour(_INK))
    canvas.paint(_shape(side - eye_x + 0.7, y + 3.8, 0.9, 0.9), _colour(_WHITE))


def draw_paper_dogs(factors: Tensor | np.ndarray | Sequence[Sequence[float]]) -> Tensor:
    """Draw the noise-free pictures of given factors.

    Args:
        factors: (B, 10), one column for each of ``FACTOR_NAMES``, in the units of ``FACTORS``.

    Returns:
        Pictures, float32, (B, 3, 64, 64), in [0.03, 0.97].

    Raises:
        ValueError: ``factors`` does not have ten columns.
    """
    array = np.asarray(factors, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(FACTORS):
        raise ValueError(f"factors must have shape (B, {len(FACTORS)}), got {array.shape}")
    pictures = torch.empty(len(array), 3, IMAGE_SIZE, IMAGE_SIZE)
    for start in range(0, len(array), CHUNK):
        pictures[start : start + CHUNK] = _draw_chunk(array[start : start + CHUNK])
    return pictures


def paper_dogs(num_images: int, seed: int = 0, first: int = 0) -> tuple[Tensor, Tensor]:
    """Draw the pictures ``first`` … ``first + num_images − 1`` of the endless series that ``seed`` names.

    Picture i of a seed is always the same, whatever else is drawn with it.

    Args:
        num_images: how many pictures, B.
        seed: which series, 0 or more.
        first: number of the first picture, 0 or more.

    Returns:
        images, uint8, (B, 3, 64, 64), and their factors, float32, (B, 10), columns in ``FACTOR_NAMES``.
    """
    low, high = np.array(list(FACTORS.values())).T
    images = torch.empty(num_images, 3, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
    factors = np.empty((num_images, len(FACTORS)), dtype=np.float32)
    for start in range(0, num_images, CHUNK):
        stop = min(start + CHUNK, num_images)
        # a counter-based generator for each picture: its stream depends on (seed, number) alone
        streams = [np.random.Generator(np.random.Philox(key=[seed, first + i])) for i in range(start, stop)]
        factors[start:stop] = [low + (high - low) * stream.random(len(FACTORS)) for stream in streams]
        noise = np.stack(
            [stream.standard_normal((3, IMAGE_SIZE, IMAGE_SIZE), np.float32) for stream in streams]
        )
        levels = 255 * (draw_paper_dogs(factors[start:stop]) + NOISE_SIGMA * torch.from_numpy(noise))
        images[start:stop] = levels.round_().clamp_(0, 255).to(torch.uint8)
    return images, torch.from_numpy(factors)


def entropy_floor() -> float:
    """Entropy of a noisy pixel given its noise-free colour: no model codes the set in fewer bits/dim.

    The noise is N(0, 2²) in grey levels, rounded to whole levels; level k has probability
    Φ((k + ½ − m)/2) − Φ((k − ½ − m)/2), and the sum −Σ p log₂ p is 3.0620 whatever the colour m: it varies
    by less than 1e-12 as m moves between two levels. That is h(N + uniform), about ½ log₂ 2πe(2² + 1/12), a
    little above the log₂ 2√(2πe) = 3.0471 of noise that is not rounded. Colours keep five σ from black and
    white, so clipping (about 1e-7 of the pixels) does not show in the fourth decimal.

    A set's entropy lies above the floor by what the factors tell, about 0.01 bits/dim; a Gaussian
    likelihood of dequantised pixels cannot go below ½ log₂ 2πe(2² + 1/6) = 3.0765.
    """
    sigma = 255 * NOISE_SIGMA
    levels = np.arange(-30, 31)
    probability = ndtr((levels + 0.5) / sigma) - ndtr((levels - 0.5) / sigma)
    probability = probability[probability > 0]
    return float(-(probability * np.log2(probability)).sum())

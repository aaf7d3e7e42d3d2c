"""From a photo to a training image: cut out the dog, resize, and vary it a little."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vae_ref.inputs import require_images

MAX_BRIGHTNESS_CHANGE = 0.2


def crop_and_resize(image: Image.Image, box: tuple[float, float, float, float], size: int) -> Tensor:
    """Cut a picture to its box, bring the short side to ``size`` and take the central square.

    Args:
        image: any PIL picture; greyscale, palette and CMYK pictures become RGB.
        box: (xmin, ymin, xmax, ymax) in pixels of ``image``; what lies outside the picture is cut off.
        size: side of the result in pixels, at least 1.

    Returns:
        The square, uint8, (3, size, size).

    Raises:
        ValueError: ``size`` is below 1, the box is no four finite numbers, or it has no pixel in common with the
            picture.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    if len(box) != 4 or not all(math.isfinite(corner) for corner in box):
        raise ValueError(f"box must be four finite numbers (xmin, ymin, xmax, ymax), got {box}")
    # rounded to whole pixels, then clipped to the picture
    left, top = max(round(box[0]), 0), max(round(box[1]), 0)
    right, bottom = min(round(box[2]), image.width), min(round(box[3]), image.height)
    if left >= right or top >= bottom:
        raise ValueError(f"box {box} has no pixel in common with the {image.width}×{image.height} picture")
    image = image.convert("RGB").crop((left, top, right, bottom))
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short  # the short side is now exactly size
    # Pillow widens the bilinear filter when it shrinks a picture, so nothing aliases
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()  # (H, W, 3) → (3, H, W)


def augment(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror each image with probability ½ and change its brightness by up to ±20 %.

    For training images only: an augmented test image is another test.

    Args:
        x: images, (B, 3, H, W), float in [0, 1]; left as it is.
        generator: source of the randomness; the global one if None.

    Returns:
        The varied images, (B, 3, H, W), in [0, 1]; every image has its own coin and its own factor.

    Raises:
        TypeError: not floating point.
        ValueError: another shape, no image, NaN, or values outside [0, 1].
    """
    require_images(x)  # clamped below, anything would look right
    chance = torch.rand((2, len(x), 1, 1, 1), generator=generator, device=x.device, dtype=x.dtype)
    brightness = 1 + MAX_BRIGHTNESS_CHANGE * (2 * chance[1] - 1)  # (B, 1, 1, 1), uniform in [0.8, 1.2)
    mirrored = torch.where(chance[0] < 0.5, x.flip(-1), x)
    return (mirrored * brightness).clamp(0, 1)

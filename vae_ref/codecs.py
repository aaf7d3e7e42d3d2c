"""Image codecs as yardsticks: what PNG, WebP, JPEG and AVIF need for the pictures a model compresses.

A codec is charged for the whole file it writes, container included, for that is what one has to keep. In small
pictures the container weighs: a plain grey one of 64×64 shows how much (``RatePoint.container_bytes``).
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image, features

PEAK_DECIBEL = 100.0  # stands for an exact copy, as in the evaluation of models


@dataclass(frozen=True)
class Codec:
    """A lossy codec at its best effort.

    Attributes:
        name: as people write it.
        format: Pillow's name of it.
        effort: Pillow's options for small files, whatever the time.
        qualities: settings to measure, from the smallest file to the best picture.
    """

    name: str
    format: str
    effort: dict[str, int | bool]
    qualities: tuple[int, ...]


# AVIF's slower speeds 3 … 0 gain less than 0.4 dB at the same size on such pictures, and take ten times as long
CODECS = (
    Codec("WebP", "WEBP", {"method": 6}, (0, 2, 5, 10, 15, 30)),
    Codec("JPEG", "JPEG", {"optimize": True}, (1, 5, 10, 15, 20, 30)),
    Codec("AVIF", "AVIF", {"speed": 4, "max_threads": 1}, (0, 10, 20, 30, 40)),
)
LOSSLESS: dict[str, dict[str, int | bool]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "quality": 100, "method": 6},
}


@dataclass(frozen=True)
class RatePoint:
    """What some pictures cost under one setting, and how good they are: means over the pictures.

    Attributes:
        name: of the codec or the model.
        setting: quality of the codec, or what distinguishes the model.
        bytes: of a picture.
        psnr: mean of each picture's PSNR, dB.
        psnr_of_mean_error: PSNR of the mean squared error over all pictures, dB; never above ``psnr``.
        container_bytes: of a plain grey picture's file under this setting; 0 for models.
    """

    name: str
    setting: str
    bytes: float
    psnr: float
    psnr_of_mean_error: float
    container_bytes: float = 0.0

    def as_dict(self) -> dict[str, float | str]:
        return asdict(self)


def has_format(form: str) -> bool:
    """Whether this Pillow can write a format; AVIF came with version 11.3."""
    return form not in ("WEBP", "AVIF") or bool(features.check(form.lower()))


def measure_codec(images: np.ndarray, codec: Codec, quality: int) -> RatePoint:
    """Compress pictures, open them again, and compare.

    Args:
        images: uint8, (N, 3, H, W), at least one.
        codec: which one; its format must be there (``has_format``).
        quality: Pillow's setting, 0 to 100.
    """
    options = {"quality": quality, **codec.effort}
    sizes, errors = [], []
    for image in images:
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))  # (H, W, 3)
        file = _encode(pixels, codec.format, options)
        back = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), dtype=np.float64)
        sizes.append(len(file))
        errors.append(np.square((back - pixels) / 255).mean())
    grey = np.full((*images.shape[2:], 3), 128, dtype=np.uint8)
    return RatePoint(
        name=codec.name,
        setting=f"quality {quality}",
        bytes=float(np.mean(sizes)),
        psnr=float(np.mean([_decibel(error) for error in errors])),
        psnr_of_mean_error=_decibel(float(np.mean(errors))),
        container_bytes=float(len(_encode(grey, codec.format, options))),
    )


def lossless_bits_per_dim(images: np.ndarray, form: str) -> float:
    """Bits that a pixel value costs in a lossless file, container included.

    Args:
        images: uint8, (N, 3, H, W), at least one.
        form: "PNG" or "WEBP", at its best effort.
    """
    sizes = [
        len(_encode(np.ascontiguousarray(image.transpose(1, 2, 0)), form, LOSSLESS[form])) for image in images
    ]
    return float(8 * np.mean(sizes) / images[0].size)


def smallest_gain(model: Sequence[RatePoint], codec: Sequence[RatePoint], low: float, high: float) -> float:
    """By how many dB a model's curve lies above a codec's at the least, between two sizes.

    Between two points a curve is taken as straight. Only sizes that both curves reach count: a codec has no
    picture below its smallest file.

    Args:
        model, codec: points of each curve, in any order.
        low, high: bytes a picture.

    Returns:
        The smallest difference, dB, negative where the codec is better; infinity if no size is reached by both.
    """
    curves = [sorted((point.bytes, point.psnr) for point in points) for points in (model, codec)]
    low = max(low, *(curve[0][0] for curve in curves))
    high = min(high, *(curve[-1][0] for curve in curves))
    if low > high:
        return math.inf
    knots = [size for curve in curves for size, _ in curve if low < size < high]
    sizes = np.array([low, *knots, high])  # the difference of two such curves is smallest at a knot
    ours, theirs = (np.interp(sizes, *np.array(curve).T) for curve in curves)
    return float((ours - theirs).min())


def _encode(pixels: np.ndarray, form: str, options: dict[str, int | bool]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _decibel(error: float) -> float:
    return min(PEAK_DECIBEL, -10 * math.log10(max(error, 1e-300)))

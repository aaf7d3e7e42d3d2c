"""Codecs as yardsticks: sizes and PSNR against files written by hand, and the comparison of two curves."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from vae_ref.codecs import (
    CODECS,
    RatePoint,
    has_format,
    lossless_bits_per_dim,
    measure_codec,
    smallest_gain,
)
from vae_ref.dogs import paper_dogs

WEBP, JPEG, AVIF = CODECS


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return paper_dogs(6, seed=0)[0].numpy()


def file_of(image: np.ndarray, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.moveaxis(image, 0, -1)).save(buffer, form, **options)
    return buffer.getvalue()


def test_a_point_is_the_mean_over_files_written_by_hand(images: np.ndarray) -> None:
    point = measure_codec(images, JPEG, 20)
    files = [file_of(image, "JPEG", quality=20, optimize=True) for image in images]
    errors = [
        np.mean((np.asarray(Image.open(io.BytesIO(file))) / 255.0 - np.moveaxis(image, 0, -1) / 255.0) ** 2)
        for file, image in zip(files, images, strict=True)
    ]
    assert point.bytes == pytest.approx(np.mean([len(file) for file in files]))
    assert point.psnr == pytest.approx(np.mean([10 * math.log10(1 / error) for error in errors]))
    assert point.psnr_of_mean_error == pytest.approx(10 * math.log10(1 / np.mean(errors)))
    assert point.psnr > point.psnr_of_mean_error  # Jensen: −log is convex
    grey = np.full((3, 64, 64), 128, np.uint8)
    assert point.container_bytes == len(file_of(grey, "JPEG", quality=20, optimize=True))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_more_quality_costs_more_bytes_and_gives_a_better_picture(images: np.ndarray, codec) -> None:
    if not has_format(codec.format):
        pytest.skip(f"this Pillow cannot write {codec.name}")
    points = [measure_codec(images, codec, quality) for quality in (codec.qualities[0], codec.qualities[-1])]
    assert points[0].bytes < points[1].bytes and points[0].psnr < points[1].psnr
    assert points[0].container_bytes < points[0].bytes


def test_lossless_files_are_charged_whole(images: np.ndarray) -> None:
    expected = np.mean([len(file_of(image, "PNG", optimize=True)) for image in images]) * 8 / (3 * 64 * 64)
    assert lossless_bits_per_dim(images, "PNG") == pytest.approx(expected)
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8)
    for form in ("PNG", "WEBP"):
        assert 8 < lossless_bits_per_dim(noise, form) < 8.2  # uniform noise cannot be compressed


def curve(*points: tuple[float, float]) -> list[RatePoint]:
    return [RatePoint("curve", str(size), size, psnr, psnr) for size, psnr in points]


def test_the_smallest_gain_is_found_between_the_points() -> None:
    model, codec = curve((300, 30), (100, 20)), curve((150, 20), (250, 29), (400, 30))
    # differences: at 150 22.5 − 20, at 250 27.5 − 29, at 300 30 − 29⅓; below 150 the codec has no file
    assert smallest_gain(model, codec, 60, 300) == pytest.approx(-1.5)
    assert smallest_gain(model, codec, 60, 200) == pytest.approx(25 - 24.5)
    assert smallest_gain(model, codec, 60, 140) == math.inf
    assert smallest_gain(curve((100, 20)), codec, 60, 300) == math.inf

"""The data: cropping against torchvision, augmentation, and drawn dogs of known factors and noise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm
from torchvision.transforms.v2 import functional as tv

from vae_ref.dogs import (
    FACTOR_NAMES,
    FACTORS,
    NOISE_SIGMA,
    augment,
    crop_and_resize,
    draw_paper_dogs,
    entropy_floor,
    paper_dogs,
)
from vae_ref.dogs.album import open_album
from vae_ref.errors import CourseError

from .conftest import TinyStanford


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("shape", [(90, 70), (70, 90), (65, 200), (31, 33)])
@pytest.mark.parametrize("size", [16, 32, 33])
def test_crop_and_resize_agrees_with_torchvision(shape: tuple[int, int], size: int) -> None:
    image = photo(shape[0] + 20, shape[1] + 10)
    box = (7, 5, 7 + shape[0], 5 + shape[1])
    cropped = tv.crop(image, box[1], box[0], shape[1], shape[0])
    expected = tv.pil_to_tensor(
        tv.center_crop(tv.resize(cropped, size, Image.Resampling.BILINEAR), [size, size])
    )
    result = crop_and_resize(image, box, size)
    assert result.dtype == torch.uint8
    assert torch.equal(result, expected)


def test_crop_and_resize_clips_the_box_and_accepts_other_modes() -> None:
    image = photo(40, 30)
    assert torch.equal(
        crop_and_resize(image, (-9, -9, 99, 99), 16), crop_and_resize(image, (0, 0, 40, 30), 16)
    )
    for mode in ("L", "P", "CMYK", "RGBA"):
        assert crop_and_resize(image.convert(mode), (0, 0, 40, 30), 16).shape == (3, 16, 16)


@pytest.mark.parametrize("box", [(40, 0, 50, 10), (-10, 0, 0, 10), (20, 5, 10, 15)])
def test_crop_and_resize_refuses_a_box_without_pixels(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="no pixel in common with the 40×30"):
        crop_and_resize(photo(40, 30), box, 16)


def test_augment_only_mirrors_and_scales() -> None:
    x = 0.1 + 0.7 * torch.rand(500, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    y = augment(x, torch.Generator().manual_seed(1))
    assert torch.equal(x, before)
    ratios, flips = [], 0
    for original, varied in zip(x, y, strict=True):
        straight = varied / original
        mirrored = varied / original.flip(-1)
        flips += int(mirrored.std() < straight.std())
        ratio = min(straight, mirrored, key=lambda r: float(r.std()))
        assert ratio.std() < 1e-5  # one factor for the whole image
        ratios.append(float(ratio.mean()))
    assert 0.8 <= min(ratios) < 0.83 and 1.17 < max(ratios) <= 1.2
    assert 170 < flips < 330  # 7 standard deviations of a fair coin
    assert augment(torch.ones(64, 3, 8, 8)).max() <= 1
    assert torch.equal(y, augment(x, torch.Generator().manual_seed(1)))


def test_a_paper_dog_depends_on_seed_and_number_alone() -> None:
    images, factors = paper_dogs(70, seed=3)
    assert images.dtype == torch.uint8 and images.shape == (70, 3, 64, 64)
    alone, alone_factors = paper_dogs(1, seed=3, first=41)
    assert torch.equal(alone[0], images[41]) and torch.equal(alone_factors[0], factors[41])
    assert torch.equal(paper_dogs(33, seed=3, first=20)[0], images[20:53])
    assert not torch.equal(paper_dogs(1, seed=4)[0][0], images[0])
    assert len({image.numpy().tobytes() for image in images}) == 70


def test_paper_factors_fill_their_ranges_independently() -> None:
    factors = paper_dogs(1500, seed=1)[1].numpy()
    low, high = np.array(list(FACTORS.values())).T
    uniform = (factors - low) / (high - low)
    assert uniform.min() >= 0 and uniform.max() <= 1
    assert np.all(np.abs(uniform.mean(0) - 0.5) < 0.06)  # 8 standard errors
    correlation = np.corrcoef(uniform.T) - np.eye(len(FACTORS))
    assert np.abs(correlation).max() < 0.16  # 6 standard errors


@pytest.mark.parametrize("name", FACTOR_NAMES)
def test_every_factor_shows_in_the_picture(name: str) -> None:
    low, high = np.array(list(FACTORS.values())).T
    factors = np.tile((low + high) / 2, (3, 1))
    column = FACTOR_NAMES.index(name)
    factors[:, column] = np.quantile([low[column], high[column]], [0, 0.5, 1])
    pictures = draw_paper_dogs(factors)
    assert (pictures[0] - pictures[1]).square().mean().sqrt() > 2 * NOISE_SIGMA
    assert (pictures[1] - pictures[2]).square().mean().sqrt() > 2 * NOISE_SIGMA


def test_paper_noise_has_the_stated_strength_and_is_hardly_clipped() -> None:
    images, factors = paper_dogs(64, seed=5)
    clean = draw_paper_dogs(factors)
    assert clean.min() > 5 * NOISE_SIGMA and clean.max() < 1 - 5 * NOISE_SIGMA
    residual = images.double() - 255 * clean.double()
    assert residual.mean().abs() < 0.02
    assert residual.var() == pytest.approx((255 * NOISE_SIGMA) ** 2 + 1 / 12, rel=0.02)  # noise and rounding


@pytest.mark.parametrize("colour", [100.0, 100.25, 100.5, 100.9])
def test_entropy_floor_is_the_entropy_of_a_rounded_gaussian(colour: float) -> None:
    levels = np.arange(256)
    p = norm.cdf(levels + 0.5, colour, 2) - norm.cdf(levels - 0.5, colour, 2)
    p = p[p > 0]
    assert entropy_floor() == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-9)
    assert entropy_floor() == pytest.approx(3.0620, abs=5e-5)


def test_draw_paper_dogs_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"factors must have shape \(B, 10\), got \(2, 9\)"):
        draw_paper_dogs(np.zeros((2, 9)))


# ---- albums: whole photos with their boxes ---------------------------------------------------------------------------


def test_drawn_photos_are_half_as_large_as_annotated_and_show_the_dog_in_its_box() -> None:
    album = open_album()
    assert len(album.train) == 100 and len(album.test) == 50 and not set(album.train) & set(album.test)
    for entry in album.train[::17]:
        photo, (box, size) = album.photo(entry), album.annotation(entry)
        assert [round(side / 2) for side in size] == [*photo.size]
        left, top, right, bottom = (round(corner / 2) for corner in box)
        assert 0 <= left < right <= photo.width and 0 <= top < bottom <= photo.height
        pixels = np.asarray(photo).astype(float)
        collar = (pixels[..., 0] - pixels[..., 1] > 70) & (pixels[..., 0] > 140)
        # the red of the collar, and with brown coats more than that, is inside and nowhere else
        inside = collar[top:bottom, left:right].sum()
        assert inside > 20 and inside > 0.95 * collar.sum()


def test_a_drawn_photo_is_the_same_whenever_it_is_drawn() -> None:
    entry = open_album().train[3]
    assert open_album().file(entry) == open_album().file(entry)


def test_both_albums_offer_the_same(tiny: TinyStanford) -> None:
    album = open_album(tiny.write())
    assert album.breeds == ("Chihuahua", "Japanese spaniel") and len(album.train) == 6
    entry = album.train[0]
    box, (width, height) = album.annotation(entry)
    photo = album.photo(entry)
    scale = photo.width / width, photo.height / height
    scaled = box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]
    square = crop_and_resize(photo, scaled, 16)[:, 2:-2, 2:-2]
    assert (square[0] > 150).all() and (square[1] < 80).all()  # the red box that stands for the dog
    assert album.file(entry)[:2] == b"\xff\xd8"  # as it is on disk


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"has no images\.tar"):
        open_album(tmp_path)

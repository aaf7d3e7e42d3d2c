"""The check of ``crop_and_resize``.

Asked for: the square of a picture that shows the dog, uint8, (3, size, size). The oracle is torchvision's cropping and
resizing. Pictures are smooth, so that it does not matter which way somebody rounds half a pixel; one has fine stripes,
whose mean only a filter that averages can find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.judge.comparing import kind
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref.dogs import preprocess

Box = Sequence[float]
GREY_LEVELS = 16.0  # that a right answer may be off: a pixel of the steepest slope, and rounding
PERIOD = 8  # of the stripes, and how much their picture is shrunk


def _oracle(image: Image.Image, box: Box, size: int) -> Tensor:
    from torchvision.transforms.v2 import functional as tv  # slow to import

    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(image.width, round(box[2])), min(image.height, round(box[3]))
    cropped = tv.crop(image.convert("RGB"), top, left, bottom - top, right - left)
    small = tv.resize(cropped, [size], tv.InterpolationMode.BILINEAR, antialias=True)
    return tv.pil_to_tensor(tv.center_crop(small, [size, size])).double()


# ---- cases ----------------------------------------------------------------------------------------------------------


def _smooth(g: Generator, width: int, height: int) -> Tensor:
    """Three colours that come and go slowly, each in a direction of its own, uint8 (H, W, 3)."""
    y = torch.linspace(0, 1, height)[:, None, None]
    x = torch.linspace(0, 1, width)[None, :, None]
    angle = 2 * math.pi * (torch.rand((), generator=g) + torch.tensor([0.0, 0.33, 0.67]))
    phase = 2 * math.pi * torch.rand(3, generator=g)
    wave = torch.cos(2 * math.pi * (x * torch.cos(angle) + y * torch.sin(angle)) + phase)
    return (128 + 55 * wave).round().to(torch.uint8)


def _probe(pixels: Tensor, box: Box, size: int, label: str, mode: str = "RGB") -> Probe:
    return Probe(
        Call((Handle("image"), tuple(box), size)),
        label,
        torch.tensor(GREY_LEVELS),
        before=(Step("props.picture", Call((pixels, mode), keep="image")),),
    )


def _value(g: Generator) -> list[Probe]:
    shift = int(torch.randint(0, 9, (), generator=g))
    return [
        _probe(_smooth(g, 190, 120), (20 + shift, 30, 160 + shift, 90), 24, "a wide box"),
        _probe(_smooth(g, 130, 180), (40, 12 + shift, 100, 160 + shift), 33, "a tall box"),
        _probe(_smooth(g, 150, 140), (30.4, 20.7 + shift, 110.2, 128.3), 40, "a box between pixels"),
    ]


def _averages(g: Generator) -> list[Probe]:
    lines = torch.arange(20 * PERIOD) % PERIOD
    stripes = 255 * ((lines == PERIOD // 2 - 1) | (lines == PERIOD // 2))  # where coarse sampling looks
    pixels = torch.stack([stripes.expand(20 * PERIOD, -1), stripes[:, None].expand(-1, 20 * PERIOD)], dim=2)
    pixels = torch.cat([pixels, torch.full_like(pixels[..., :1], 90)], dim=2).to(torch.uint8)
    return [
        _probe(pixels, (0, 0, 20 * PERIOD, 20 * PERIOD), 20, f"stripes that repeat every {PERIOD} pixels")
    ]


def _beyond(g: Generator) -> list[Probe]:
    return [
        _probe(_smooth(g, 140, 100), (-25, -30, 90, 70), 24, "a box that sticks out at the upper left"),
        _probe(_smooth(g, 100, 140), (20, 50, 131, 171), 24, "a box that sticks out at the lower right"),
    ]


def _others(g: Generator) -> list[Probe]:
    pixels = _smooth(g, 100, 90)
    return [
        _probe(pixels, (10, 5, 95, 80), 24, "a grey picture", "L"),
        _probe(pixels, (10, 5, 95, 80), 24, "a picture with transparency", "RGBA"),
        _probe(_smooth(g, 60, 70), (12, 14, 32, 44), 48, "a box smaller than the square"),
    ]


def _is_square(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        size = probe.call.args[2]
        if not isinstance(result, Tensor):
            return f"With {probe.label}, crop_and_resize returned {kind(result)}, not a tensor."
        if result.shape != (3, size, size):
            return (
                f"With {probe.label} and size = {size}, crop_and_resize returned shape {tuple(result.shape)}, "
                f"not {(3, size, size)}."
            )
        if result.dtype != torch.uint8:
            return f"With {probe.label}, crop_and_resize returned {result.dtype}, not torch.uint8."
    return ""


def _numbers(result: Tensor) -> Tensor:
    return result.double()


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception
Cut = Callable[[Image.Image, Box], Image.Image]


def _clipped(image: Image.Image, box: Box) -> Image.Image:
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    return image.crop((left, top, min(image.width, round(box[2])), min(image.height, round(box[3]))))


def _as_it_is(image: Image.Image, box: Box) -> Image.Image:
    return image.crop(tuple(round(v) for v in box))  # type: ignore[arg-type]


def _short_side(image: Image.Image, size: int, how: Any = Image.Resampling.BILINEAR) -> Image.Image:
    scale = size / min(image.size)
    return image.resize((max(size, round(scale * image.width)), max(size, round(scale * image.height))), how)


def _centre(image: Image.Image, size: int) -> Image.Image:
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _thumbnail(image: Image.Image, size: int) -> Image.Image:
    """Never enlarged."""
    return image if min(image.size) <= size else _short_side(image, size)


def _on_black(image: Image.Image, size: int) -> Image.Image:
    return ImageOps.pad(image, (size, size), Image.Resampling.BILINEAR)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def _like(
    cut: Cut = _clipped,
    resize: Callable[[Image.Image, int], Image.Image] = _short_side,
    square: Callable[[Image.Image, int], Image.Image] = _centre,
    tensor: Callable[[Image.Image], Any] = _tensor,
    mode: str = "RGB",
) -> Callable[[Image.Image, Box, int], Any]:
    """A variant in which some of the steps are done otherwise."""
    def variant(image: Image.Image, box: Box, size: int) -> Any:
        return tensor(square(resize(cut(image.convert(mode) if mode else image, box), size), size))
    return variant


def _resized_first(image: Image.Image, box: Box, size: int) -> Tensor:
    return _tensor(_centre(_short_side(_clipped(_short_side(image.convert("RGB"), size), box), size), size))


def _square_first(image: Image.Image, box: Box, size: int) -> Tensor:
    """Right as well: the square is cut out before it is resized."""
    cut = _clipped(image.convert("RGB"), box)
    return _tensor(_centre(cut, min(cut.size)).resize((size, size), Image.Resampling.BICUBIC))


def _of_tensors(image: Image.Image, box: Box, size: int) -> Tensor:
    """Right as well: torchvision resizes a tensor."""
    from torchvision.transforms.v2 import functional as tv  # slow to import

    whole = tv.pil_to_tensor(image.convert("RGB"))
    left, top, right, bottom = (int(v) for v in box)
    cut = whole[:, max(0, top):bottom, max(0, left):right]
    return tv.center_crop(tv.resize(cut, [size], antialias=True), [size, size])


def _of_pictures(image: Image.Image, box: Box, size: int) -> Tensor:
    """Right as well: torchvision resizes the picture."""
    from torchvision.transforms.v2 import functional as tv  # slow to import

    small = tv.resize(_clipped(image.convert("RGB"), box), size)
    return tv.pil_to_tensor(tv.center_crop(small, [size, size]))


def _unaveraged(image: Image.Image, size: int) -> Image.Image:
    """Bilinear between the four nearest pixels, as interpolate does it unless told otherwise."""
    short = min(image.size)
    shape = [size * image.height // short, size * image.width // short]
    small = torch.nn.functional.interpolate(_tensor(image)[None].float(), shape, mode="bilinear")[0]
    return Image.fromarray(small.round().to(torch.uint8).permute(1, 2, 0).numpy())


CROP_AND_RESIZE = Check(
    name="crop_and_resize",
    asks="the middle square of the box, its short side resized to size, as bytes of shape (3, size, size)",
    section="boxes",
    oracle=_oracle,
    parts=(
        Part("value", 3, _value, _is_square, _numbers),
        Part("averages", 1, _averages, _is_square, _numbers),
        Part("boxes that stick out", 1, _beyond, _is_square, _numbers),
        Part("other pictures", 1, _others, _is_square, _numbers),
    ),
    misconceptions=(
        _m("crop-ignores-box", "boxes", "the box is not used: the whole picture is resized.",
           _like(cut=lambda image, box: image)),
        _m("crop-box-is-corner-and-size", "boxes",
           "the box is read as corner, width and height; it is two corners, (xmin, ymin, xmax, ymax).",
           _like(cut=lambda image, box: _clipped(image, (box[0], box[1], box[0] + box[2], box[1] + box[3])))),
        _m("crop-x-for-y", "boxes", "x and y of the box are swapped; it is (xmin, ymin, xmax, ymax).",
           _like(cut=lambda image, box: _clipped(image, (box[1], box[0], box[3], box[2])))),
        _m("crop-squeezed", "aspect-ratio",
           "the box is squeezed into a square: a dog keeps its proportions when only the short side is set.",
           _like(resize=lambda image, size: image.resize((size, size), Image.Resampling.BILINEAR))),
        _m("crop-long-side", "aspect-ratio",
           "the long side is brought to size and the rest filled up; the short side is meant.",
           _like(resize=lambda image, size: image, square=_on_black)),
        _m("crop-upper-left", "aspect-ratio", "the square is taken from the upper left; it belongs in the middle.",
           _like(square=lambda image, size: image.crop((0, 0, size, size)))),
        _m("crop-not-resized", "aspect-ratio", "a square of the box is cut out, but nothing is resized.",
           _like(resize=lambda image, size: image)),
        _m("crop-not-square", "aspect-ratio", "the square in the middle is not cut out after resizing.",
           _like(square=lambda image, size: image)),
        _m("crop-resized-first", "boxes",
           "the picture is resized before it is cut, so that the box no longer fits it.", _resized_first),
        _m("crop-nearest", "aliasing",
           "single pixels are picked (nearest neighbour): fine patterns turn into coarse ones that were never there.",
           _like(resize=lambda image, size: _short_side(image, size, Image.Resampling.NEAREST))),
        _m("crop-not-averaged", "aliasing",
           "the filter looks at four pixels only, however much the picture shrinks: ask for antialiasing.",
           _like(resize=_unaveraged)),
        _m("crop-not-clipped", "boxes",
           "the box is not clipped to the picture, so that black comes in where it sticks out.", _like(cut=_as_it_is)),
        _m("crop-not-rgb", "boxes", "the picture is not converted to RGB first: some are grey or have transparency.",
           _like(mode="")),
        _m("crop-grey", "boxes", "colour is lost: the picture is converted to grey.",
           lambda image, box, size: _like(mode="RGB")(image.convert("L"), box, size)),
        _m("crop-never-enlarged", "aspect-ratio",
           "small boxes are not enlarged: dogs far away would keep fewer pixels than a square has.",
           _like(resize=_thumbnail)),
        _m("crop-channels-last", "channels-first",
           "the channels stand last, as in a PIL picture; torch wants them first.",
           _like(tensor=lambda image: torch.from_numpy(np.array(image)))),
        _m("crop-reshaped", "channels-first",
           "the numbers are reshaped to (3, size, size), which scrambles them; the axes have to be permuted.",
           _like(tensor=lambda image: torch.from_numpy(np.array(image)).reshape(3, image.height, image.width))),
        _m("crop-transposed", "channels-first", "height and width are exchanged: the picture lies on its side.",
           _like(tensor=lambda image: torch.from_numpy(np.array(image)).permute(2, 1, 0).contiguous())),
        _m("crop-bgr", "channels-first", "the colours come in the order blue, green, red.",
           _like(tensor=lambda image: _tensor(image).flip(0))),
        _m("crop-floats", "why-unit-interval",
           "that are floats in [0, 1] already (to_tensor does it); bytes are asked for, a quarter of the memory.",
           _like(tensor=lambda image: _tensor(image).float() / 255)),
        _m("crop-batched", "channels-first", "there is an axis too many: one picture is asked for, without a batch.",
           _like(tensor=lambda image: _tensor(image)[None])),
    ),
    equivalents=(
        preprocess.crop_and_resize,
        _like(),
        _square_first,
        _of_tensors,
        lambda image, box, size: _tensor(ImageOps.fit(
            _clipped(image.convert("RGB"), box), (size, size), Image.Resampling.LANCZOS)),
        _of_pictures,
        _like(resize=lambda image, size: _short_side(image, size, Image.Resampling.BOX)),
    ),
)

"""Pictures as they lie on disk, one at a time: whole photos with their boxes, nothing cut, scaled or stored yet.

``open_album`` opens Stanford Dogs where it is, and else an album of drawn photos with the same methods.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from scipy.io import loadmat

from vae_ref.dogs.drawing import COAT_NAMES, FACTOR_NAMES, FACTORS, draw_paper_dogs
from vae_ref.dogs.sources import Source, find_source
from vae_ref.errors import CourseError

MAX_ANNOTATION = 1_000_000  # bytes; real ones have 500
PAPER_TRAIN, PAPER_TEST = 20, 10  # drawn photos of each coat
_PAPER_SIZES = ((500, 375), (375, 500), (500, 333), (400, 400), (640, 480))  # width, height
_PAPER_SHRUNK = 0.5  # side of a stored copy against the annotated one
_GRAIN = 7.0  # grey levels of noise: photographs are never smooth, and decoding them takes the longer for it
_SKY, _GRASS = (np.array(colour, dtype=np.float32) for colour in ((0.62, 0.76, 0.9), (0.36, 0.56, 0.28)))

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Entry:
    """One line of the official lists.

    Attributes:
        picture: n02085620-Chihuahua/n02085620_7.jpg
        annotation: n02085620-Chihuahua/n02085620_7
        label: number of the breed, from 0.
    """

    picture: str
    annotation: str
    label: int


@dataclass(frozen=True)
class Files:
    """The three parts of Stanford Dogs, packed or unpacked."""

    images: Source
    annotations: Source
    lists: Source

    def __iter__(self) -> Iterator[Source]:
        return iter((self.images, self.annotations, self.lists))


class Album(Protocol):
    """What there is to look at."""

    name: str
    breeds: tuple[str, ...]
    train: tuple[Entry, ...]
    test: tuple[Entry, ...]

    def file(self, entry: Entry) -> bytes:
        """The JPEG file of a picture."""

    def photo(self, entry: Entry) -> Image.Image:
        """The picture, decoded."""

    def annotation(self, entry: Entry) -> tuple[Box, tuple[float, float]]:
        """The dog's box (xmin, ymin, xmax, ymax) and the (width, height) of the picture it was drawn on."""


class StanfordAlbum:
    """Stanford Dogs, read in place.

    Args:
        root: folder with the three archives, or with what they contain.

    Raises:
        CourseError: something is missing or damaged.
    """

    name = "Stanford Dogs"

    def __init__(self, root: Path) -> None:
        self._files = find_files(root)
        for source in self._files:
            source.open()
        self.train, self.test = (tuple(read_list(self._files.lists, side)) for side in ("train", "test"))
        self.breeds = tuple(class_names([*self.train, *self.test]))

    def file(self, entry: Entry) -> bytes:
        return self._files.images.read(entry.picture)

    def photo(self, entry: Entry) -> Image.Image:
        return Image.open(io.BytesIO(self.file(entry)), formats=["JPEG", "PNG"]).convert("RGB")

    def annotation(self, entry: Entry) -> tuple[Box, tuple[float, float]]:
        box, (width, height) = read_box(self._files.annotations.read(entry.annotation))
        return box, (width, height)


class PaperAlbum:
    """Drawn photos: a paper dog somewhere on a lawn, in a copy at half the size its annotation states."""

    name = "paper photos"
    breeds: tuple[str, ...] = COAT_NAMES

    def __init__(self) -> None:
        self._drawn: dict[Entry, tuple[bytes, Box, tuple[int, int]]] = {}
        sides = []
        for first, count in ((0, PAPER_TRAIN), (PAPER_TRAIN, PAPER_TEST)):
            numbers = range(first, first + count)
            names = [(f"{coat}/{coat}_{i}", label) for label, coat in enumerate(COAT_NAMES) for i in numbers]
            sides.append(tuple(Entry(f"{name}.jpg", name, label) for name, label in names))
        self.train, self.test = sides

    def file(self, entry: Entry) -> bytes:
        return self._draw(entry)[0]

    def photo(self, entry: Entry) -> Image.Image:
        return Image.open(io.BytesIO(self.file(entry))).convert("RGB")

    def annotation(self, entry: Entry) -> tuple[Box, tuple[float, float]]:
        _, box, (width, height) = self._draw(entry)
        return box, (float(width), float(height))

    def _draw(self, entry: Entry) -> tuple[bytes, Box, tuple[int, int]]:
        if entry not in self._drawn:
            pixels, box = _paper_scene(entry)
            scene = Image.fromarray(pixels)
            width, height = (round(_PAPER_SHRUNK * side) for side in scene.size)
            content = io.BytesIO()
            scene.resize((width, height), Image.Resampling.BICUBIC).save(content, "JPEG", quality=88)
            self._drawn[entry] = content.getvalue(), box, scene.size
        return self._drawn[entry]


def open_album(root: str | Path = "") -> Album:
    """Open Stanford Dogs in a folder, or, where none is named, the album of drawn photos.

    Args:
        root: folder with images.tar, annotation.tar and lists.tar, or with what they contain; "" for none.

    Raises:
        CourseError: a folder is named, but Stanford Dogs is not there or damaged.
    """
    return StanfordAlbum(Path(root)) if str(root) not in ("", ".") else PaperAlbum()


# ---- drawn photos ---------------------------------------------------------------------------------------------------


def _paper_scene(entry: Entry) -> tuple[np.ndarray, Box]:
    """A lawn with a dog of the entry's coat, uint8 (H, W, 3), and its box, the same for the same entry."""
    number = int(entry.annotation.rpartition("_")[2])
    rng = np.random.Generator(np.random.Philox(key=[1 + entry.label, number]))
    low, high = np.array(list(FACTORS.values())).T
    factors = low + (high - low) * rng.random(len(FACTORS))
    factors[FACTOR_NAMES.index("coat")] = entry.label
    width, height = _PAPER_SIZES[rng.integers(len(_PAPER_SIZES))]
    side = int(min(width, height) * rng.uniform(0.45, 0.85))
    left, top = (int(rng.integers(0, room + 1)) for room in (width - side, height - side))

    # the same dog on two papers: where the papers show through, the pictures differ by as much as the papers do
    pair = np.stack([factors, factors])
    pair[:, FACTOR_NAMES.index("background")] = 0.0, 0.5
    one, other = draw_paper_dogs(pair).permute(0, 2, 3, 1).numpy()  # (64, 64, 3) each
    paper, other_paper = one[0, 0], other[0, 0]
    behind = np.clip(((one - other) / (paper - other_paper)).mean(axis=2), 0, 1)  # share of the paper
    dog = one - behind[..., None] * paper

    scene = _lawn(rng, width, height)
    behind_large, dog_large = _enlarge(behind, side), _enlarge(dog, side)
    patch = scene[top : top + side, left : left + side]
    patch[:] = behind_large[..., None] * patch + dog_large
    rows, columns = (np.flatnonzero((behind_large < 0.5).any(axis=axis)) for axis in (1, 0))
    box = (left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1)
    levels = 255 * scene + _GRAIN * rng.standard_normal(scene.shape, np.float32)
    xmin, ymin, xmax, ymax = (float(corner) for corner in box)
    return levels.round().clip(0, 255).astype(np.uint8), (xmin, ymin, xmax, ymax)


def _lawn(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Sky above grass with blades, float32 (H, W, 3) in [0, 1]."""
    horizon = round(height * rng.uniform(0.25, 0.5))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    scene = np.empty((height, width, 3), dtype=np.float32)
    scene[:horizon] = _SKY + 0.12 * down[:horizon]
    blades = 0.07 * rng.standard_normal((height // 6 + 1, width, 1), np.float32).repeat(6, axis=0)
    scene[horizon:] = _GRASS * (0.75 + 0.35 * down[horizon:]) + blades[horizon:height]
    return scene


def _enlarge(values: np.ndarray, side: int) -> np.ndarray:
    """Bicubic, channel by channel: (64, 64, …) → (side, side, …)."""
    planes = values.reshape(*values.shape[:2], -1)
    large = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
        for plane in np.moveaxis(planes, 2, 0)
    ]
    return np.stack(large, axis=2).reshape(side, side, *values.shape[2:]).clip(0, 1)


# ---- Stanford Dogs --------------------------------------------------------------------------------------------------


def find_files(root: Path) -> Files:
    """The three parts of Stanford Dogs in a folder, not opened yet.

    Raises:
        CourseError: something is missing.
    """
    remedy = (
        "pass the folder that holds images.tar, annotation.tar and lists.tar (or Images/, Annotation/ and "
        "the .mat lists) with --root, or get them with vae-ref data stanford --download"
    )
    if not root.is_dir():
        raise CourseError(f"there is no folder {root}; {remedy}")
    images = find_source(root, "images.tar", "Images")
    annotations = find_source(root, "annotation.tar", "Annotation")
    lists = find_source(root, "lists.tar", "")
    wanted = {"images.tar": images, "annotation.tar": annotations, "lists.tar": lists}
    missing = [name for name, source in wanted.items() if source is None]
    if images is None or annotations is None or lists is None:
        raise CourseError(f"{root} has no {' and no '.join(missing)}; {remedy}")
    return Files(images, annotations, lists)


def read_list(lists: Source, side: str) -> list[Entry]:
    """What the official split has on one side, "train" or "test".

    Raises:
        CourseError: the list is missing or damaged.
    """
    name = f"{side}_list.mat"
    try:
        table = loadmat(io.BytesIO(lists.read(name)), squeeze_me=True)
        columns = (np.atleast_1d(table[field]) for field in ("file_list", "annotation_list", "labels"))
        entries = [
            Entry(str(picture), str(annotation), int(label) - 1)  # Matlab counts from 1
            for picture, annotation, label in zip(*columns, strict=True)
        ]
        if lowest := [entry.label + 1 for entry in entries if entry.label < 0]:
            raise ValueError(f"a label is {min(lowest)}, the first is 1")
        return entries
    except FileNotFoundError as error:
        raise CourseError(f"the lists have no {name}; copy or download lists.tar again") from error
    except Exception as error:  # scipy raises whatever the damaged bytes lead it to
        raise CourseError(f"{name} is damaged ({error}); copy or download lists.tar again") from error


def read_box(annotation: bytes) -> tuple[Box, tuple[float, float]]:
    """The first box (xmin, ymin, xmax, ymax) and the annotated (width, height), in original pixels.

    Raises:
        ValueError, LookupError, ElementTree.ParseError: it is damaged.
    """
    if len(annotation) > MAX_ANNOTATION:
        raise ValueError(f"its annotation has {len(annotation)} bytes")
    tree = ElementTree.fromstring(annotation)

    def number(path: str) -> float:
        text = tree.findtext(path)
        if text is None:
            raise ValueError(f"its annotation has no {path}")
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"its annotation has {path} = {text}")
        return value

    width, height = number("size/width"), number("size/height")
    if width <= 0 or height <= 0:
        raise ValueError(f"its annotated size is {width:g}×{height:g}")
    xmin, ymin, xmax, ymax = (number(f"object/bndbox/{end}") for end in ("xmin", "ymin", "xmax", "ymax"))
    return (xmin, ymin, xmax, ymax), (width, height)


def class_names(entries: list[Entry]) -> list[str]:
    """Breed of each label, from the folder names: n02085620-Chihuahua is "Chihuahua"."""
    names = {e.label: e.picture.split("/")[0].partition("-")[2].replace("_", " ") for e in entries}
    return [names.get(label, f"class {label}") for label in range(max(names) + 1)]

"""Stanford Dogs: 120 breeds, the official split, each picture cut to its dog (Khosla et al., 2011).

The data come as ``images.tar``, ``annotation.tar`` and ``lists.tar``, or unpacked as ``Images/``,
``Annotation/`` and ``*_list.mat``. They are decoded once into a memory map; later runs start at once.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from scipy.io import loadmat
from tqdm.auto import tqdm

from vae_ref.dogs.cache import content_fingerprint, fingerprint, load_or_build, write_images
from vae_ref.dogs.dataset import DogData
from vae_ref.dogs.preprocess import crop_and_resize
from vae_ref.dogs.sources import Source, find_source
from vae_ref.errors import CourseError

_MAX_ANNOTATION = 1_000_000  # bytes; real ones have 500


@dataclass(frozen=True)
class _Files:
    images: Source
    annotations: Source
    lists: Source


@dataclass(frozen=True)
class _Entry:
    picture: str  # n02085620-Chihuahua/n02085620_7.jpg
    annotation: str  # n02085620-Chihuahua/n02085620_7
    label: int


def load_stanford(
    root: str | Path, size: int = 64, cache: str | Path | None = None, strict: bool = False
) -> DogData:
    """Open Stanford Dogs, decoding it first if this is the first time.

    Args:
        root: folder with the three archives, or with what they contain.
        size: side of the pictures in pixels.
        cache: folder for the decoded pictures; the user's cache folder if None.
        strict: refuse the data if any picture is unusable, instead of leaving it out with a warning.

    Returns:
        The official split: 12,000 training and 8,580 test pictures when nothing is missing.

    Raises:
        CourseError: archives missing or broken, or the disk is full; with ``strict``, a picture is unusable.
    """
    files = _find_files(Path(root))
    state = [source.state() for source in (files.images, files.annotations, files.lists)]
    key = fingerprint("stanford", size, state)

    def build(folder: Path) -> dict[str, Any]:
        with contextlib.ExitStack() as stack:
            for source in (files.images, files.annotations, files.lists):
                stack.callback(source.close)
                source.open()
            return _decode(files, size, strict, folder)

    data = load_or_build("stanford", key, None if cache is None else Path(cache), build)
    if data.skipped and strict:
        raise _refusal(data.skipped[0])
    if data.skipped:
        total = len(data.train) + len(data.test) + len(data.skipped)
        shown = "; ".join(data.skipped[:3]) + ("; …" if len(data.skipped) > 3 else "")
        warnings.warn(f"left out {len(data.skipped)} of {total} pictures: {shown}", stacklevel=2)
    return data


def _refusal(reason: str) -> CourseError:
    return CourseError(f"{reason}; replace the file, or leave it out by not asking for --strict")


def _find_files(root: Path) -> _Files:
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
    return _Files(images, annotations, lists)


def _read_list(lists: Source, side: str) -> list[_Entry]:
    name = f"{side}_list.mat"
    try:
        table = loadmat(io.BytesIO(lists.read(name)), squeeze_me=True)
        columns = (np.atleast_1d(table[field]) for field in ("file_list", "annotation_list", "labels"))
        entries = [
            _Entry(str(picture), str(annotation), int(label) - 1)  # Matlab counts from 1
            for picture, annotation, label in zip(*columns, strict=True)
        ]
        if lowest := [entry.label + 1 for entry in entries if entry.label < 0]:
            raise ValueError(f"a label is {min(lowest)}, the first is 1")
        return entries
    except FileNotFoundError as error:
        raise CourseError(f"the lists have no {name}; copy or download lists.tar again") from error
    except Exception as error:  # scipy raises whatever the damaged bytes lead it to
        raise CourseError(f"{name} is damaged ({error}); copy or download lists.tar again") from error


def _read_box(annotation: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the first box (xmin, ymin, xmax, ymax) and the annotated (width, height), in original pixels."""
    if len(annotation) > _MAX_ANNOTATION:
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

    size = np.array([number("size/width"), number("size/height")])
    if not np.all(size > 0):
        raise ValueError(f"its annotated size is {size[0]:g}×{size[1]:g}")
    box = np.array([number(f"object/bndbox/{corner}") for corner in ("xmin", "ymin", "xmax", "ymax")])
    return box, size


def _prepare(files: _Files, entry: _Entry, size: int) -> np.ndarray | str:
    """Return the picture, uint8 (3, size, size), or why there is none."""
    try:
        box, annotated = _read_box(files.annotations.read(entry.annotation))
    except FileNotFoundError:
        return f"{entry.picture} has no annotation"
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        return f"{entry.picture} cannot be used: {error}"
    try:
        with Image.open(io.BytesIO(files.images.read(entry.picture)), formats=["JPEG", "PNG"]) as image:
            # boxes are given in original pixels, and copies of this data set are often resized
            scale = np.array(image.size) / annotated
            xmin, ymin, xmax, ymax = (float(corner) for corner in box * np.tile(scale, 2))
            return crop_and_resize(image, (xmin, ymin, xmax, ymax), size).numpy()
    except FileNotFoundError:
        return f"{entry.picture} is missing"
    except (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError) as error:
        # what Pillow raises for damaged files; the data are in memory, so this is no trouble with the disk
        return f"{entry.picture} cannot be used: {error}"


def _decode(files: _Files, size: int, strict: bool, folder: Path) -> dict[str, Any]:
    """Write both sides into ``folder`` and return the class names and what was skipped."""
    entries = {side: _read_list(files.lists, side) for side in ("train", "test")}
    skipped: list[str] = []
    with tqdm(total=sum(map(len, entries.values())), desc="decoding", unit="img") as bar:
        for side, wanted in entries.items():
            labels: list[int] = []

            def usable(wanted: list[_Entry] = wanted, labels: list[int] = labels) -> Iterator[np.ndarray]:
                for entry, result in _in_parallel(files, wanted, size):
                    bar.update()
                    if isinstance(result, np.ndarray):
                        labels.append(entry.label)
                        yield result
                    elif strict:
                        raise _refusal(result)
                    else:
                        skipped.append(result)

            if write_images(folder / f"{side}.npy", usable(), size) == 0:
                why = skipped[0] if skipped else f"{side}_list.mat is empty"
                raise CourseError(
                    f"no usable {side} picture ({why}); check that the archives belong together"
                )
            np.save(folder / f"{side}_labels.npy", np.array(labels, dtype=np.int64))
    return {
        "class_names": _class_names(entries["train"] + entries["test"]),
        "skipped": skipped,
        "fingerprint": content_fingerprint(folder),
    }


def _in_parallel(
    files: _Files, entries: list[_Entry], size: int
) -> Iterator[tuple[_Entry, np.ndarray | str]]:
    """Prepare pictures in order, on all cores: Pillow decodes outside the interpreter's lock."""
    remaining = iter(entries)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while block := list(islice(remaining, 256)):  # a bounded number of pictures is in memory
            yield from zip(block, pool.map(lambda entry: _prepare(files, entry, size), block), strict=True)


def _class_names(entries: list[_Entry]) -> list[str]:
    """Breed of each label, from the folder names: n02085620-Chihuahua is "Chihuahua"."""
    names = {e.label: e.picture.split("/")[0].partition("-")[2].replace("_", " ") for e in entries}
    return [names.get(label, f"class {label}") for label in range(max(names) + 1)]

"""Stanford Dogs: 120 breeds, the official split, each picture cut to its dog (Khosla et al., 2011).

The data come as ``images.tar``, ``annotation.tar`` and ``lists.tar``, or unpacked as ``Images/``,
``Annotation/`` and ``*_list.mat``. They are decoded once into a memory map; later runs start at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from vae_ref.dogs.album import Entry, Files, class_names, find_files, read_box, read_list
from vae_ref.dogs.cache import content_fingerprint, fingerprint, load_or_build, write_images
from vae_ref.dogs.dataset import DogData
from vae_ref.dogs.preprocess import crop_and_resize
from vae_ref.errors import CourseError


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
    files = find_files(Path(root))
    state = [source.state() for source in files]
    key = fingerprint("stanford", size, state)

    def build(folder: Path) -> dict[str, Any]:
        with contextlib.ExitStack() as stack:
            for source in files:
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


def _prepare(files: Files, entry: Entry, size: int) -> np.ndarray | str:
    """Return the picture, uint8 (3, size, size), or why there is none."""
    try:
        box, annotated = read_box(files.annotations.read(entry.annotation))
    except FileNotFoundError:
        return f"{entry.picture} has no annotation"
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        return f"{entry.picture} cannot be used: {error}"
    try:
        with Image.open(io.BytesIO(files.images.read(entry.picture)), formats=["JPEG", "PNG"]) as image:
            # boxes are given in original pixels, and copies of this data set are often resized
            scale = np.array(image.size) / np.array(annotated)
            xmin, ymin, xmax, ymax = (float(corner) for corner in np.array(box) * np.tile(scale, 2))
            return crop_and_resize(image, (xmin, ymin, xmax, ymax), size).numpy()
    except FileNotFoundError:
        return f"{entry.picture} is missing"
    except (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError) as error:
        # what Pillow raises for damaged files; the data are in memory, so this is no trouble with the disk
        return f"{entry.picture} cannot be used: {error}"


def _decode(files: Files, size: int, strict: bool, folder: Path) -> dict[str, Any]:
    """Write both sides into ``folder`` and return the class names and what was skipped."""
    entries = {side: read_list(files.lists, side) for side in ("train", "test")}
    skipped: list[str] = []
    with tqdm(total=sum(map(len, entries.values())), desc="decoding", unit="img") as bar:
        for side, wanted in entries.items():
            labels: list[int] = []

            def usable(wanted: list[Entry] = wanted, labels: list[int] = labels) -> Iterator[np.ndarray]:
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
        "class_names": class_names(entries["train"] + entries["test"]),
        "skipped": skipped,
        "fingerprint": content_fingerprint(folder),
    }


def _in_parallel(files: Files, entries: list[Entry], size: int) -> Iterator[tuple[Entry, np.ndarray | str]]:
    """Prepare pictures in order, on all cores: Pillow decodes outside the interpreter's lock."""
    remaining = iter(entries)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while block := list(islice(remaining, 256)):  # a bounded number of pictures is in memory
            yield from zip(block, pool.map(lambda entry: _prepare(files, entry, size), block), strict=True)

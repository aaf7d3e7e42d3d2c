"""The set of Paper Dogs: drawn once (``drawing``), kept in a memory map, with a split of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from vae_ref.dogs.cache import fingerprint, load_or_build, write_images
from vae_ref.dogs.dataset import DogData
from vae_ref.dogs.drawing import CHUNK, COAT_NAMES, FACTOR_NAMES, FACTORS, IMAGE_SIZE, paper_dogs

_FIRST_TEST_PICTURE = 2**32  # far beyond any training set, so the sides of a series never overlap


def load_paper(
    num_train: int = 10_000, num_test: int = 1_000, seed: int = 0, cache: str | Path | None = None
) -> DogData:
    """Open a set of paper dogs, drawing it first if this is the first time.

    Args:
        num_train, num_test: how many pictures on each side, at least 1.
        seed: which series, 0 or more.
        cache: folder for the drawn pictures; the user's cache folder if None.

    Returns:
        The pictures with their factors; the label of a dog is its coat, the nearest of ``COAT_NAMES``.

    Raises:
        ValueError: a side would be empty.
        CourseError: the disk is full or the folder cannot be written.
    """
    if min(num_train, num_test) < 1:
        raise ValueError(f"both sides need at least 1 picture, got {num_train} and {num_test}")
    sides = {"train": (num_train, 0), "test": (num_test, _FIRST_TEST_PICTURE)}

    def build(folder: Path) -> dict[str, Any]:
        with tqdm(total=num_train + num_test, desc="drawing", unit="img") as bar:
            for side, (count, first) in sides.items():
                rows: list[np.ndarray] = []

                def pictures(
                    count: int = count, first: int = first, rows: list[np.ndarray] = rows
                ) -> Iterator[np.ndarray]:
                    for start in range(0, count, CHUNK):
                        images, factors = paper_dogs(min(CHUNK, count - start), seed, first + start)
                        rows.append(factors.numpy())
                        bar.update(len(images))
                        yield from images.numpy()

                write_images(folder / f"{side}.npy", pictures(), IMAGE_SIZE)
                factors = np.concatenate(rows)
                np.save(folder / f"{side}_factors.npy", factors)
                coat = factors[:, FACTOR_NAMES.index("coat")]
                np.save(folder / f"{side}_labels.npy", coat.round().astype(np.int64))
        return {"class_names": COAT_NAMES, "skipped": []}

    key = fingerprint("paper", num_train, num_test, seed, FACTORS)
    return load_or_build("paper", key, None if cache is None else Path(cache), build)

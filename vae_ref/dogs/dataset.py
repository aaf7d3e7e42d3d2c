"""Pictures as the course uses them: uint8 in a memory map on disk, float batches in [0, 1] on demand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae_ref.dogs.preprocess import augment


@dataclass(frozen=True)
class DogSet:
    """One side of a split.

    Attributes:
        images: uint8, (N, 3, size, size), usually a read-only memory map.
        labels: class numbers, int64, (N,).
        factors: float32, (N, 10), for drawn dogs; None for photos.
    """

    images: np.ndarray
    labels: np.ndarray
    factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class DogData:
    """Both sides of a data set.

    Attributes:
        name: "paper" or "stanford".
        train, test: the two sides; no picture is in both.
        class_names: name of each label.
        skipped: name and reason of every picture that could not be used.
        fingerprint: changes whenever the pictures change.
    """

    name: str
    train: DogSet
    test: DogSet
    class_names: tuple[str, ...]
    skipped: tuple[str, ...]
    fingerprint: str


class Batches:
    """Batches of a ``DogSet`` straight from its memory map, as often as it is iterated.

    Args:
        dogs: the pictures.
        batch_size: pictures in a batch, at least 1; the last batch may be shorter.
        shuffle: a new order at each iteration; for training.
        augmented: vary the pictures (``augment``); for training.
        generator: source of order and variation; the global one if None.

    Yields:
        Images, float32, (B, 3, size, size), in [0, 1], and labels, int64, (B,).
    """

    def __init__(
        self,
        dogs: DogSet,
        batch_size: int,
        shuffle: bool = False,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.dogs, self.batch_size, self.shuffle = dogs, batch_size, shuffle
        self.augmented, self.generator = augmented, generator

    def __len__(self) -> int:
        return math.ceil(len(self.dogs) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        count = len(self.dogs)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        for rows in order.split(self.batch_size):
            x, labels = take(self.dogs, rows)
            yield (augment(x, self.generator) if self.augmented else x), labels


def take(dogs: DogSet, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pictures of some rows as floats, (B, 3, size, size) in [0, 1], with their labels, (B,)."""
    index = rows.numpy()
    return torch.from_numpy(dogs.images[index]).float().div_(255), torch.from_numpy(dogs.labels[index])


def subset(dogs: DogSet, rows: Tensor) -> DogSet:
    """Copy some rows, (N,), into a set of their own, in memory: N pictures with their labels and factors."""
    index = rows.numpy()
    factors = None if dogs.factors is None else dogs.factors[index]
    return DogSet(dogs.images[index], dogs.labels[index], factors)

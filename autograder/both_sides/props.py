"""What checks hand to learners' code besides tensors: functions, loaders, optimizers, and looks at what they made.

Seen on both sides of the wall, so nothing here is an answer to anything. Models are in ``toys``, which is hidden from
those who have to write one.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def quadratic(weight: Tensor, linear: Tensor, constant: float) -> Callable[[Tensor], Tensor]:
    """f(z) = zᵀ W z + bᵀ z + c for each row of z.

    Args:
        weight: W, (L, L).
        linear: b, (L,).
        constant: c.

    Returns:
        A function of codes, (N, L) → (N,).
    """
    return lambda z: ((z @ weight.to(z.dtype)) * z).sum(dim=-1) + z @ linear.to(z.dtype) + constant


class Sine:
    """f(z) = Σ sin(ω · z), whose expectation under a Gaussian is known.

    Args:
        frequencies: ω, (K, L).
    """

    def __init__(self, frequencies: Tensor) -> None:
        self.frequencies = frequencies

    def __call__(self, z: Tensor) -> Tensor:
        """Map codes (N, L) to values, (N,)."""
        return torch.sin(z @ self.frequencies.to(z.dtype).T).sum(dim=-1)


class Stairs:
    """f(z) = 1 where w · z > 0, else 0: no derivative anywhere tells how it rises.

    Args:
        direction: w, (L,).
    """

    def __init__(self, direction: Tensor) -> None:
        self.direction = direction

    def __call__(self, z: Tensor) -> Tensor:
        """Map codes (N, L) to values, (N,)."""
        return (z.detach() @ self.direction.to(z.dtype) > 0).to(z.dtype)


def picture(pixels: Tensor, mode: str) -> Image.Image:
    """A PIL picture.

    Args:
        pixels: uint8, (H, W, 3).
        mode: of the picture, such as "RGB" or "L"; what it cannot hold is lost.
    """
    return Image.fromarray(pixels.numpy()).convert(mode)


def itself(value: Any) -> Any:
    """What it is given: kept, it shows later what a call did to it."""
    return value


def loader(images: Tensor, labels: Tensor, batch_size: int) -> Iterable[Any]:
    """Batches of images and labels in their order; the last one may be short."""
    return DataLoader(TensorDataset(images, labels), batch_size)


def sgd(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on all parameters of a model."""
    return torch.optim.SGD(model.parameters(), lr=learning_rate)


def adam(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Adam on all parameters of a model: what it remembers decides how it goes on."""
    return torch.optim.Adam(model.parameters(), lr=learning_rate)


def seed(number: int) -> None:
    """Start torch's own random numbers anew."""
    torch.manual_seed(number)


def new_place(name: str) -> Path:
    """Path of a file that does not exist yet, in a new folder, which is gone when this process ends."""
    return Path(tempfile.mkdtemp(dir=_places().name)) / name


@functools.cache
def _places() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="places-")


def put(path: Path, tree: Any) -> None:
    """Write a tree to a file; keys that are numbers were texts only on the way."""
    torch.save(_numbered(tree), path)


def _numbered(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {int(key) if key.isdigit() else key: _numbered(value) for key, value in tree.items()}
    return [_numbered(value) for value in tree] if isinstance(tree, list) else tree


def peek(path: Path) -> Any:
    """What a file holds: tensors and plain values only."""
    return torch.load(path, map_location="cpu", weights_only=True)


def beside(path: Path) -> list[str]:
    """Names of the files in the folder of a file, in order."""
    return sorted(entry.name for entry in path.parent.iterdir())


class Watching(Tensor):
    """A tensor that looks, while it is written, whether a file that should not be touched yet still is what it was.

    Attributes:
        path: of that file.
        before: its content.
        seen: what each look found: the file "whole", "changed" or "gone".
    """

    path: Path
    before: bytes
    seen: list[str]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Look, and be written as an ordinary tensor."""
        watch = type(self)
        found = watch.path.read_bytes() if watch.path.is_file() else None
        watch.seen.append("gone" if found is None else "whole" if found == watch.before else "changed")
        return self.as_subclass(Tensor).__reduce_ex__(protocol)


def watch(model: nn.Module, path: Path) -> None:
    """Give a model one more buffer, which looks at the file at ``path`` while it is written somewhere."""
    Watching.path, Watching.before, Watching.seen = path, path.read_bytes(), []
    model.register_buffer("watching", torch.ones(2).as_subclass(Watching))


def watched() -> list[str]:
    """What a buffer that watches has seen of the file, each thing once."""
    return sorted(set(Watching.seen))

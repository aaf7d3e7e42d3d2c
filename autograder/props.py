"""What checks hand to learners' code besides tensors: functions, small models, loaders, optimizers.

Seen on both sides of the wall, so nothing here is an answer to anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
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


def loader(images: Tensor, labels: Tensor, batch_size: int) -> Iterable[Any]:
    """Batches of images and labels in their order; the last one may be short."""
    return DataLoader(TensorDataset(images, labels), batch_size)


def sgd(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on all parameters of a model."""
    return torch.optim.SGD(model.parameters(), lr=learning_rate)

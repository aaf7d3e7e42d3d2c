"""What checks hand to learners' code besides tensors: functions, loaders, optimizers, and looks at what they made.

Seen on both sides of the wall, so nothing here is an answer to anything. Models are in ``toys``, which is hidden from
those who have to write one.
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


def itself(value: Any) -> Any:
    """What it is given: kept, it shows later what a call did to it."""
    return value


def loader(images: Tensor, labels: Tensor, batch_size: int) -> Iterable[Any]:
    """Batches of images and labels in their order; the last one may be short."""
    return DataLoader(TensorDataset(images, labels), batch_size)


def sgd(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on all parameters of a model."""
    return torch.optim.SGD(model.parameters(), lr=learning_rate)


def shake(net: nn.Module, seed: int, gain: float) -> None:
    """Draw weights anew, so that nothing depends on how somebody starts them; parameters of other layers move a little.

    Args:
        net: changed in place.
        seed: of the weights.
        gain: standard deviation of weights times the square root of how many numbers they sum.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            for parameter in module.parameters(recurse=False):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                if not isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                    parameter.add_(0.1 * noise)
                elif parameter.dim() < 2:
                    parameter.copy_(0.1 * noise)
                else:
                    parameter.copy_(gain * noise / parameter[0].numel() ** 0.5)


def reached(net: nn.Module, x: Tensor, position: int | None = None) -> tuple[list[str], list[str]]:
    """Names of the weights that a gradient of what ``net`` makes of ``x`` reaches, and of those it does not.

    Args:
        net: any network; its gradients stay as they are.
        x: a batch.
        position: of the result to differentiate, where there are several.
    """
    result = net(x) if position is None else net(x)[position]
    weights = {name: weight for name, weight in net.named_parameters() if weight.dim() >= 2}
    if not result.requires_grad:
        return [], list(weights)
    noise = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(result, list(weights.values()), noise, allow_unused=True)
    found = {n: g is not None and bool(g.any()) for n, g in zip(weights, gradients, strict=True)}
    return [n for n, hit in found.items() if hit], [n for n, hit in found.items() if not hit]


def steer(model: Any, x: Tensor, wanted: Tensor) -> None:
    """Change the weights a little until the encoder says what is wanted of one image: a few Gauss-Newton steps.

    Args:
        model: its encoder is changed in place.
        x: one image, (1, 3, S, S).
        wanted: its mu and logvar, (1, 2 L).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    for _ in range(8):
        got = torch.cat(list(model.encode(x)), dim=1)[0]
        if not got.requires_grad:
            return  # cut off: it stays as it is
        if bool((got - wanted[0]).abs().max() < 1e-3):
            return
        slopes = [torch.autograd.grad(v, parameters, retain_graph=True, allow_unused=True) for v in got]
        used = [i for i in range(len(parameters)) if any(row[i] is not None for row in slopes)]
        zeros = [torch.zeros_like(p) for p in parameters]
        rows = [[zeros[i] if row[i] is None else row[i] for i in used] for row in slopes]
        flat = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        change = torch.linalg.pinv(flat @ flat.T, rtol=1e-6) @ (wanted[0] - got.detach()) @ flat
        with torch.no_grad():
            for i, part in zip(used, change.split([parameters[i].numel() for i in used]), strict=True):
                parameters[i].add_(part.view_as(parameters[i]))


def near(model: Any, x: Tensor, offsets: Tensor) -> Tensor:
    """Pictures of the codes at offsets (O, L) from the mean of one image, (O, 3, S, S)."""
    with torch.no_grad():
        return model.decode(model.encode(x)[0] + offsets)

"""Refuse wrong input where it comes in, by name, with the value got and the remedy."""

from __future__ import annotations

import torch
from torch import Tensor


def require_float(**tensors: Tensor) -> None:
    """Refuse tensors that are not floating point; each is named by its keyword.

    Raises:
        TypeError: integers or booleans, such as uint8 pixels.
    """
    for name, value in tensors.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(
                f"{name} must be a floating-point tensor, got {got}; convert it, pixels by x / 255"
            )


def require_codes(mu: Tensor, logvar: Tensor) -> None:
    """Refuse an encoder's output that is not two floating-point tensors of one shape.

    Raises:
        TypeError, ValueError: see above.
    """
    require_float(mu=mu, logvar=logvar)
    if mu.shape != logvar.shape or mu.dim() == 0:
        raise ValueError(
            f"mu and logvar must have the same shape (B, L), got {tuple(mu.shape)} and {tuple(logvar.shape)}"
        )


def require_pictures(x: Tensor, x_hat: Tensor) -> None:
    """Refuse pictures that are not two floating-point tensors of one shape.

    Raises:
        TypeError, ValueError: see above. Shapes that would broadcast are refused too: they hide mistakes.
    """
    require_float(x=x, x_hat=x_hat)
    if x.shape != x_hat.shape or x.dim() < 2:
        raise ValueError(
            f"x and x_hat must have the same shape (B, ...), got {tuple(x.shape)} and {tuple(x_hat.shape)}"
        )


def require_images(x: Tensor, name: str = "x") -> None:
    """Refuse what is not a batch of colour images as the course uses them.

    Args:
        x: images, (B, 3, H, W), float in [0, 1], B at least 1.
        name: what the caller calls them.

    Raises:
        TypeError: not floating point.
        ValueError: another shape, no image, NaN, or values outside [0, 1].
    """
    require_float(**{name: x})
    if x.dim() != 4 or x.shape[1] != 3 or x.numel() == 0:
        raise ValueError(f"{name} must have shape (B, 3, H, W) with at least one image, got {tuple(x.shape)}")
    low, high = (value.item() for value in torch.aminmax(x.detach()))  # NaN wins over every number
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{name} must lie in [0, 1] without NaN, got {low:g} to {high:g}; scale 8-bit pixels by 1 / 255"
        )


def require_length(latent_dim: int, name: str = "latent_dim") -> None:
    """Refuse what cannot be the length of a code.

    Raises:
        TypeError: no whole number.
        ValueError: below 1.
    """
    if not isinstance(latent_dim, int):
        raise TypeError(f"{name} must be a whole number, got {latent_dim!r}")
    if latent_dim < 1:
        raise ValueError(f"{name} must be at least 1, got {latent_dim}")


def require_shape(x: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Refuse a batch that a network was not built for, before a layer deep inside does.

    Args:
        x: the batch.
        shape: of what stands in each row.
        name: what the caller calls the batch.

    Raises:
        TypeError: not floating point.
        ValueError: another shape.
    """
    require_float(**{name: x})
    if x.dim() != 1 + len(shape) or x.shape[1:] != shape:
        wanted = ", ".join(str(size) for size in ("B", *shape))
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(x.shape)}")

"""Chapter 07, inside the latent space: collect codes, find their main directions, walk along one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from vae_ref.inputs import require_float, require_images
from vae_ref.networks import VAE


@torch.no_grad()
def encode_dataset(model: VAE, loader: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Collect the mean codes of all images.

    Args:
        model: a VAE.
        loader: batches of images (B, 3, 64, 64) and labels (B,), in a fixed order.

    Returns:
        mu, (N, L), and labels, (N,), in the loader's order.

    Raises:
        TypeError, ValueError: the loader is empty or gives other things than colour images in [0, 1].
    """
    codes = []
    for x, labels in loader:
        require_images(x)
        codes.append((model.encode(x)[0], labels))
    if not codes:
        raise ValueError("the loader gave no images")
    mu, labels = (torch.cat(parts) for parts in zip(*codes, strict=True))
    return mu, labels


def principal_components(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the orthogonal directions along which codes vary most.

    Args:
        mu: codes, (N, L), at least 2 of them.
        num_components: how many directions, K, at most min(N, L).

    Returns:
        components (K, L), orthonormal, the coordinate of largest size positive in each;
        explained_variance_ratio (K,), falling, the share of the total variance;
        projected (N, K), the centred codes in these directions.

    Raises:
        TypeError, ValueError: ``num_components`` is out of range, or there are not at least 2 codes of finite
            floating-point numbers.
    """
    _require_codes_of_many(mu)
    if not 1 <= num_components <= min(mu.shape):
        raise ValueError(
            f"num_components must be between 1 and {min(mu.shape)} for codes of shape {tuple(mu.shape)}, "
            f"got {num_components}"
        )
    centred = mu - mu.mean(dim=0)
    # centred = U S Vᵀ: the rows of Vᵀ are the directions, S² / (N − 1) the variances along them
    _, singular, components = torch.linalg.svd(centred, full_matrices=False)
    # a direction's sign is arbitrary; fix it so that figures stay the same
    largest = components.abs().argmax(dim=1, keepdim=True)
    components = components * components.gather(1, largest).sign()
    variance = singular.square()
    ratio = variance / variance.sum().clamp(min=torch.finfo(mu.dtype).tiny)
    components = components[:num_components]
    return components, ratio[:num_components], centred @ components.T


@torch.no_grad()
def traverse(model: VAE, z: Tensor, dim: int, values: Tensor) -> Tensor:
    """Decode one code with one of its coordinates set to each of some values.

    Args:
        model: a VAE.
        z: the code, (L,).
        dim: which coordinate, 0 … L − 1.
        values: what it is set to, (V,).

    Returns:
        Images, (V, 3, 64, 64).

    Raises:
        IndexError: there is no such coordinate.
        TypeError, ValueError: ``z`` is not one code of the model, or ``values`` not a list of at least one number.
    """
    require_float(z=z)
    if z.dim() != 1 or values.dim() != 1 or len(values) == 0:
        raise ValueError(
            f"z must have shape (L,) and values (V,), V at least 1, got {tuple(z.shape)} and {tuple(values.shape)}"
        )
    if not 0 <= dim < len(z):
        raise IndexError(f"dim must be between 0 and {len(z) - 1}, got {dim}")
    codes = z.repeat(len(values), 1)  # (V, L)
    codes[:, dim] = values.to(codes)
    return model.decode(codes)


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """Count the latent dimensions that carry information: those whose mean code varies with the image.

    Args:
        mu: codes of many images, (N, L), N at least 2.
        threshold: variance above which a dimension counts.

    Raises:
        TypeError, ValueError: not at least 2 codes of finite floating-point numbers.

    Source: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), section 5.2.
    """
    _require_codes_of_many(mu)
    return int((mu.var(dim=0) > threshold).sum())


def _require_codes_of_many(mu: Tensor) -> None:
    require_float(mu=mu)
    if mu.dim() != 2 or len(mu) < 2:
        raise ValueError(f"mu must have shape (N, L) with N at least 2, got {tuple(mu.shape)}")
    if not bool(mu.isfinite().all()):
        raise ValueError(f"mu must be finite, got {int((~mu.isfinite()).sum())} NaN or infinite numbers")

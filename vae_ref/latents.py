"""Chapter 07, inside the latent space: collect codes, find main directions, walk along one, ask what they know."""

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


def linear_probe_r2(mu: Tensor, target: Tensor, test_mu: Tensor, test_target: Tensor) -> float:
    """How much of a quantity a linear function of the code predicts on other images.

    Args:
        mu, target: codes (N, L) and what to predict (N,), for fitting; N larger than L.
        test_mu, test_target: of other images, for scoring.

    Returns:
        R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)² over the test images, ȳ the mean of their y; at most 1, and negative where
        guessing ȳ would have been better.

    Raises:
        TypeError, ValueError: not floating point, other shapes, or a test target that never varies.

    Source: Alain & Bengio, Understanding Intermediate Layers Using Linear Classifier Probes (2016).
    """
    for codes, values, name in ((mu, target, "mu"), (test_mu, test_target, "test_mu")):
        _require_codes_of_many(codes)
        require_float(target=values)
        if values.shape != codes.shape[:1]:
            raise ValueError(f"{name} has shape {tuple(codes.shape)}, but its target {tuple(values.shape)}")
    spread = (test_target - test_target.mean()).square().sum()
    if spread == 0:
        raise ValueError(f"test_target is the same for all {len(test_target)} images; leave it out")
    # least squares with a constant, as means taken off first and put back at the end
    centre, level = mu.mean(dim=0), target.mean()
    weights = torch.linalg.lstsq(mu - centre, (target - level)[:, None]).solution  # (L, 1)
    predicted = ((test_mu - centre) @ weights)[:, 0] + level
    return float(1 - (test_target - predicted).square().sum() / spread)


def sap_score(mu: Tensor, factors: Tensor) -> float:
    """How much better the best latent predicts a factor than the second best, mean over factors.

    Args:
        mu: codes, (N, L), L at least 2.
        factors: what the images were drawn from, (N, K).

    Returns:
        The mean over factors of the gap between the two largest R² of a linear prediction from one latent alone, which
        is its squared correlation with the factor; 1 when each factor has a latent of its own, 0 when none stands out.

    Raises:
        TypeError, ValueError: not floating point, other shapes, or a factor that never varies.

    Source: Kumar, Sattigeri & Balakrishnan, Variational Inference of Disentangled Latent Concepts from Unlabeled
    Observations (2018), section 3.
    """
    _require_codes_of_many(mu)
    require_float(factors=factors)
    if mu.shape[1] < 2 or factors.dim() != 2 or len(factors) != len(mu):
        raise ValueError(
            f"mu and factors must be (N, L) and (N, K) with L at least 2, got {tuple(mu.shape)} and "
            f"{tuple(factors.shape)}"
        )
    codes, known = mu - mu.mean(dim=0), factors - factors.mean(dim=0)
    if bool((known == 0).all(dim=0).any()):
        raise ValueError("a factor is the same for all images; leave it out")
    variances = codes.square().sum(dim=0)[:, None] * known.square().sum(dim=0)  # (L, K)
    # a latent that never varies predicts nothing: 0, not 0 / 0
    r2 = (codes.T @ known).square() / variances.clamp(min=torch.finfo(mu.dtype).tiny)
    best = r2.topk(2, dim=0).values  # (2, K)
    return float((best[0] - best[1]).mean())


def _require_codes_of_many(mu: Tensor) -> None:
    require_float(mu=mu)
    if mu.dim() != 2 or len(mu) < 2:
        raise ValueError(f"mu must have shape (N, L) with N at least 2, got {tuple(mu.shape)}")
    if not bool(mu.isfinite().all()):
        raise ValueError(f"mu must be finite, got {int((~mu.isfinite()).sum())} NaN or infinite numbers")

"""How far one set of pictures is from another, in the features of a network that looks at them.

Every number here depends on how many pictures are compared: both sets always have ``NUM_PICTURES``, and the
distance between two sets of real pictures stands beside it as what a perfect model would get.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vae_ref.classifier import Classifier
from vae_ref.errors import CourseError

NUM_PICTURES = 1000
BATCH_SIZE = 250


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared 2-Wasserstein distance between the Gaussians with the means and covariances of two sets.

    Args:
        a, b: features, (N, D) and (M, D), at least 2 each.

    Returns:
        ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), in squared units of the features.

    Raises:
        ValueError: the sets have different features, too few of them, or some that are not numbers.

    Source: Dowson & Landau, The Fréchet Distance between Multivariate Normal Distributions (1982); Heusel et
    al., GANs Trained by a Two Time-Scale Update Rule (2017).
    """
    if a.ndim != 2 or a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(
            "features must have shapes (N, D) and (M, D) with N, M at least 2, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("features must be finite numbers, got NaN or infinity")
    a, b = a.double(), b.double()
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    cov_a, cov_b = torch.cov(a.T).reshape(a.shape[1], -1), torch.cov(b.T).reshape(b.shape[1], -1)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # Σ_a^½
    # Σ_a Σ_b has the eigenvalues of the symmetric Σ_a^½ Σ_b Σ_a^½, whose roots are real
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return (shift + cov_a.trace() + cov_b.trace() - 2 * cross).item()


@torch.no_grad()
def classifier_frechet(classifier: Classifier, a: Tensor, b: Tensor) -> float:
    """Fréchet distance between two sets of pictures in the features of a classifier trained on this data.

    This is not FID, whose features are another network's: the numbers cannot be compared.

    Args:
        classifier: a trained classifier; its features have a total variance of 16 on training pictures.
        a, b: images, (N, 3, 64, 64) and (M, 3, 64, 64), in [0, 1].
    """
    features = [
        torch.cat([classifier.features(part) for part in pictures.split(BATCH_SIZE)]) for pictures in (a, b)
    ]
    return frechet_distance(*features)


def inception_network() -> nn.Module:
    """The network that FID and KID look through.

    Raises:
        CourseError: its package is not installed, or its weights are neither here nor to be had.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        return FrechetInceptionDistance(feature=2048).inception
    except ModuleNotFoundError as error:
        raise CourseError(
            "FID needs torch-fidelity: pip install 'vae-course[fid]', or leave out --fid"
        ) from error
    except OSError as error:  # what a failing download raises
        raise CourseError(
            f"FID needs the weights of its network, which cannot be downloaded ({error}); "
            "try again with a network connection, or leave out --fid"
        ) from error


@torch.no_grad()
def inception_distances(network: nn.Module, real: Tensor, fake: Tensor) -> dict[str, float]:
    """FID and KID between two sets of pictures.

    Args:
        network: maps uint8 images (B, 3, H, W) to features, (B, D): see ``inception_network``.
        real, fake: images, (N, 3, 64, 64), in [0, 1].

    Returns:
        "fid", and "kid", the mean over 10 random halves. At a thousand pictures FID is far above what the
        usual fifty thousand give.

    Source: Heusel et al. (2017); Bińkowski et al., Demystifying MMD GANs (2018).
    """
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    metrics = (
        FrechetInceptionDistance(feature=network),
        KernelInceptionDistance(feature=network, subsets=10, subset_size=min(len(real), len(fake)) // 2),
    )
    for metric in metrics:
        for pictures, is_real in ((real, True), (fake, False)):
            for part in pictures.split(BATCH_SIZE):
                metric.update((255 * part).round().to(torch.uint8), real=is_real)
    fid, kid = metrics
    return {"fid": fid.compute().item(), "kid": kid.compute()[0].item()}

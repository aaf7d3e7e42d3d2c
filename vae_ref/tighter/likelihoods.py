"""Likelihoods of pictures around decoded ones, from none at all to correlated colours.

Each class is p(x|z) as a density of dequantised pictures: ``log_prob(x, x_hat)`` in nats per image, with both on
the dequantised scale (``dequantise``, ``to_middle``), and ``fit`` from residuals x − x_hat of training pictures.
All of them are normalised, so their bits per dim can stand in one table. Structure in the likelihood is a temptation:
what it explains, the code need not. Read bits per dim together with the rate and the PSNR.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Self

import torch
from torch import Tensor, nn

from vae_ref.bound import LOG_2PI, optimal_sigma, reconstruction_log_likelihood
from vae_ref.inputs import require_float, require_pictures

# what uniform noise 1/256 wide adds to every pixel: no residual on the dequantised scale varies less
DEQUANTISATION_VARIANCE = 1 / (12 * 256**2)


class Likelihood(nn.Module):
    """p(x|z) as a density of dequantised pictures around decoded ones."""

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Log density of pictures around decoded ones, differentiable with respect to both.

        Args:
            x: dequantised pictures, (B, 3, H, W).
            x_hat: decoded pictures on the same scale, the shape of ``x``.

        Returns:
            log p(x|z) in nats, (B,).
        """
        raise NotImplementedError

    def fit(self, residuals: Iterable[Tensor]) -> Self:
        """Set the parameters to the most likely ones for some residuals.

        Args:
            residuals: batches of x − x_hat on the dequantised scale, (B, 3, H, W), from training pictures.

        Raises:
            TypeError, ValueError: no residual, not floating point, not finite, or other shapes.
        """
        raise NotImplementedError


class UniformLikelihood(Likelihood):
    """Every picture is equally likely: 8 bits per dim, the number to beat."""

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        require_pictures(x, x_hat)
        return x.new_zeros(len(x))

    def fit(self, residuals: Iterable[Tensor]) -> Self:
        return self


class SharedSigmaLikelihood(Likelihood):
    """N(x; x_hat, σ² I), one σ for all pixels; σ = 1 until it is fitted, the "MSE loss" of many tutorials."""

    sigma: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sigma", torch.tensor(1.0))

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return reconstruction_log_likelihood(x, x_hat, self.sigma)

    def fit(self, residuals: Iterable[Tensor]) -> Self:
        squares, count = 0.0, 0
        for residual in checked(residuals):
            squares += optimal_sigma(residual, torch.zeros_like(residual)).item() ** 2 * len(residual)
            count += len(residual)
        self.sigma.fill_(math.sqrt(squares / count))
        return self


class ColourLikelihood(Likelihood):
    """N(x; x_hat, Σ) at every pixel, with one 3×3 covariance Σ over the channels."""

    covariance: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("covariance", torch.eye(3))

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return colour_log_likelihood(x, x_hat, self.covariance)

    def fit(self, residuals: Iterable[Tensor]) -> Self:
        self.covariance.copy_(colour_covariance(residuals))
        return self


def colour_log_likelihood(x: Tensor, x_hat: Tensor, covariance: Tensor) -> Tensor:
    """Log density of images under a Gaussian over the channels of each pixel.

    Args:
        x: images, (B, 3, H, W), float.
        x_hat: the decoder's means, the shape of ``x``.
        covariance: of the three channels of a pixel, (3, 3), symmetric and positive definite, in units of [0, 1]².

    Returns:
        Σ over pixels of log N(x_p; x_hat_p, covariance) in nats, (B,).

    Raises:
        TypeError, ValueError: not floating point, other shapes, or a covariance that is none.
    """
    require_pictures(x, x_hat)
    require_float(covariance=covariance)
    if x.dim() != 4 or covariance.shape != (x.shape[1], x.shape[1]):
        raise ValueError(
            f"x must be (B, C, H, W) and covariance (C, C), got {tuple(x.shape)} and {tuple(covariance.shape)}"
        )
    factor, failed = torch.linalg.cholesky_ex(covariance)  # Σ = F Fᵀ
    if bool(failed) or not torch.allclose(covariance, covariance.mT, rtol=1e-4, atol=1e-10):
        raise ValueError(f"covariance must be symmetric and positive definite, got {covariance.tolist()}")
    residual = (x - x_hat).flatten(2)  # (B, C, P)
    white = torch.linalg.solve_triangular(factor, residual, upper=False)  # F⁻¹ r, (B, C, P)
    # log N = −½ [ rᵀ Σ⁻¹ r + log det Σ + C log 2π ] at each pixel, and rᵀ Σ⁻¹ r = |F⁻¹ r|²
    constant = factor.diagonal().log().sum() + 0.5 * len(factor) * LOG_2PI
    return -0.5 * white.square().sum(dim=(1, 2)) - residual.shape[2] * constant


def colour_covariance(residuals: Iterable[Tensor]) -> Tensor:
    """The covariance under which residuals are most likely: the mean of r rᵀ over images and pixels.

    The mean residual is not taken off, because the density is centred at the decoded picture.

    Args:
        residuals: batches of x − x_hat, (B, 3, H, W).

    Returns:
        (3, 3), float64; where residuals vary less than the noise of dequantisation can, as those of grey
        pictures do, a hundredth of that noise is kept.

    Raises:
        TypeError, ValueError: no residual, not floating point, not finite, or other shapes.
    """
    total, count = torch.zeros(3, 3, dtype=torch.float64), 0
    for residual in checked(residuals):
        pixels = residual.double().transpose(0, 1).flatten(1)  # (3, B·H·W)
        total += (pixels @ pixels.T).cpu()
        count += pixels.shape[1]
    values, directions = torch.linalg.eigh(total / count)
    return directions * values.clamp(min=DEQUANTISATION_VARIANCE / 100) @ directions.T


def mean_picture(images: Iterable[Tensor]) -> Tensor:
    """The mean of training pictures: what a model without a code decodes, whatever it is shown.

    Under each likelihood it is the baseline that tells how much of a number is owed to the code.

    Args:
        images: batches, (B, 3, H, W).

    Returns:
        (3, H, W), the dtype of the images.

    Raises:
        TypeError, ValueError: no image, not floating point, not finite, or other shapes.
    """
    total, count = torch.zeros(()), 0
    for x in checked(images, "images"):
        total, count, dtype = total + x.double().sum(dim=0), count + len(x), x.dtype
    return (total / count).to(dtype)


def checked(batches: Iterable[Tensor], name: str = "residuals") -> Iterator[Tensor]:
    """Pass on batches (B, 3, H, W) of finite numbers, without gradients.

    Raises:
        TypeError, ValueError: not floating point, another shape, NaN or infinity, or no batch at all.
    """
    empty = True
    for batch in batches:
        require_float(**{name: batch})
        if batch.dim() != 4 or batch.shape[1] != 3 or batch.numel() == 0:
            raise ValueError(f"{name} must be batches (B, 3, H, W), got shape {tuple(batch.shape)}")
        if not bool(batch.isfinite().all()):
            raise ValueError(
                f"{name} must be finite, got {int((~batch.isfinite()).sum())} NaN or infinite numbers"
            )
        empty = False
        yield batch.detach()
    if empty:
        raise ValueError(f"{name} gave no batch; pass a list, or something else that can be iterated again")

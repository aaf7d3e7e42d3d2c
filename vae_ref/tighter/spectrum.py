"""A likelihood that knows what residuals of photos look like: correlated colours, smooth in space, some images rougher.

The three channels are mixed by one linear map that makes them uncorrelated, each channel goes through an orthonormal
two-dimensional cosine transform, and every (channel, frequency) has a variance of its own. Both maps are linear and
invertible, so this is a Gaussian of the whole picture with a full covariance of 12,288 × 12,288 that costs two small
matrix products. How rough a picture is differs from one to the next: a mixture over scales s_k multiplies all
standard deviations at once.

    log p(x|z) = log Σ_k π_k N(x − x̂; 0, s_k² Σ),    Σ⁻¹ = Mᵀ Λ⁻¹ M,    M = DCT · colours
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Self

import torch
from torch import Tensor

from vae_ref.bound import LOG_2PI
from vae_ref.inputs import require_pictures, require_shape
from vae_ref.tighter.likelihoods import DEQUANTISATION_VARIANCE, Likelihood, checked, colour_covariance


def dct_matrix(size: int) -> Tensor:
    """The orthonormal cosine transform (DCT-II) of a row of pixels.

    Args:
        size: number of pixels, N, at least 1.

    Returns:
        (N, N), float64; row k is the cosine of frequency k, so ``dct @ image @ dct.T`` transforms both axes.

    Raises:
        ValueError: ``size`` is below 1.

    Source: Ahmed, Natarajan & Rao, Discrete Cosine Transform (1974).
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    n = torch.arange(size, dtype=torch.float64)
    # √(2/N) cos(π (2n + 1) k / 2N), and 1/√N for k = 0
    matrix = math.sqrt(2 / size) * torch.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * size))
    matrix[0] = 1 / math.sqrt(size)
    return matrix


class SpectrumLikelihood(Likelihood):
    """Whitened colours × one variance for each frequency, with a mixture of scales for each image.

    Args:
        size: side of the pictures in pixels, S.
        num_scales: scales in the mixture, K; 1 for a plain Gaussian.

    Attributes:
        whiten: colours to uncorrelated channels, (3, 3).
        variance: of each channel at each frequency, (3, S, S), in whitened units.
        log_scale: log s_k, (K,).
        log_weight: log π_k, (K,).

    Raises:
        ValueError: ``size`` or ``num_scales`` is below 1.

    Source: for scale mixtures of image statistics: Portilla et al., Image Denoising Using Scale Mixtures of Gaussians
    in the Wavelet Domain (2003).
    """

    dct: Tensor
    whiten: Tensor
    variance: Tensor
    log_scale: Tensor
    log_weight: Tensor

    def __init__(self, size: int = 64, num_scales: int = 1) -> None:
        super().__init__()
        if size < 1 or num_scales < 1:
            raise ValueError(f"size and num_scales must be at least 1, got {size} and {num_scales}")
        self.register_buffer("dct", dct_matrix(size).float(), persistent=False)
        self.register_buffer("whiten", torch.eye(3))
        self.register_buffer("variance", torch.ones(3, size, size))
        self.register_buffer("log_scale", torch.zeros(num_scales))
        self.register_buffer("log_weight", torch.full((num_scales,), -math.log(num_scales)))

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        require_pictures(x, x_hat)
        if x.shape[1:] != self.variance.shape:
            raise ValueError(f"x must be (B, *{tuple(self.variance.shape)}), got {tuple(x.shape)}")
        return torch.logsumexp(self._log_joint(self._coefficients(x - x_hat)), dim=1)

    @torch.no_grad()
    def fit(self, residuals: Iterable[Tensor], num_iterations: int = 10) -> Self:
        """Set the parameters to likely ones for some residuals: in closed form for one scale, else by EM.

        Args:
            residuals: batches of x − x_hat on the dequantised scale, (B, 3, S, S), from training pictures;
                iterated twice, and ``num_iterations`` + 1 more times where there are several scales.
            num_iterations: steps of expectation–maximisation; none lowers the likelihood of the residuals.

        Raises:
            TypeError, ValueError: no residual, not floating point, not finite, or another shape; nothing has changed.
        """
        # mixing the channels by the eigenvectors of their covariance leaves them uncorrelated, with variance 1
        values, directions = torch.linalg.eigh(colour_covariance(self._sized(residuals)))
        self.whiten.copy_(directions.T / values.sqrt()[:, None])
        self.log_scale.zero_()
        self.log_weight.fill_(-math.log(len(self.log_weight)))
        total, count = torch.zeros_like(self.variance, dtype=torch.float64), 0
        for residual in checked(residuals):
            total, count = (
                total + self._coefficients(residual).double().square().sum(dim=0),
                count + len(residual),
            )
        self._set_variance(total / count)
        if len(self.log_scale) > 1:
            self._spread_scales(residuals)
            for _ in range(num_iterations):
                self._improve(residuals)
        return self

    def _sized(self, residuals: Iterable[Tensor]) -> Iterator[Tensor]:
        for residual in residuals:
            require_shape(residual, tuple(self.variance.shape), "residuals")
            yield residual

    def _coefficients(self, residual: Tensor) -> Tensor:
        """M r: whitened colours, then cosines along both axes, (B, 3, S, S)."""
        white = torch.einsum("cd,bdhw->bchw", self.whiten, residual)
        return self.dct @ white @ self.dct.T

    def _energy(self, coefficients: Tensor) -> Tensor:
        """rᵀ Σ⁻¹ r at scale 1, (B,)."""
        return (coefficients.square() / self.variance).sum(dim=(1, 2, 3))

    def _log_joint(self, coefficients: Tensor) -> Tensor:
        """log π_k + log N(r; 0, s_k² Σ), (B, K)."""
        num_dims, num_pixels = self.variance.numel(), self.dct.numel()
        # log det Σ = Σ log λ − 2 · pixels · log |det W|; the cosine transform has determinant ±1
        log_det = self.variance.log().sum() - 2 * num_pixels * torch.linalg.slogdet(self.whiten)[1]
        energy = self._energy(coefficients)[:, None] * torch.exp(-2 * self.log_scale)  # (B, K)
        log_normal = -0.5 * (energy + log_det + num_dims * LOG_2PI) - num_dims * self.log_scale
        return self.log_weight + log_normal

    def _set_variance(self, variance: Tensor) -> None:
        # dequantisation alone gives channel c the variance noise · |w_c|² at every frequency
        least = DEQUANTISATION_VARIANCE / 100 * self.whiten.square().sum(dim=1)
        self.variance.copy_(torch.maximum(variance.to(self.variance), least[:, None, None]))

    def _spread_scales(self, residuals: Iterable[Tensor]) -> None:
        """Start the scales at quantiles of what each image would like best, √(energy / D)."""
        energy = torch.cat([self._energy(self._coefficients(residual)) for residual in checked(residuals)])
        share = (torch.arange(len(self.log_scale)).to(energy) + 0.5) / len(self.log_scale)
        quantiles = torch.quantile(energy / self.variance.numel(), share)
        self.log_scale.copy_(0.5 * quantiles.clamp(min=1e-12).log())

    def _improve(self, residuals: Iterable[Tensor]) -> None:
        """One step of EM, all sums from one pass: weights and scales first, then variances given the new scales."""
        num_scales = len(self.log_scale)
        members = torch.zeros(num_scales, dtype=torch.float64, device=self.variance.device)
        energies = torch.zeros_like(members)
        squares = torch.zeros((num_scales, *self.variance.shape), dtype=torch.float64, device=members.device)
        count = 0
        for residual in checked(residuals):
            coefficients = self._coefficients(residual)
            share = self._log_joint(coefficients).softmax(dim=1)  # γ_nk = p(k | r_n), (B, K)
            members += share.double().sum(dim=0)
            energies += (share * self._energy(coefficients)[:, None]).double().sum(dim=0)
            squares += torch.einsum("bk,bchw->kchw", share, coefficients.square()).double()
            count += len(residual)
        # π_k = Σ_n γ_nk / N;  s_k² = Σ_n γ_nk energy_n / (D Σ_n γ_nk), left alone where no image wants it
        wanted = members > 1e-6
        variance_scale = energies / (self.variance.numel() * members.clamp(min=1e-6))  # s_k²
        variance_scale = torch.where(wanted, variance_scale, torch.exp(2 * self.log_scale.double()))
        self.log_weight.copy_((members.clamp(min=1e-6) / count).log().log_softmax(dim=0))
        self.log_scale.copy_(0.5 * variance_scale.log())
        # λ = (1/N) Σ_n Σ_k γ_nk c_n² / s_k²
        self._set_variance((squares / variance_scale[:, None, None, None]).sum(dim=0) / count)

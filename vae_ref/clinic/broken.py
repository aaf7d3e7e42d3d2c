"""The broken models of the ward: VAEs with exactly one defect each, all of them found in published code.

Each class overrides one method of ``PocketVAE``, and ``settle`` where its training ends elsewhere: at the minimum of
its own loss. Deleting the overrides is the cure. What ails whom, and what shows it, stands in ``ward``.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.distributions import LowRankMultivariateNormal
from torch.nn import functional

from vae_ref.bound import elbo, kl_divergence, optimal_sigma
from vae_ref.clinic.pocket import NUM_DIMS, PocketVAE


class SkipConnection(PocketVAE):
    """The decoder gets features of the image besides its code."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.features: Tensor | None = None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.features = functional.avg_pool2d(x, 2)  # (B, 3, 32, 32)
        return super().encode(x)

    def decode(self, z: Tensor) -> Tensor:
        x_hat = super().decode(z)
        if self.features is None or len(self.features) != len(z):
            return x_hat
        missing = self.features - functional.avg_pool2d(x_hat, 2)
        return (x_hat + functional.interpolate(missing, scale_factor=2)).clamp(0, 1)


class LogvarAsSigma(PocketVAE):
    """The sampler takes logvar for the standard deviation; the KL takes it for what it is."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
        return mu + logvar * eps, mu, logvar


class MeanReconstruction(PocketVAE):
    """The squared error is averaged over pixels, the KL summed over latents: a claim that σ = √(D / 2) = 78."""

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x_hat, mu, logvar = self(x, generator)
        return (x - x_hat).square().mean() + kl_divergence(mu, logvar).mean()

    def settle(self, x: Tensor) -> Self:
        return self.settle_for(x, sigma=math.sqrt(NUM_DIMS / 2))


class AveragedKL(PocketVAE):
    """The KL is averaged over latents instead of summed: β = 1 / L, without anybody having chosen it."""

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x_hat, mu, logvar = self(x, generator)
        return -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat), beta=1 / self.latent_dim).mean()

    def settle(self, x: Tensor) -> Self:
        return self.settle_for(x, beta=1 / self.latent_dim)


class ReluMean(PocketVAE):
    """The head of mu ends in a ReLU."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = super().encode(x)
        return mu.relu(), logvar


class DetachedSample(PocketVAE):
    """Codes are drawn where gradients are not recorded."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        z, mu, logvar = super().draw(x, generator)
        return z.detach(), mu, logvar


class NoiseInEvaluation(PocketVAE):
    """What ``encode`` returns as the mean is a sample once training is over."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = super().encode(x)
        return (mu if self.training else mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)), logvar


class NoNoiseInTraining(PocketVAE):
    """Training decodes mu; samples are drawn in evaluation only."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        z, mu, logvar = super().draw(x, generator)
        return (mu if self.training else z), mu, logvar


class TanhOutput(PocketVAE):
    """Pictures in [−1, 1] are compared with images in [0, 1]."""

    def decode(self, z: Tensor) -> Tensor:
        return torch.tanh(4 * super().decode(z) - 2)


class SignedTargets(PocketVAE):
    """Binary cross-entropy with targets in [−1, 1]: for a negative target it falls for ever as the pixel goes to 0."""

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x_hat, mu, logvar = self(x, generator)
        x_hat, target = x_hat.clamp(1e-3, 1 - 1e-3), 2 * x - 1
        error = -(
            target * x_hat.log() + (1 - target) * (1 - x_hat).log()
        )  # what a library would refuse to compute
        return (error.flatten(1).sum(dim=1) + kl_divergence(mu, logvar)).mean()

    @torch.no_grad()
    def settle(self, x: Tensor) -> Self:
        super().settle(x)
        self.decoder.paint.weight.mul_(
            2
        )  # the error of a pixel is smallest at its target, or at 0 if that is less
        self.decoder.paint.bias.mul_(2).sub_(1)
        return self


class StrongDecoder(PocketVAE):
    """p(x|z) is a Gaussian with a covariance of its own that explains all the code could: the posterior collapses.

    The number does not tell. This loss is as low as that of the healthy model, or lower: log p(x) is the same, and a
    bound whose posterior equals its prior is tight.
    """

    covariance_factor: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.register_buffer("covariance_factor", torch.zeros(NUM_DIMS, latent_dim))

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x_hat, mu, logvar = self(x, generator)
        noise = self.sigma.square().expand(NUM_DIMS)
        # covariance F Fᵀ + σ² I: what varies between pictures, and noise
        likelihood = LowRankMultivariateNormal(x_hat.flatten(1), self.covariance_factor, noise)
        return (kl_divergence(mu, logvar) - likelihood.log_prob(x.flatten(1))).mean()

    @torch.no_grad()
    def settle(self, x: Tensor) -> Self:
        super().settle(x)
        self.covariance_factor.copy_(
            self.decoder.paint.weight
        )  # the likelihood takes over what the code said
        self.decoder.paint.weight.zero_()
        for parameter in self.encoder.parameters():
            parameter.zero_()  # mu = 0 and logvar = 0: the posterior is the prior, and the KL is 0
        return self


# in no order that says anything: those who make a diagnosis know them by their beds
BEDS: tuple[type[PocketVAE], ...] = (
    AveragedKL,
    TanhOutput,
    DetachedSample,
    StrongDecoder,
    ReluMean,
    SkipConnection,
    NoNoiseInTraining,
    SignedTargets,
    LogvarAsSigma,
    MeanReconstruction,
    NoiseInEvaluation,
)

"""The ward: VAEs with exactly one defect each, all of them found in published code.

Each class overrides one method of ``PocketVAE``, and ``settle`` where its training ends elsewhere: at the minimum of
its own loss. Deleting the overrides is the cure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.distributions import LowRankMultivariateNormal
from torch.nn import functional

from vae_ref.bound import elbo, kl_divergence, optimal_sigma
from vae_ref.clinic.finding import Finding, Probe
from vae_ref.clinic.pocket import NUM_DIMS, PocketVAE
from vae_ref.clinic.probes import (
    ask_the_price,
    compare_brightness,
    compare_sampler_with_logvar,
    compare_with_prior,
    count_active_units,
    follow_gradient,
    look_at_range,
    look_for_both_signs,
    reconstruct_twice,
    swap_codes,
)
from vae_ref.networks import VAE


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
        return self._settle(x, sigma=math.sqrt(NUM_DIMS / 2))


class AveragedKL(PocketVAE):
    """The KL is averaged over latents instead of summed: β = 1 / L, without anybody having chosen it."""

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        x_hat, mu, logvar = self(x, generator)
        return -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat), beta=1 / self.latent_dim).mean()

    def settle(self, x: Tensor) -> Self:
        return self._settle(x, beta=1 / self.latent_dim)


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


@dataclass(frozen=True)
class Patient:
    """A row of the ward.

    Attributes:
        broken: the class; ``broken(latent_dim).settle(x)`` is the model at the end of its training.
        symptom: what its author sees.
        cure: what to change.
        exposed_by: the probe that was made for it; others may find it too.
    """

    broken: type[PocketVAE]
    symptom: str
    cure: str
    exposed_by: Probe

    @property
    def name(self) -> str:
        return self.broken.__name__


WARD: tuple[Patient, ...] = (
    Patient(
        SkipConnection,
        "reconstructions are superb, and samples of the prior show whatever the model saw last",
        "let nothing but the code reach the decoder",
        swap_codes,
    ),
    Patient(
        LogvarAsSigma,
        "latents that the KL believes to be noise carry pictures for free, and precise ones drown in noise",
        "draw with σ = exp(logvar / 2), the σ that the KL is charged for",
        compare_sampler_with_logvar,
    ),
    Patient(
        MeanReconstruction,
        "the KL falls to 0 and every image is decoded to the average picture",
        "sum the error over pixels, as the KL is summed over latents; reduce over the batch only",
        count_active_units,
    ),
    Patient(
        AveragedKL,
        "reconstructions are good and the rate is high: the code pays far more nats than they buy",
        "sum the KL over latents; if a smaller weight is meant, write it down as β",
        ask_the_price,
    ),
    Patient(
        ReluMean,
        "codes are never negative, so all images on one side of 0 look the same, and half of the prior is never used",
        "a linear head: a mean may be negative",
        look_for_both_signs,
    ),
    Patient(
        DetachedSample,
        "the encoder learns from the KL alone and forgets the images, while the decoder does what it can",
        "draw where gradients are recorded: z = mu + exp(logvar / 2) · eps, without no_grad or detach",
        follow_gradient,
    ),
    Patient(
        NoiseInEvaluation,
        "the same image is reconstructed differently each time, and measured codes flicker",
        "return mu from encode; draw in draw",
        reconstruct_twice,
    ),
    Patient(
        NoNoiseInTraining,
        "an autoencoder: the KL is paid for noise that training never saw, and logvar learns nothing about the images",
        "draw in training too; what may be left out in evaluation is needed there",
        compare_sampler_with_logvar,
    ),
    Patient(
        TanhOutput,
        "pictures are grey and too dark, with negative pixels where images are black",
        "a sigmoid for images in [0, 1]; a tanh only if the images are scaled to [−1, 1] everywhere",
        look_at_range,
    ),
    Patient(
        SignedTargets,
        "the loss falls below 0 without end, and everything darker than middle grey turns black",
        "targets in [0, 1] for a cross-entropy; or a Gaussian likelihood, whose minimum is at the image",
        compare_brightness,
    ),
    Patient(
        StrongDecoder,
        "the loss is as good as ever, the KL is 0, and every image is decoded to the same blur",
        "a likelihood that leaves the pictures to the code; where structure is wanted, free bits or a committed rate",
        count_active_units,
    ),
)

PROBES: tuple[Probe, ...] = (
    swap_codes,
    count_active_units,
    compare_with_prior,
    ask_the_price,
    compare_sampler_with_logvar,
    follow_gradient,
    look_for_both_signs,
    reconstruct_twice,
    look_at_range,
    compare_brightness,
)


def examine(model: VAE, x: Tensor) -> tuple[Finding, ...]:
    """Put a model through all probes.

    Args:
        model: a trained VAE.
        x: images it was trained on or is meant for, (B, 3, 64, 64), in [0, 1]; at least 2 different ones, better 30.

    Raises:
        TypeError, ValueError: ``x`` is not at least 2 different colour images in [0, 1].
    """
    return tuple(probe(model, x) for probe in PROBES)

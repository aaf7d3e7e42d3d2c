"""Training under a likelihood with structure, which is refitted at every step: chapter 09's temptation, and its cure.

The shared σ of chapter 05 is refitted to every batch. A variance for each colour and frequency has too many numbers
for that, so their moments are averaged over the last few hundred batches. On its own (β = 1) such a model explains
photos so well without a code that its code dies: the KL falls to 0. A committed rate keeps it alive.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vae_ref.bound import kl_divergence
from vae_ref.inputs import require_images
from vae_ref.networks import IMAGE_SIZE, VAE
from vae_ref.tighter import JointMoments, SpectrumLikelihood, WienerFilter, dequantise, to_middle
from vae_ref.tighter.wiener import eigen_colours

LEAST_WEIGHT = 0.005  # of a new batch: moments reach back about 200 batches


class RunningSpectrum(SpectrumLikelihood):
    """A ``SpectrumLikelihood`` around filtered pictures; both follow a model in training.

    Attributes:
        moments: running means over the last batches.
        filter: what decoded pictures pass through.
        num_batches: that went into the moments.
    """

    num_batches: Tensor

    def __init__(self, size: int = IMAGE_SIZE) -> None:
        super().__init__(size)
        self.moments, self.filter = JointMoments(size), WienerFilter(size)
        self.register_buffer("num_batches", torch.tensor(0))

    def log_prob(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return super().log_prob(x, self.filter(x_hat))

    @torch.no_grad()
    def follow(self, x: Tensor, x_hat: Tensor) -> None:
        """Take a batch into account.

        Args:
            x, x_hat: pictures and decoded ones on the dequantised scale, (B, 3, S, S).
        """
        self.num_batches += 1
        # the plain mean of the first batches, then one that forgets
        self.moments.follow(x, x_hat, torch.clamp(1 / self.num_batches, min=LEAST_WEIGHT))
        self.filter.set_from(self.moments)
        residual = self.filter.residual_moments(self.moments)  # (3, 3, S, S)
        # the cosine transform keeps lengths: the mean over frequencies is the colours' covariance
        values, directions = eigen_colours(residual.mean(dim=(2, 3)))
        whiten = directions / values.clamp(min=1e-12).sqrt()[:, None]
        self.whiten.copy_(whiten)
        # variance of channel k of W r at a frequency: w_kᵀ E[r rᵀ] w_k
        self._set_variance(torch.einsum("kc,cdhw,kd->khw", whiten, residual, whiten))


def structured_step(
    model: VAE, likelihood: RunningSpectrum, x: Tensor, optimizer: torch.optim.Optimizer, beta: float
) -> dict[str, float]:
    """Chapter 05's ``train_step`` with another p(x|z).

    Args:
        model: the VAE.
        likelihood: follows the model.
        x: images, (B, 3, 64, 64), in [0, 1].
        optimizer: holds the model's parameters.
        beta: weight of the KL term.

    Returns:
        "loss", "reconstruction" and "kl" before the step, nats per image; the reconstruction is that of dequantised
        pictures.
    """
    require_images(x)
    model.train()
    x_hat, mu, logvar = model(x)
    with torch.autocast(x.device.type, enabled=False):  # the likelihood's matrix products need float32
        pixels, means = dequantise(x), to_middle(x_hat)
        likelihood.follow(pixels, means)
        reconstruction = -likelihood.log_prob(pixels, means)  # (B,)
    kl = kl_divergence(mu, logvar)  # (B,)
    loss = (reconstruction + beta * kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.mean().item(), "kl": kl.mean().item()}

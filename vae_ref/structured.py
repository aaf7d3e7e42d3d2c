"""Training under a likelihood with structure, which is refitted at every step: chapter 09's temptation, and its cure.

The shared σ of chapter 05 is refitted to every batch. A variance for each colour and frequency has too many numbers
for that, so their moments are averaged over the last few hundred batches. On its own (β = 1) such a model explains
photos so well without a code that its code dies: the KL falls to 0. A committed rate keeps it alive.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vae_ref.bound import kl_divergence, require_images
from vae_ref.networks import IMAGE_SIZE, VAE
from vae_ref.tighter import SpectrumLikelihood, dequantise, to_middle

LEAST_WEIGHT = 0.005  # of a new batch: moments reach back about 200 batches


class RunningSpectrum(SpectrumLikelihood):
    """A ``SpectrumLikelihood`` that follows the residuals of a model in training.

    Attributes:
        moments: running mean of the products of colours c and d at each frequency, (3, 3, S, S).
        num_batches: that went into it.
    """

    moments: Tensor
    num_batches: Tensor

    def __init__(self, size: int = IMAGE_SIZE) -> None:
        super().__init__(size)
        self.register_buffer("moments", torch.zeros(3, 3, size, size))
        self.register_buffer("num_batches", torch.tensor(0))

    @torch.no_grad()
    def follow(self, residual: Tensor) -> None:
        """Take a batch of residuals into account.

        Args:
            residual: x − x_hat on the dequantised scale, (B, 3, S, S).
        """
        self.num_batches += 1
        frequencies = self.dct @ residual @ self.dct.T
        batch = torch.einsum("bchw,bdhw->cdhw", frequencies, frequencies) / len(residual)
        # the plain mean of the first batches, then one that forgets
        weight = torch.clamp(1 / self.num_batches, min=LEAST_WEIGHT)
        self.moments.lerp_(batch, weight.to(batch))
        # the cosine transform keeps lengths: the mean over frequencies is the colours' covariance
        values, directions = torch.linalg.eigh(self.moments.double().mean(dim=(2, 3)))
        self.whiten.copy_(directions.T / values.clamp(min=1e-12).sqrt()[:, None])
        # variance of channel k of W r at a frequency: w_kᵀ E[r rᵀ] w_k
        self._set_variance(torch.einsum("kc,cdhw,kd->khw", self.whiten, self.moments, self.whiten))


def structured_step(
    model: VAE, likelihood: RunningSpectrum, x: Tensor, optimizer: torch.optim.Optimizer, beta: float
) -> dict[str, float]:
    """Chapter 05's ``train_step`` with another p(x|z).

    Args:
        model: the VAE.
        likelihood: follows the model's residuals.
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
        likelihood.follow(pixels - means)
        reconstruction = -likelihood.log_prob(pixels, means)  # (B,)
    kl = kl_divergence(mu, logvar)  # (B,)
    loss = (reconstruction + beta * kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.mean().item(), "kl": kl.mean().item()}

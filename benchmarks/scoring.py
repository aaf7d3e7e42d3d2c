"""What a trained VAE is worth, the same measures for everybody.

Likelihoods are densities of dequantised pixels, (255 x + u) / 256, and become bits per dimension as in
``vae_ref.evaluation``. Everybody is measured twice: under the density that its own loss stands for, and, to
be kind, under the Gaussian with the best shared σ, fitted on pictures of the training side. Cross-entropy is
no density of grey values; the density that it lacks only a constant of is the continuous Bernoulli, with that
constant (Loaiza-Ganem & Cunningham, The continuous Bernoulli, 2019).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import ContinuousBernoulli

from vae_ref.bound import kl_divergence, reconstruction_log_likelihood
from vae_ref.dogs import Batches, DogSet
from vae_ref.evaluation import dequantise, psnr, ssim, to_middle
from vae_ref.latents import active_units
from vae_ref.tighter import bits_per_dim

BATCH_SIZE = 64
SWAPPED_BATCHES = 4  # the code counts or it does not; a few pictures tell


@torch.no_grad()
def best_sigma(model: Any, dogs: DogSet, seed: int) -> float:
    """The Gaussian's standard deviation that makes some training pictures most likely, on [0, 1].

    Args:
        model: has ``draw`` and ``decode``.
        dogs: pictures from the training side.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    squares, count = 0.0, 0
    for x, _ in Batches(dogs, BATCH_SIZE):
        error = dequantise(x, generator) - to_middle(model.decode(model.draw(x, generator)[0]))
        squares, count = squares + error.double().square().sum().item(), count + error.numel()
    return math.sqrt(squares / count)


def log_likelihood(kind: str, x: Tensor, x_hat: Tensor, sigma: float) -> Tensor:
    """Log density of dequantised pictures, nats per image, (B,).

    Args:
        kind: "gaussian" or "continuous Bernoulli".
        x: dequantised pictures, (B, 3, 64, 64).
        x_hat: the decoder's output on the same scale: mean of the Gaussian, parameter of the Bernoulli.
        sigma: the Gaussian's standard deviation.
    """
    if kind == "gaussian":
        return reconstruction_log_likelihood(x, x_hat, sigma)
    return ContinuousBernoulli(probs=x_hat).log_prob(x).flatten(1).sum(dim=1)


@torch.no_grad()
def score(
    model: Any, likelihood: str, own_sigma: float | None, training_side: DogSet, test_side: DogSet, seed: int
) -> dict[str, float | int]:
    """Measure a trained model on unseen pictures.

    Args:
        model: has ``encode``, ``draw`` and ``decode``.
        likelihood: density its loss stands for, see ``log_likelihood``.
        own_sigma: the Gaussian's σ in that density; None if it is fitted.
        training_side: pictures to fit σ on.
        test_side: pictures to measure on.
        seed: of the noise.
    """
    model.eval()
    sigma = best_sigma(model, training_side, seed)
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Tensor]] = {
        name: [] for name in ("own", "refitted", "kl", "psnr", "ssim", "swapped", "mu")
    }
    for number, (x, _) in enumerate(Batches(test_side, BATCH_SIZE)):
        z, mu, logvar = model.draw(x, generator)
        noisy, x_hat = dequantise(x, generator), to_middle(model.decode(z))
        kl = kl_divergence(mu, logvar)
        own = log_likelihood(likelihood, noisy, x_hat, own_sigma or sigma)
        columns["own"].append(bits_per_dim(own - kl, x[0].numel()))
        refitted = log_likelihood("gaussian", noisy, x_hat, sigma)
        columns["refitted"].append(bits_per_dim(refitted - kl, x[0].numel()))
        columns["kl"].append(kl)
        x_hat = model.decode(mu)
        columns["psnr"].append(psnr(x, x_hat))
        columns["ssim"].append(ssim(x, x_hat))
        if number < SWAPPED_BATCHES and len(x) > 1:
            columns["swapped"].append(psnr(x, model.decode(mu.roll(1, dims=0))))
        columns["mu"].append(mu)
    joined = {name: torch.cat(parts).double() for name, parts in columns.items()}
    rate = joined["kl"].mean().item()
    return {
        "bits_per_dim_own": joined["own"].mean().item(),
        "bits_per_dim_refitted": joined["refitted"].mean().item(),
        "kl": rate,
        "rate_bytes": rate / math.log(2) / 8,
        "psnr": joined["psnr"].mean().item(),
        "ssim": joined["ssim"].mean().item(),
        "psnr_swapped": joined["swapped"].mean().item(),
        "active_units": active_units(joined["mu"].float()),
        "latent_dim": joined["mu"].shape[1],
        "sigma": sigma,
        "num_images": len(joined["kl"]),
    }

"""Evidence: numbers that can be measured of any VAE without reading its code.

What is measured here, ``probes`` puts into words and ``diagnosis`` puts together. Every function leaves the model as it
was.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vae_ref.bound import bounded_exp, kl_divergence, optimal_sigma, reconstruction_log_likelihood
from vae_ref.clinic.finding import examined, require_several
from vae_ref.generation import reconstruct
from vae_ref.latents import active_units
from vae_ref.networks import VAE


def vital_signs(model: VAE, x: Tensor) -> dict[str, float]:
    """What can be read off codes and reconstructions, in evaluation mode.

    Args:
        model: a VAE.
        x: images, (B, 3, H, W), in [0, 1]; at least 2, not all the same. So for all evidence.

    Returns:
        active: how many mean codes vary with the image by more than 0.01;
        negative: the share of all B L numbers of the mean codes that are below 0;
        lowest, highest: of all numbers of the reconstructions;
        brightness: the mean of the reconstructions minus that of the images;
        twice: the largest difference between two reconstructions of the same images.

    Raises:
        TypeError, ValueError: ``x`` is not at least 2 different colour images in [0, 1].
    """
    require_several(x)
    with examined(model, training=False), torch.no_grad():
        mu, _ = model.encode(x)
        first, second = reconstruct(model, x), reconstruct(model, x)
    return {
        "active": active_units(mu),
        "negative": (mu < 0).float().mean().item(),
        "lowest": first.min().item(),
        "highest": first.max().item(),
        "brightness": (first - x).mean().item(),
        "twice": (first - second).abs().max().item(),
    }


@torch.no_grad()
def sampler_spread(model: VAE, x: Tensor, num_draws: int = 100) -> float:
    """How far drawn codes spread around mu, in units of exp(logvar / 2), in the mode that the model is in.

    Args:
        model: a VAE.
        x: images.
        num_draws: codes of each image.

    Returns:
        The root mean square of (z − mu) / exp(logvar / 2) over draws, images and latents: 1 if codes are drawn as the
        KL assumes.
    """
    draws = [model.draw(x) for _ in range(num_draws)]
    # a float32 code far from 0 hides noise below 1e-6 of its size
    noise = torch.stack([(z - mu) * bounded_exp(-0.5 * logvar) for z, mu, logvar in draws])  # (K, B, L)
    return noise.square().mean().sqrt().item()


def gradient_reach(model: VAE, x: Tensor) -> tuple[float, float]:
    """How strongly the reconstruction error pulls at mu and at logvar, through the sample.

    Args:
        model: a VAE.
        x: images.

    Returns:
        The norms of the gradients of ½ Σ (x − x̂)² for mu and for logvar; 0 where none arrives.
    """
    with torch.enable_grad():
        x_hat, mu, logvar = model(x)
        error = 0.5 * (x - x_hat).square().sum()
        to_mu, to_logvar = _gradients(error, mu, logvar)
    return to_mu.norm().item(), to_logvar.norm().item()


def price_of_a_nat(model: VAE, x: Tensor) -> float:
    """How many nats of reconstruction the last nat of the code buys: the weight β that the KL had in training.

    Where a loss, reconstruction + β KL, is smallest, its slope along logvar is 0: the slopes of both terms tell β.

    Args:
        model: a VAE at the end of its training.
        x: images.

    Returns:
        −Σ ∂(reconstruction) / ∂logvar ÷ Σ ∂KL / ∂logvar, with the σ that suits the pictures best; 1 at the minimum of
        the bound; NaN for a code that says nothing.

    Source: book, chapter 8, "What did the KL weigh?"
    """
    with torch.enable_grad():
        x_hat, mu, logvar = model(x)
        error = -reconstruction_log_likelihood(x, x_hat, optimal_sigma(x, x_hat)).sum()
        (bought,) = _gradients(error, logvar)
        (paid,) = _gradients(kl_divergence(mu, logvar).sum(), logvar)
    bought, paid = bought.double().sum(), paid.double().sum()
    return (-bought / paid).item() if paid else math.nan


def _gradients(value: Tensor, *leaves: Tensor) -> list[Tensor]:
    """The gradients of a number; 0 where none arrives."""
    known = [leaf for leaf in leaves if leaf.requires_grad]
    found: list[Tensor | None] = [None] * len(known)
    if value.requires_grad and known:
        found = list(torch.autograd.grad(value, known, retain_graph=True, allow_unused=True))
    by_leaf = {id(leaf): gradient for leaf, gradient in zip(known, found, strict=True)}
    gradients = [by_leaf.get(id(leaf)) for leaf in leaves]
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]

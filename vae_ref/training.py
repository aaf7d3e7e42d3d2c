"""Chapter 05, training: minimise the negative bound with the likelihood calibrated at every step.

Everywhere in this module "reconstruction" is the negative log-likelihood −log p(x|z), "kl" the divergence,
and "loss" = reconstruction + β·kl: all in nats per image, all to be made small. Pixels are treated as
continuous, so a sharp model has a density above 1 and a reconstruction term below 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vae_ref.bound import LOG_2PI, kl_divergence, optimal_sigma, reconstruction_log_likelihood
from vae_ref.inputs import require_images, require_pictures

Loader = Iterable[tuple[Tensor, Tensor]]  # batches of images (B, 3, H, W) in [0, 1] and labels (B,)


def kl_weight(step: int, warmup_steps: int) -> float:
    """Weight β of the KL term at a step: it rises in a straight line from 0 to 1, then stays.

    Args:
        step: number of steps taken before this one.
        warmup_steps: step from which the weight is 1; 0 for no warm-up.

    Raises:
        ValueError: a negative number.
    """
    if step < 0 or warmup_steps < 0:
        raise ValueError(f"step and warmup_steps must not be negative, got {step} and {warmup_steps}")
    return min(1.0, step / warmup_steps) if warmup_steps > 0 else 1.0


def train_step(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, beta: float = 1.0
) -> dict[str, float]:
    """Take one step down the gradient of the negative bound, with the σ that suits this batch best.

    Args:
        model: maps images to (x_hat, mu, logvar), like ``VAE``.
        x: images, (B, 3, 64, 64), in [0, 1].
        optimizer: holds the model's parameters.
        beta: weight of the KL term.

    Returns:
        "loss", "reconstruction" and "kl" before the step, nats per image.

    Raises:
        TypeError, ValueError: ``x`` is not a batch of colour images in [0, 1].
    """
    require_images(x)
    model.train()
    x_hat, mu, logvar = model(x)
    sigma = optimal_sigma(x, x_hat.detach())  # at its best, so no gradient is lost with it: see there
    reconstruction = -reconstruction_log_likelihood(x, x_hat, sigma)  # (B,)
    kl = kl_divergence(mu, logvar)  # (B,)
    loss = (reconstruction + beta * kl).mean()  # the one place where the bound is reduced over the batch
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {
        "loss": loss.item(),
        "reconstruction": reconstruction.mean().item(),
        "kl": kl.mean().item(),
    }


@torch.no_grad()
def evaluate(model: nn.Module, loader: Loader, sigma: float | None = None) -> dict[str, float]:
    """Measure the terms of the bound over a whole set; every image counts the same, whatever its batch.

    Args:
        model: maps images to (x_hat, mu, logvar), like ``VAE``.
        loader: batches of images and labels; the last one may be short.
        sigma: standard deviation of a pixel. If None it is the best one for all these images together, which
            is right on training images; a bound on unseen ones needs a σ that was fixed before.

    Returns:
        "loss" (the negative ELBO), "reconstruction" and "kl", nats per image.

    Raises:
        TypeError, ValueError: the loader is empty, gives other things than colour images in [0, 1], or
            ``sigma`` is not positive.
    """
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive, got {sigma:g}")
    was_training = model.training
    squared_error, kl, num_images, num_dims = 0.0, 0.0, 0, 0
    try:
        model.eval()
        for x, _ in loader:
            require_images(x)
            x_hat, mu, logvar = model(x)
            require_pictures(x, x_hat)
            squared_error += (x - x_hat).square().sum().item()
            kl += kl_divergence(mu, logvar).sum().item()
            num_images, num_dims = num_images + len(x), x[0].numel()
    finally:
        model.train(was_training)
    if num_images == 0:
        raise ValueError("the loader gave no images")
    variance = max(squared_error / (num_images * num_dims), 1e-12) if sigma is None else sigma**2
    # −log N(x; x̂, σ² I), averaged:  ½ ‖x − x̂‖² / σ² + ½ D (log σ² + log 2π)
    reconstruction = 0.5 * squared_error / num_images / variance + 0.5 * num_dims * (
        math.log(variance) + LOG_2PI
    )
    kl /= num_images
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def fit(
    model: nn.Module,
    loader: Loader,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    warmup_steps: int = 0,
) -> list[dict[str, float]]:
    """Train for some passes over the images.

    Args:
        model: maps images to (x_hat, mu, logvar), like ``VAE``.
        loader: batches of images and labels; iterated once an epoch.
        optimizer: holds the model's parameters.
        num_epochs: passes over the loader.
        warmup_steps: steps, not epochs, over which the weight of the KL term rises to 1.

    Returns:
        For each epoch "loss", "reconstruction" and "kl", averaged over its images, nats per image.

    Raises:
        TypeError, ValueError: the loader is empty (or a generator, which is at its end after one epoch), or
            gives other things than colour images in [0, 1].
    """
    history: list[dict[str, float]] = []
    step = 0
    for _ in range(num_epochs):
        totals = {"loss": 0.0, "reconstruction": 0.0, "kl": 0.0}
        num_images = 0
        for x, _ in loader:
            terms = train_step(model, x, optimizer, kl_weight(step, warmup_steps))
            for name in totals:
                totals[name] += terms[name] * len(x)
            num_images += len(x)
            step += 1
        if num_images == 0:
            raise ValueError(f"the loader gave no images in epoch {len(history)}; pass one to iterate again")
        history.append({name: total / num_images for name, total in totals.items()})
    return history

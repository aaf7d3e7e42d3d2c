"""A healthy VAE so small that its best weights are known in closed form: it can fall ill and be cured at once.

Encoder and decoder are linear. With a Gaussian likelihood such a VAE is probabilistic principal component analysis,
and the minimum of its loss can be written down, also for losses that weigh the two terms wrongly. So a diagnosis
does not wait for hours of training, and what a probe shows is the defect and not an unfinished optimisation.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from vae_ref.bound import elbo, optimal_sigma
from vae_ref.inputs import require_images
from vae_ref.networks import IMAGE_SIZE, VAE

NUM_DIMS = 3 * IMAGE_SIZE**2  # D


class LinearEncoder(nn.Module):
    """mu = A x + a, and one log variance for each latent dimension whatever the image."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.mu = nn.Linear(NUM_DIMS, latent_dim)
        self.logvar = nn.Parameter(torch.zeros(latent_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) to mu and logvar, (B, L) each."""
        mu = self.mu(x.flatten(1))
        return mu, self.logvar.expand_as(mu)


class LinearDecoder(nn.Module):
    """x_hat = W z + w, cut to [0, 1]."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.paint = nn.Linear(latent_dim, NUM_DIMS)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64)."""
        return self.paint(z).unflatten(1, (3, IMAGE_SIZE, IMAGE_SIZE)).clamp(0, 1)


class PocketVAE(VAE):
    """The reference VAE with linear networks, and its loss as a method.

    Patients of the ward derive from it and change one thing: ``encode``, ``draw``, ``decode``, ``forward`` or ``loss``.

    Args:
        latent_dim: length of a code, L.
    """

    encoder: LinearEncoder  # type: ignore[assignment]
    decoder: LinearDecoder  # type: ignore[assignment]

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.encoder, self.decoder = LinearEncoder(latent_dim), LinearDecoder(latent_dim)

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What training makes small: the negative bound with the σ that suits the batch best.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].
            generator: source of the noise; the global one if None.

        Returns:
            Nats per image, averaged over the batch, ().
        """
        x_hat, mu, logvar = self(x, generator)
        return -elbo(x, x_hat, mu, logvar, optimal_sigma(x, x_hat)).mean()

    def settle(self, x: Tensor) -> Self:
        """Set all weights to where training on some images ends.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1], more of them than latent dimensions.

        Raises:
            TypeError, ValueError: other things than colour images in [0, 1], or too few.
        """
        return self.settle_for(x)

    @torch.no_grad()
    def settle_for(self, x: Tensor, beta: float = 1.0, sigma: float | None = None) -> Self:
        """Set all weights to the minimum of Σ (x − x̂)² / 2σ² + β KL; of the calibrated loss where no σ is given.

        Args:
            x: as of ``settle``.
            beta: weight of the KL term, positive.
            sigma: standard deviation of a pixel.

        Raises:
            TypeError, ValueError: as of ``settle``.

        Source: Tipping & Bishop, Probabilistic Principal Component Analysis (1999), section 3.2.
        """
        require_images(x)
        if len(x) <= self.latent_dim:
            raise ValueError(
                f"x must hold more than {self.latent_dim} images for as many latents, got {len(x)}"
            )
        pixels = x.flatten(1).double()
        mean = pixels.mean(dim=0)
        _, singular, directions = torch.linalg.svd(pixels - mean, full_matrices=False)
        variance = singular.square() / len(x)  # λ, along each direction
        kept, lost = variance[: self.latent_dim], variance[self.latent_dim :].sum()
        directions = directions[: self.latent_dim]  # (L, D)
        # the code leaves a squared error of `lost` and the price βσ² in each latent, and σ² is their share of a pixel
        noise = (
            lost / (NUM_DIMS - beta * self.latent_dim) if sigma is None else torch.tensor(sigma**2).double()
        )
        price = torch.minimum(beta * noise, kept)  # a direction with less variance than that is not coded
        stretch = (kept - price).sqrt()
        to_code = directions * (stretch / kept)[:, None]  # A = √(λ − βσ²) / λ · Uᵀ
        self.encoder.mu.weight.copy_(to_code)
        self.encoder.mu.bias.copy_(-to_code @ mean)
        self.encoder.logvar.copy_((price / kept).log())  # posterior variance βσ² / λ
        self.decoder.paint.weight.copy_(directions.T * stretch)
        self.decoder.paint.bias.copy_(mean)
        self.sigma.fill_(math.sqrt(noise))
        return self


def practise(model: PocketVAE, x: Tensor, num_steps: int, lr: float = 1e-3) -> list[float]:
    """Train a model on one batch by its own loss, as its author would have.

    Args:
        model: healthy or not; its parameters change.
        x: images, (B, 3, 64, 64), in [0, 1].
        num_steps: steps of Adam, at least 1.
        lr: their size.

    Returns:
        The loss before each step.

    Raises:
        TypeError, ValueError: other things than colour images in [0, 1], or no step.
    """
    require_images(x)
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(num_steps):
        loss = model.loss(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

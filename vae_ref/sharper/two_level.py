"""Chapter 10, a second level: a global code says what the dog is like, a local one where its fur lies.

The global code z₁ has the prior N(0, I). The local code z₂ has 32 numbers for each place of the 8×8 grid and a
prior that the global code sets, p(z₂|z₁) = N(m(z₁), diag s(z₁)²). It is written as z₂ = m(z₁) + s(z₁) u with
u ~ N(0, I). KL divergences do not change under such a map, so (z₁, u) is one flat code with a standard normal
prior, and all that works with the codes of a plain VAE works with it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vae_ref.inputs import require_length, require_shape
from vae_ref.networks import GRID, IMAGE_SIZE, PATCH, SUMMARY, VAE, WIDTH, ResidualBlock
from vae_ref.sampling import reparameterize

LOCAL = 32  # numbers of the local code at a place


class TwoLevelVAE(VAE):
    """A hierarchical VAE: the posterior of the local code depends on the global code that was drawn.

    Args:
        top_dim: length of the global code, at least 1.

    Attributes:
        top_dim: as given.
        latent_dim: length of the whole code (z₁, u), L = top_dim + 32·8·8.

    Raises:
        TypeError, ValueError: ``top_dim`` is no whole number of at least 1.

    Source: Sønderby et al., Ladder Variational Autoencoders (2016); Vahdat & Kautz, NVAE (2020), section 3.2,
    for a posterior relative to the prior.
    """

    def __init__(self, top_dim: int) -> None:
        nn.Module.__init__(self)  # not VAE's: the networks are others
        require_length(top_dim, "top_dim")
        self.top_dim, self.latent_dim = top_dim, top_dim + LOCAL * GRID**2
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTH, PATCH, stride=PATCH), ResidualBlock(WIDTH)
        )  # (B, 128, 8, 8)
        self.summary = nn.Sequential(nn.Conv2d(WIDTH, SUMMARY, 1), nn.Flatten())  # (B, 24·8·8)
        self.mu = nn.Linear(SUMMARY * GRID**2, top_dim)
        self.logvar = nn.Linear(SUMMARY * GRID**2, top_dim)
        self.top = nn.Sequential(
            nn.Linear(top_dim, SUMMARY * GRID**2),
            nn.Unflatten(1, (SUMMARY, GRID, GRID)),
            nn.Conv2d(SUMMARY, WIDTH, 1),
            ResidualBlock(WIDTH),
        )  # z₁ (B, top_dim) → what it says about every place, (B, 128, 8, 8)
        self.prior = nn.Conv2d(WIDTH, 2 * LOCAL, 1)  # → m(z₁) and what s(z₁) is made of, (B, 32, 8, 8) each
        for parameter in self.prior.parameters():
            nn.init.zeros_(parameter)  # m = 0 and s = 1 at first
        self.posterior = nn.Sequential(
            nn.Conv2d(2 * WIDTH, WIDTH, 1), ResidualBlock(WIDTH), nn.Conv2d(WIDTH, 2 * LOCAL, 1)
        )  # image and z₁ → mean and log variance of u
        self.local = nn.Conv2d(LOCAL, WIDTH, 1)
        self.head = nn.Sequential(
            ResidualBlock(WIDTH),
            ResidualBlock(WIDTH),
            nn.Conv2d(WIDTH, 3 * PATCH**2, 1),
            nn.PixelShuffle(PATCH),
        )
        self.learned_prior = None  # the one of z₂ is part of the model
        self.register_buffer("sigma", torch.tensor(1.0))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) to mu and logvar, (B, L) each; those of u given the mean of z₁."""
        seen, mu, logvar = self._look(x)
        return self._join(seen, mu, mu, logvar)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the global code of each image, then its local code given the global one.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].
            generator: source of the noise; the global one if None.

        Returns:
            z (B, L), mu (B, L), logvar (B, L); the part of mu and logvar that belongs to u is that of
            q(u|x, z₁) with the z₁ drawn, so log densities and divergences made from them are exact given z₁.
        """
        seen, mu, logvar = self._look(x)
        z1 = reparameterize(mu, logvar, generator)
        mu, logvar = self._join(seen, z1, mu, logvar)
        u = reparameterize(mu[:, self.top_dim :], logvar[:, self.top_dim :], generator)
        return torch.cat([z1, u], dim=1), mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64) in [0, 1]."""
        require_shape(z, (self.latent_dim,), "z")
        places = self.top(z[:, : self.top_dim])
        m, s = self.prior_of(places)
        u = z[:, self.top_dim :].unflatten(1, (LOCAL, GRID, GRID))
        z2 = m + s * u
        return torch.sigmoid(self.head(places + self.local(z2)).to(z.dtype))

    def prior_of(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean m and standard deviation s of z₂, (B, 32, 8, 8) each, from ``top(z₁)``."""
        m, raw = self.prior(places).chunk(2, dim=1)
        # positive, 1 at raw = 0, and no faster than raw where an exp would explode
        return m, nn.functional.softplus(raw) / math.log(2)

    def _look(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features of images, (B, 128, 8, 8), and mu and logvar of z₁."""
        require_shape(x, (3, IMAGE_SIZE, IMAGE_SIZE), "x")
        seen = self.stem(2 * x - 1)
        summary = self.summary(seen)
        return seen, self.mu(summary).to(x.dtype), self.logvar(summary).to(x.dtype)

    def _join(self, seen: Tensor, z1: Tensor, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        """Extend mu and logvar of z₁ by those of q(u|x, z₁)."""
        local = self.posterior(torch.cat([seen, self.top(z1)], dim=1)).flatten(1).to(mu.dtype)
        local_mu, local_logvar = local.chunk(2, dim=1)
        return torch.cat([mu, local_mu], dim=1), torch.cat([logvar, local_logvar], dim=1)

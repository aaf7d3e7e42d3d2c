"""Chapter 10, a learned prior: codes of pictures leave holes in N(0, I), and samples that fall into a hole are no dogs.

The KL term asks the codes of all pictures together to fill the prior, but it pays a few nats for that where the
reconstruction pays thousands: so training ends with holes. The prior can come to the codes instead. A flow bends
N(0, I) by invertible layers z = T(u) until it covers them, by maximum likelihood on codes alone:

    log p(z) = log N(u; 0, I) + log |det du/dz|,    u = T⁻¹(z)

Encoder and decoder stay as they are. The bound with the new p(z) is tighter by as much as the codes have become
likelier, and samples are decoded from where codes are.

Sources: Dinh, Sohl-Dickstein & Bengio, Density Estimation Using Real NVP (2017); Hoffman & Johnson, ELBO Surgery
(2016); Chen et al., Variational Lossy Autoencoder (2017), section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Self, cast

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_ref.bound import bounded_exp, log_normal
from vae_ref.inputs import require_float, require_shape
from vae_ref.networks import VAE, Prior
from vae_ref.sampling import reparameterize

NUM_LAYERS = 8
WIDTH = 64  # hidden units of a layer's network
STEPS = 5_000
BATCH_SIZE = 256
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.01  # a few thousand codes are soon known by heart


class Coupling(nn.Module):
    """Scale and shift one half of a code by what stands in the other half: easy to undo, whatever the network says.

    Args:
        latent_dim: length of a code, L, at least 2.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.kept = latent_dim // 2
        last = nn.Linear(WIDTH, 2 * (latent_dim - self.kept))
        for parameter in last.parameters():
            nn.init.zeros_(parameter)  # starts as the identity
        self.network = nn.Sequential(
            nn.Linear(self.kept, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), last
        )

    def forward(self, u: Tensor) -> Tensor:
        """u ↦ z, (B, L)."""
        kept, rest = u[:, : self.kept], u[:, self.kept :]
        shift, log_scale = self._terms(kept)
        return torch.cat([kept, rest * log_scale.exp() + shift], dim=1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z ↦ u, (B, L), and log |det du/dz|, (B,)."""
        kept, rest = z[:, : self.kept], z[:, self.kept :]
        shift, log_scale = self._terms(kept)
        return torch.cat([kept, (rest - shift) * torch.exp(-log_scale)], dim=1), -log_scale.sum(dim=1)

    def _terms(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = self.network(kept).chunk(2, dim=1)
        return shift, 2 * torch.tanh(raw / 2)  # a factor of at most e² a layer: no code is thrown to infinity


class FlowPrior(Prior):
    """p(z), learned from codes.

    Args:
        latent_dim: length of a code, L, at least 2.

    Attributes:
        centre, spread: mean and standard deviation of the codes it was fitted to, (L,).
        orders: a shuffle of the numbers of a code before each layer, (layers, L).

    Raises:
        ValueError: ``latent_dim`` is below 2.
    """

    centre: Tensor
    spread: Tensor
    orders: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 2:
            raise ValueError(f"latent_dim must be at least 2, got {latent_dim}")
        self.layers = nn.ModuleList(Coupling(latent_dim) for _ in range(NUM_LAYERS))
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.register_buffer("spread", torch.ones(latent_dim))
        orders = torch.stack([torch.randperm(latent_dim) for _ in self.layers])
        self.register_buffer("orders", orders)

    def forward(self, u: Tensor) -> Tensor:
        """Bend draws from N(0, I), (B, L), into codes, (B, L).

        Raises:
            TypeError, ValueError: not floating point, or another shape.
        """
        require_shape(u, tuple(self.centre.shape), "u")
        for layer, order in reversed(self._steps()):
            u = layer(u)[:, order.argsort()]
        return u * self.spread + self.centre

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return u with forward(u) = z, (B, L), and log |det du/dz|, (B,).

        Raises:
            TypeError, ValueError: not floating point, or another shape.
        """
        require_shape(z, tuple(self.centre.shape), "z")
        u = (z - self.centre) / self.spread
        log_det = -self.spread.log().sum().expand(len(z))
        for layer, order in self._steps():
            u, more = layer.inverse(u[:, order])
            log_det = log_det + more
        return u, log_det

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of codes (B, L) in nats, (B,); raises as ``inverse`` does."""
        u, log_det = self.inverse(z)
        zero = torch.zeros_like(u)
        return log_normal(u, zero, zero) + log_det

    def _steps(self) -> list[tuple[Coupling, Tensor]]:
        """Each layer with the shuffle before it, from codes to draws."""
        return list(zip(cast(list[Coupling], self.layers), self.orders, strict=True))

    @torch.enable_grad()
    def fit(self, mu: Tensor, logvar: Tensor, seed: int = 0, steps: int = STEPS) -> Self:
        """Learn the density of codes drawn from posteriors; whatever was learned before is forgotten.

        Args:
            mu, logvar: posteriors of training pictures, (N, L) each.
            seed: of the weights to start from, the order of codes and their noise.
            steps: of AdamW, with batches of 256 codes.

        Raises:
            TypeError, ValueError: not floating point, not finite, or other shapes.
        """
        require_float(mu=mu, logvar=logvar)
        if mu.shape != logvar.shape or mu.shape[1:] != self.centre.shape or len(mu) < 2:
            raise ValueError(
                f"mu and logvar must be (N, {len(self.centre)}) with N at least 2, got {tuple(mu.shape)} and "
                f"{tuple(logvar.shape)}"
            )
        if not bool(mu.isfinite().all() and logvar.isfinite().all()):
            raise ValueError("mu and logvar must be finite, got NaN or infinity")
        self.requires_grad_(True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.load_state_dict(FlowPrior(mu.shape[1]).state_dict())
        generator = torch.Generator().manual_seed(seed)
        self.centre.copy_(mu.mean(dim=0))
        spread = (mu.var(dim=0) + bounded_exp(logvar).mean(dim=0)).sqrt()
        self.spread.copy_(spread.clamp(min=1e-6))  # codes that are all the same have none to divide by
        optimizer = torch.optim.AdamW(self.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for share in tqdm(_shares(steps), desc="prior", total=steps, unit="step", leave=False):
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * (
                0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))
            )
            rows = torch.randint(len(mu), (BATCH_SIZE,), generator=generator)
            loss = -self.log_prob(reparameterize(mu[rows], logvar[rows], generator)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self.requires_grad_(False)


def fit_prior(model: VAE, batches: Iterable[tuple[Tensor, Tensor]], seed: int = 0) -> None:
    """Fit the learned prior of a model to its codes of training pictures.

    Args:
        model: a VAE with a ``FlowPrior``, which changes.
        batches: images (B, 3, 64, 64) in [0, 1] and labels.
        seed: of the fit.
    """
    assert isinstance(model.learned_prior, FlowPrior)
    with torch.no_grad():
        codes = [model.encode(x) for x, _ in batches]
    mu, logvar = (torch.cat(part) for part in zip(*codes, strict=True))
    model.learned_prior.fit(mu, logvar, seed)


def _shares(steps: int) -> Iterator[float]:
    return (step / steps for step in range(steps))

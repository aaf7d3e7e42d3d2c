"""Chapter 04, encoder and decoder: two small convolutional networks that meet in the code and nowhere else.

All work happens on a grid of 8×8 places: a stem turns each block of 8×8 pixels into the channels of one place,
and a PixelShuffle head turns them back. On a processor that is several times faster than a pyramid of
full-size layers, because nearly all time goes into large matrix products. Without its residual blocks, which
start as the identity, either network is linear: so training begins as principal component analysis does, and
the blocks learn what is left. GroupNorm treats every image on its own, so training and evaluation compute the
same function.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vae_ref.bound import log_normal
from vae_ref.inputs import require_length, require_shape
from vae_ref.sampling import reparameterize

IMAGE_SIZE = 64
PATCH = 8  # side of the pixel block that stem and head cover at one place
GRID = IMAGE_SIZE // PATCH  # places along a side
WIDTH = 128  # channels at a place
SUMMARY = 24  # channels at a place between the grid and the code
GROUPS = 8


class ResidualBlock(nn.Module):
    """x + f(x) with a 3×3 and a 1×1 convolution; f starts at 0, so a deep stack starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.body = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Encoder(nn.Module):
    """q(z|x): images to the mean and log variance of their codes.

    Args:
        latent_dim: length of a code, L, at least 1.

    Raises:
        TypeError, ValueError: ``latent_dim`` is no whole number of at least 1.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        require_length(latent_dim)
        self.features = nn.Sequential(
            nn.Conv2d(3, WIDTH, PATCH, stride=PATCH),  # (B, 128, 8, 8)
            ResidualBlock(WIDTH),
            nn.Conv2d(WIDTH, SUMMARY, 1),  # (B, 24, 8, 8)
            nn.Flatten(),
        )
        # both heads are linear: a mean may be negative, and log σ² any number
        self.mu = nn.Linear(SUMMARY * GRID**2, latent_dim)
        self.logvar = nn.Linear(SUMMARY * GRID**2, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) in [0, 1] to mu and logvar, (B, L) each.

        Raises:
            TypeError, ValueError: not floating point, or another shape.
        """
        require_shape(x, (3, IMAGE_SIZE, IMAGE_SIZE), "x")
        features = self.features(2 * x - 1)
        # where autocast computes the layers in bfloat16, what leaves them is float32 again
        return self.mu(features).to(x.dtype), self.logvar(features).to(x.dtype)


class Decoder(nn.Module):
    """The mean of p(x|z): codes to images in [0, 1].

    Args:
        latent_dim: length of a code, L, at least 1.

    Raises:
        TypeError, ValueError: ``latent_dim`` is no whole number of at least 1.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        require_length(latent_dim)
        self.latent_dim = latent_dim
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, SUMMARY * GRID**2),
            nn.Unflatten(1, (SUMMARY, GRID, GRID)),  # (B, 24, 8, 8)
            nn.Conv2d(SUMMARY, WIDTH, 1),  # (B, 128, 8, 8)
            ResidualBlock(WIDTH),
            ResidualBlock(WIDTH),
            nn.Conv2d(WIDTH, 3 * PATCH**2, 1),  # (B, 192, 8, 8): an 8×8 block of RGB at each place
            nn.PixelShuffle(PATCH),  # (B, 3, 64, 64)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64) in [0, 1].

        Raises:
            TypeError, ValueError: not floating point, or another shape.
        """
        require_shape(z, (self.latent_dim,), "z")
        return torch.sigmoid(self.layers(z).to(z.dtype))


class Prior(nn.Module):
    """p(z), where it is another one than N(0, I)."""

    def forward(self, u: Tensor) -> Tensor:
        """Turn draws from N(0, I), (B, L), into codes, (B, L)."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of codes (B, L) in nats, (B,)."""
        raise NotImplementedError


class VAE(nn.Module):
    """Encoder and decoder, joined by one sample of the code.

    Args:
        latent_dim: length of a code, L, at least 1.

    Attributes:
        sigma: standard deviation of a pixel around the decoder's output, in units of [0, 1]; a scalar that
            belongs to the likelihood p(x|z) = N(x; decode(z), σ² I). It is 1 until somebody fits it on
            training images.
        learned_prior: p(z) if it was learned; None for N(0, I).

    Raises:
        TypeError, ValueError: ``latent_dim`` is no whole number of at least 1.
    """

    sigma: Tensor
    learned_prior: Prior | None

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = Encoder(latent_dim)
        self.decoder = Decoder(latent_dim)
        self.learned_prior = None
        self.register_buffer("sigma", torch.tensor(1.0))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) to mu and logvar, (B, L) each."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64) in [0, 1]."""
        return self.decoder(z)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw one code for each image from its posterior.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].
            generator: source of the noise; the global one if None.

        Returns:
            z (B, L), mu (B, L), logvar (B, L).
        """
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw one code for each image, decode.

        Args:
            x: images, (B, 3, 64, 64), in [0, 1].
            generator: source of the noise; the global one if None.

        Returns:
            x_hat (B, 3, 64, 64), mu (B, L), logvar (B, L).
        """
        z, mu, logvar = self.draw(x, generator)
        return self.decode(z), mu, logvar


def draw_prior(model: VAE, num_codes: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw codes from p(z) of a model, which is N(0, I) where it does not say otherwise.

    Args:
        model: a VAE.
        num_codes: how many.
        generator: source of the noise; the global one if None.

    Returns:
        Codes, (num_codes, L), on the device of the model.
    """
    like = next(model.parameters())
    u = torch.randn((num_codes, model.latent_dim), generator=generator, device=like.device, dtype=like.dtype)
    prior = getattr(model, "learned_prior", None)
    return u if prior is None else prior(u)


def log_prior(model: nn.Module, z: Tensor) -> Tensor:
    """log p(z) of codes (B, L) in nats, (B,); that of N(0, I) where the model does not say otherwise."""
    prior = getattr(model, "learned_prior", None)
    if prior is not None:
        return prior.log_prob(z)
    zero = torch.zeros_like(z)
    return log_normal(z, zero, zero)

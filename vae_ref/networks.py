"""Chapter 04, encoder and decoder: two small convolutional networks that meet in the code and nowhere else.

Most of the work happens at 16×16: a 4×4 patch stem goes there in one step and a PixelShuffle head comes
back in one, which is more than twice as fast on a processor as a pyramid of full-size layers. GroupNorm
treats every image on its own, so training and evaluation compute the same function.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vae_ref.sampling import reparameterize

IMAGE_SIZE = 64
PATCH = 4  # side of the pixel block that one step of stem and head covers
WIDTH = 32  # channels at 16×16; twice as many at 8×8
GROUPS = 8


class ResidualBlock(nn.Module):
    """x + f(x) with two 3×3 convolutions; f starts at 0, so a deep stack starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.body = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Encoder(nn.Module):
    """q(z|x): images to the mean and log variance of their codes.

    Args:
        latent_dim: length of a code, L.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, WIDTH, PATCH, stride=PATCH),  # (B, 32, 16, 16)
            ResidualBlock(WIDTH),
            nn.Conv2d(WIDTH, 2 * WIDTH, 2, stride=2),  # (B, 64, 8, 8)
            ResidualBlock(2 * WIDTH),
            ResidualBlock(2 * WIDTH),
            nn.Conv2d(2 * WIDTH, 4 * WIDTH, 2, stride=2),  # (B, 128, 4, 4)
            nn.GroupNorm(GROUPS, 4 * WIDTH),
            nn.SiLU(),
            nn.Flatten(),
        )
        num_features = 4 * WIDTH * (IMAGE_SIZE // PATCH // 4) ** 2
        # both heads are linear: a mean may be negative, and log σ² any number
        self.mu = nn.Linear(num_features, latent_dim)
        self.logvar = nn.Linear(num_features, latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, 64, 64) in [0, 1] to mu and logvar, (B, L) each."""
        features = self.features(2 * x - 1)
        # where autocast computes the layers in bfloat16, what leaves them is float32 again
        return self.mu(features).to(x.dtype), self.logvar(features).to(x.dtype)


class Decoder(nn.Module):
    """The mean of p(x|z): codes to images in [0, 1].

    Args:
        latent_dim: length of a code, L.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        side = IMAGE_SIZE // PATCH // 4
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 4 * WIDTH * side**2),
            nn.Unflatten(1, (4 * WIDTH, side, side)),  # (B, 128, 4, 4)
            nn.Conv2d(4 * WIDTH, 8 * WIDTH, 1),
            nn.PixelShuffle(2),  # (B, 64, 8, 8)
            ResidualBlock(2 * WIDTH),
            ResidualBlock(2 * WIDTH),
            nn.Conv2d(2 * WIDTH, 4 * WIDTH, 1),
            nn.PixelShuffle(2),  # (B, 32, 16, 16)
            ResidualBlock(WIDTH),
            ResidualBlock(WIDTH),
            nn.GroupNorm(GROUPS, WIDTH),
            nn.SiLU(),
            nn.Conv2d(WIDTH, 3 * PATCH**2, 3, padding=1),  # (B, 48, 16, 16): a 4×4 block of RGB at each place
            nn.PixelShuffle(PATCH),  # (B, 3, 64, 64)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, 64, 64) in [0, 1]."""
        return torch.sigmoid(self.layers(z).to(z.dtype))


class VAE(nn.Module):
    """Encoder and decoder, joined by one sample of the code.

    Args:
        latent_dim: length of a code, L, at least 1.

    Attributes:
        sigma: standard deviation of a pixel around the decoder's output, in units of [0, 1]; a scalar that
            belongs to the likelihood p(x|z) = N(x; decode(z), σ² I). It is 1 until somebody fits it on
            training images.

    Raises:
        ValueError: ``latent_dim`` is below 1.
    """

    sigma: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim = latent_dim
        self.encoder = Encoder(latent_dim)
        self.decoder = Decoder(latent_dim)
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

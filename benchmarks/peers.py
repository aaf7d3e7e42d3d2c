"""Nets of other people's VAEs, behind one interface: pictures in [0, 1] in, pictures in [0, 1] out.

Two sources, both with the nets and the losses that they publish:

* AntixK/PyTorch-VAE, ``VanillaVAE``: written here anew from its layer list (``models/vanilla_vae.py``) and
  its settings (``configs/vae.yaml``) at commit a6896b9 (22 December 2021). Its output is a tanh, so pictures
  are shifted to [-1, 1] as in its own ``experiment.py`` until commit 90172be; the last commit feeds [0, 1].
* pythae 0.1.2 from PyPI, unchanged: the fully connected net that it builds when it is given none, and the
  convolutional net that it ships for pictures of 64×64 (``models.nn.benchmarks.celeba``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_ref.bound import kl_divergence
from vae_ref.errors import CourseError
from vae_ref.sampling import reparameterize

ANTIXK_WIDTHS = (32, 64, 128, 256, 512)
ANTIXK_LATENT_DIM = 128
ANTIXK_KL_WEIGHT = 0.00025  # "kld_weight", M_N in the loss
PYTHAE_CONV_LATENT_DIM = 64  # the size in the documentation of that net


class Peer(ABC, nn.Module):
    """What a VAE of somebody else must be able to do here."""

    @abstractmethod
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures (B, 3, 64, 64) in [0, 1] to mu and logvar, (B, L) each."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to pictures (B, 3, 64, 64) in [0, 1]."""

    @abstractmethod
    def loss(self, x: Tensor) -> Tensor:
        """The number that its authors minimise, ()."""

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw one code for each picture: z, mu, logvar, (B, L) each."""
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar


class AntixKVanillaVAE(Peer):
    """Five halving convolutions and five doubling ones, 3×3, each with BatchNorm and LeakyReLU.

    Args:
        latent_dim: length of a code; 128 in its settings.
    """

    def __init__(self, latent_dim: int = ANTIXK_LATENT_DIM) -> None:
        super().__init__()
        deepest = ANTIXK_WIDTHS[-1]
        self.encoder = nn.Sequential(*(_halve(i, o) for i, o in pairwise((3, *ANTIXK_WIDTHS))), nn.Flatten())
        self.mu = nn.Linear(4 * deepest, latent_dim)  # (B, 512, 2, 2) when flat
        self.logvar = nn.Linear(4 * deepest, latent_dim)
        widths = ANTIXK_WIDTHS[::-1]
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 4 * deepest),
            nn.Unflatten(1, (deepest, 2, 2)),
            *(_double(i, o) for i, o in pairwise((*widths, widths[-1]))),
            nn.Conv2d(widths[-1], 3, 3, padding=1),
            nn.Tanh(),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(2 * x - 1)
        return self.mu(features).to(x.dtype), self.logvar(features).to(x.dtype)

    def decode(self, z: Tensor) -> Tensor:
        return (self.decoder(z).to(z.dtype) + 1) / 2

    def loss(self, x: Tensor) -> Tensor:
        z, mu, logvar = self.draw(x)
        # mean over every pixel value on [-1, 1], where differences are twice as large as on [0, 1]
        mse = F.mse_loss(2 * self.decode(z) - 1, 2 * x - 1)
        return mse + ANTIXK_KL_WEIGHT * kl_divergence(mu, logvar).mean()


def _halve(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.LeakyReLU(),
    )


def _double(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(channels_out),
        nn.LeakyReLU(),
    )


def antixk_sigma(num_dims: int) -> float:
    """The Gaussian whose bound AntixK's loss is, as a standard deviation on [0, 1].

    mse + w·KL on [-1, 1] is, times D / 2σ², the negative bound  ‖x − x̂‖² / 2σ² + KL  with  σ² = w D / 2.

    Args:
        num_dims: pixels times channels, D.
    """
    return (ANTIXK_KL_WEIGHT * num_dims / 2) ** 0.5 / 2  # [0, 1] is half as wide as [-1, 1]


class Pythae(Peer):
    """A VAE of pythae with its own net, loss and sampling.

    Args:
        convolutional: the net that it ships for 64×64 instead of the fully connected one it builds by itself.

    Raises:
        CourseError: pythae is not installed.
    """

    def __init__(self, convolutional: bool) -> None:
        super().__init__()
        self.model = _pythae_model(convolutional)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output = self.model.encoder(x)
        return output.embedding.to(x.dtype), output.log_covariance.to(x.dtype)

    def decode(self, z: Tensor) -> Tensor:
        return self.model.decoder(z)["reconstruction"].to(z.dtype)

    def loss(self, x: Tensor) -> Tensor:
        return self.model({"data": x}).loss


def _pythae_model(convolutional: bool) -> Any:
    try:
        from pythae.models import VAE, VAEConfig
        from pythae.models.nn.benchmarks.celeba import Decoder_Conv_AE_CELEBA, Encoder_Conv_VAE_CELEBA
    except ImportError as error:
        raise CourseError(f"pythae is not installed ({error}); pip install -e '.[bench]'") from error
    if not convolutional:
        return VAE(VAEConfig(input_dim=(3, 64, 64)))
    config = VAEConfig(input_dim=(3, 64, 64), latent_dim=PYTHAE_CONV_LATENT_DIM)
    return VAE(config, encoder=Encoder_Conv_VAE_CELEBA(config), decoder=Decoder_Conv_AE_CELEBA(config))

"""The two players of the game that makes pictures sharper, small: a VAE of two networks, and a discriminator.

Seen behind the wall only where ``toys`` are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autograder.both_sides.toys import ForwardOnly, Tiny
from vae_ref.sampling import reparameterize


class _Hidden(nn.Module):
    """The network of an encoder, for its weights."""

    def forward(self, x: Tensor) -> Tensor:
        raise ForwardOnly("draw the codes with model.draw(x, generator): it gives z, mu and logvar")


class _Palette(nn.Module):
    """The network of a decoder: one matrix."""

    def __init__(self, to_pixels: Tensor, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.to_pixels, self.shape = nn.Parameter(to_pixels), shape

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z @ self.to_pixels.T.to(z.dtype)).unflatten(1, self.shape)


class Painter(Tiny):
    """A VAE of two networks, ``encoder`` and ``decoder``, that can be trained apart from each other.

    Args:
        latent_dim, image_size, seed: as of ``Tiny``.
        drawn: whether noise is drawn; if not it is the same in every call, and less of it in eval mode.
    """

    eps: Tensor

    def __init__(self, latent_dim: int, image_size: int, seed: int, drawn: bool = False) -> None:
        super().__init__(latent_dim, image_size, seed)
        self.drawn = drawn
        self.encoder: nn.Module = _Hidden()
        for name in ("to_mu", "to_logvar"):
            self.encoder.register_parameter(name, self._parameters.pop(name))
        pixels = self._parameters.pop("to_pixels")
        assert pixels is not None
        self.decoder: nn.Module = _Palette(pixels.detach(), self.shape)
        noise = torch.randn(latent_dim, generator=torch.Generator().manual_seed(seed + 1))
        self.register_buffer("eps", noise + torch.where(noise > 0, 0.5, -0.5))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse: whoever adds noise by himself adds other noise."""
        raise ForwardOnly("draw the codes with model.draw(x, generator): it gives z, mu and logvar")

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        flat = x.flatten(1) - 0.5
        to_mu, to_logvar = (weight.to(x.dtype) for weight in self.encoder.parameters())
        mu, logvar = flat @ to_mu.T, flat @ to_logvar.T - 1
        if self.drawn:
            return reparameterize(mu, logvar, generator), mu, logvar
        spread = torch.exp(0.5 * logvar) * (1.0 if self.training else 0.2)
        return mu + spread * self.eps.to(x.dtype), mu, logvar

    def weights(self) -> dict[str, Tensor]:
        """Its parameters by name."""
        return dict(self.named_parameters())

    def leave_gradients(self) -> None:
        """As an earlier step of training leaves them."""
        _leave_gradients(self.decoder)


class Judge(nn.Module):
    """A discriminator of images whose side is a multiple of 4: a logit for each patch, and features of two layers.

    Args:
        seed: of its weights.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv2d(3, 4, 4, stride=2, padding=1), nn.Conv2d(4, 5, 4, stride=2, padding=1)]
        )
        self.logits = nn.Conv2d(5, 1, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                gain = 2.0 / parameter[0].numel() ** 0.5
                parameter.copy_(gain * torch.randn(parameter.shape, generator=generator))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge images (B, 3, S, S): logits (B, 1, S/4, S/4), and the features, shallow to deep."""
        features, h = [], 2 * x - 1
        for layer in self.layers:
            h = torch.tanh(layer(h)) * (1.0 if self.training else 0.7)
            features.append(h)
        return self.logits(h), features

    def weights(self) -> dict[str, Tensor]:
        """Its parameters by name."""
        return dict(self.named_parameters())

    def leave_gradients(self) -> None:
        """As an earlier step of training leaves them."""
        _leave_gradients(self)


def _leave_gradients(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.grad = 3 + torch.zeros_like(parameter)

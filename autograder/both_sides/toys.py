"""Small models that checks hand to learners' code: everything that the chapters after 04 ask of a VAE.

Behind the wall they are there only for those chapters: before, they would be answers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vae_ref.sampling import reparameterize

GOLDEN_SECTION = (math.sqrt(5) - 1) / 2


class Tiny(nn.Module):
    """A VAE with random weights and two small matrices, for checks that need a model of which nothing is special.

    Args:
        latent_dim: length of a code, L.
        image_size: side of its colour images in pixels.
        seed: of its weights.

    Attributes:
        latent_dim: as given.
        sigma: standard deviation of a pixel.
    """

    sigma: Tensor

    def __init__(self, latent_dim: int, image_size: int, seed: int, sigma: float = 0.3) -> None:
        super().__init__()
        self.latent_dim, self.shape = latent_dim, (3, image_size, image_size)
        generator = torch.Generator().manual_seed(seed)
        num_dims = 3 * image_size**2

        def matrix(rows: int, columns: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(rows, columns, generator=generator) / columns**0.5)

        self.to_mu, self.to_logvar = matrix(latent_dim, num_dims, 3.0), matrix(latent_dim, num_dims, 1.0)
        self.to_pixels = matrix(num_dims, latent_dim, 1.0)
        self.register_buffer("sigma", torch.tensor(sigma))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, S, S) to mu and logvar, (B, L) each."""
        flat = x.flatten(1) - 0.5
        return flat @ self.to_mu.T.to(x.dtype), flat @ self.to_logvar.T.to(x.dtype) - 1

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to images (B, 3, S, S) in [0, 1]."""
        return torch.sigmoid(z @ self.to_pixels.T.to(z.dtype)).unflatten(1, self.shape)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a code for each image: z, mu and logvar, (B, L) each."""
        mu, logvar = self.encode(x)
        return reparameterize(mu, logvar, generator), mu, logvar

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw, decode: x_hat (B, 3, S, S), mu and logvar (B, L)."""
        z, mu, logvar = self.draw(x, generator)
        return self.decode(z), mu, logvar


class ForwardOnly(Exception):
    """A model was asked for more than the function at hand may ask of it."""


class Predictable(Tiny):
    """A Tiny whose noise is the same in every call, so that nothing is left to chance; in eval mode there is less.

    Takes what Tiny takes.
    """

    eps: Tensor

    def __init__(self, latent_dim: int, image_size: int, seed: int, sigma: float = 0.3) -> None:
        super().__init__(latent_dim, image_size, seed, sigma)
        noise = torch.randn(latent_dim, generator=torch.Generator().manual_seed(seed + 1))
        self.register_buffer("eps", noise + torch.where(noise > 0, 0.5, -0.5))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse, as decode and draw do: whoever calls them draws noise that cannot be predicted."""
        raise ForwardOnly("call the model as a whole, model(x): it gives x_hat, mu and logvar")

    def decode(self, z: Tensor) -> Tensor:
        """Refuse, see encode."""
        raise ForwardOnly("call the model as a whole, model(x): it gives x_hat, mu and logvar")

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, add the noise, decode: x_hat (B, 3, S, S), mu and logvar (B, L)."""
        mu, logvar = super().encode(x)
        spread = torch.exp(0.5 * logvar) * (1.0 if self.training else 0.2)
        return super().decode(mu + spread * self.eps.to(x.dtype)), mu, logvar

    def weights(self) -> dict[str, Tensor]:
        """Its parameters by name."""
        return dict(self.named_parameters())

    def state(self) -> dict[str, bool]:
        """What its users may have left behind in it."""
        parameters = list(self.parameters())
        return {
            "training": self.training,
            "gradients": any(p.grad is not None and bool(p.grad.any()) for p in parameters),
            "trainable": all(p.requires_grad for p in parameters),
        }


class LinearGaussian(Tiny):
    """Probabilistic PCA with orthogonal columns: x = W z + ½ + σ ε, whose posterior is a diagonal Gaussian.

    Args:
        latent_dim, image_size, seed, sigma: as of ``Tiny``; at most as many latents as numbers in an image.
        shift: of the encoder's means against those of the posterior, in standard deviations.
        stretch: of the encoder's standard deviations against those of the posterior; 1 without a shift is exact.
    """

    def __init__(
        self,
        latent_dim: int,
        image_size: int,
        seed: int,
        sigma: float = 0.5,
        shift: float = 0.0,
        stretch: float = 1.0,
    ) -> None:
        super().__init__(latent_dim, image_size, seed, sigma)
        self.shift, self.stretch = shift, stretch
        del self.to_mu, self.to_logvar
        directions, _ = torch.linalg.qr(self.to_pixels.detach())
        self.to_pixels = nn.Parameter(directions * torch.linspace(0.7, 1.5, latent_dim))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight, sigma = self.to_pixels.to(x.dtype), self.sigma.to(x.dtype)
        variance = 1 / (1 + weight.square().sum(dim=0) / sigma**2)  # of the posterior, (L,)
        mean = variance * ((x.flatten(1) - 0.5) @ weight) / sigma**2
        logvar = variance.log() + 2 * math.log(self.stretch)
        return mean + self.shift * variance.sqrt(), logvar.expand(len(x), -1)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.to_pixels.T.to(z.dtype) + 0.5).unflatten(1, self.shape)


class Readable(Tiny):
    """A VAE whose pictures show their code: the pixels of column l are the sigmoid of its number l.

    Its encoder takes images of any size.

    Args:
        latent_dim: length of a code, L, and side of its images.
        seed: of weights that have no part in it.
    """

    def __init__(self, latent_dim: int, seed: int) -> None:
        super().__init__(latent_dim, latent_dim, seed)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu = 3 * x.flatten(1)[:, : self.latent_dim] - 1
        return mu, torch.full_like(mu, -1.0)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)[:, None, None].expand(len(z), *self.shape).clone()


class Patient(Tiny):
    """A Tiny that may be ill, and whose noise is not left to chance: for checks of what examines models.

    Args:
        latent_dim, image_size, seed: as of ``Tiny``.
        noise: "drawn" as by ``Tiny``; "even", which spreads like a Gaussian already over few draws; or "fixed", the
            same for all images in every call.
        stretch: of the noise, in training and in evaluation; 1 is healthy.
        literal: whether logvar is taken for the standard deviation.
        cut: what gradients do not pass: "sample", "codes" or nothing.
        quiet: so many mean codes are 0 for every image.
        one_sided: whether negative means become 0.
        flicker: size of what comes and goes in the means in evaluation.
        deaf: whether pictures are decoded without their codes.
        gain: contrast of pictures; above 1 they leave [0, 1].
        leak, shortcut: share of a picture that is the image seen last, in ``decode`` or in ``forward`` only.
    """

    eps: Tensor
    offsets: Tensor

    def __init__(
        self,
        latent_dim: int,
        image_size: int,
        seed: int,
        noise: str = "drawn",
        stretch: tuple[float, float] = (1.0, 1.0),
        literal: bool = False,
        cut: str = "",
        quiet: int = 0,
        one_sided: bool = False,
        flicker: float = 0.0,
        deaf: bool = False,
        gain: float = 1.0,
        leak: float = 0.0,
        shortcut: float = 0.0,
    ) -> None:
        super().__init__(latent_dim, image_size, seed)
        self.noise, self.stretch, self.literal, self.cut = noise, tuple(stretch), literal, cut
        self.quiet, self.one_sided, self.flicker, self.deaf = quiet, one_sided, flicker, deaf
        self.gain, self.leak, self.shortcut = gain, leak, shortcut
        generator = torch.Generator().manual_seed(seed + 1)
        eps = torch.randn(latent_dim, generator=generator)
        self.register_buffer("eps", eps + torch.where(eps > 0, 0.5, -0.5))
        self.register_buffer("offsets", torch.rand(latent_dim, generator=generator, dtype=torch.float64))
        self.num_drawn, self.num_encoded = 0, 0
        self.seen: Tensor | None = None

    def encoder(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Its network, which is healthy: images (B, 3, S, S) to mu and logvar, (B, L) each."""
        return super().encode(x)

    def decoder(self, z: Tensor) -> Tensor:
        """Its network, which is healthy: codes (B, L) to images (B, 3, S, S) in [0, 1]."""
        return super().decode(z)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = x
        mu, logvar = self.encoder(x)
        mu = mu * (torch.arange(self.latent_dim) >= self.quiet)
        if self.one_sided:
            mu = mu.relu()
        if self.flicker and not self.training:
            self.num_encoded += 1
            mu = mu + self.flicker * (-1) ** self.num_encoded * self.eps.to(x.dtype)
        return (mu.detach(), logvar.detach()) if self.cut == "codes" else (mu, logvar)

    def decode(self, z: Tensor) -> Tensor:
        picture = 0.5 + self.gain * (self.decoder(0 * z if self.deaf else z) - 0.5)
        if self.leak and self.seen is not None and len(self.seen) == len(z):
            picture = (1 - self.leak) * picture + self.leak * self.seen
        return picture

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        std = logvar if self.literal else torch.exp(0.5 * logvar)
        z = mu + self.stretch[0 if self.training else 1] * std * self._noise(mu, generator)
        return (z.detach() if self.cut == "sample" else z), mu, logvar

    def _noise(self, mu: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.noise == "drawn":
            return torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        if self.noise == "fixed":
            return self.eps.to(mu.dtype).expand_as(mu)
        rows = torch.arange(self.num_drawn, self.num_drawn + len(mu), dtype=torch.float64) + 0.5
        self.num_drawn += len(mu)
        # the multiples of the golden section fill [0, 1] as evenly as those of any number
        places = (rows[:, None] * GOLDEN_SECTION + self.offsets) % 1
        return torch.special.ndtri(places.clamp(1e-6, 1 - 1e-6)).to(mu.dtype)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        z, mu, logvar = self.draw(x, generator)
        x_hat = self.decode(z)
        return (1 - self.shortcut) * x_hat + self.shortcut * x, mu, logvar

    def is_training(self) -> bool:
        """The mode it is in."""
        return self.training

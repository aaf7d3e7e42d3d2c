"""What checks hand to learners' code besides tensors: functions, small models, loaders, optimizers.

Seen on both sides of the wall, so nothing here is an answer to anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def quadratic(weight: Tensor, linear: Tensor, constant: float) -> Callable[[Tensor], Tensor]:
    """f(z) = zᵀ W z + bᵀ z + c for each row of z.

    Args:
        weight: W, (L, L).
        linear: b, (L,).
        constant: c.

    Returns:
        A function of codes, (N, L) → (N,).
    """
    return lambda z: ((z @ weight.to(z.dtype)) * z).sum(dim=-1) + z @ linear.to(z.dtype) + constant


class Sine:
    """f(z) = Σ sin(ω · z), whose expectation under a Gaussian is known.

    Args:
        frequencies: ω, (K, L).
    """

    def __init__(self, frequencies: Tensor) -> None:
        self.frequencies = frequencies

    def __call__(self, z: Tensor) -> Tensor:
        """Map codes (N, L) to values, (N,)."""
        return torch.sin(z @ self.frequencies.to(z.dtype).T).sum(dim=-1)


class Stairs:
    """f(z) = 1 where w · z > 0, else 0: no derivative anywhere tells how it rises.

    Args:
        direction: w, (L,).
    """

    def __init__(self, direction: Tensor) -> None:
        self.direction = direction

    def __call__(self, z: Tensor) -> Tensor:
        """Map codes (N, L) to values, (N,)."""
        return (z.detach() @ self.direction.to(z.dtype) > 0).to(z.dtype)


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
        from vae_ref.sampling import reparameterize  # hidden from those who have to write it

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


def itself(value: Any) -> Any:
    """What it is given: kept, it shows later what a call did to it."""
    return value


def loader(images: Tensor, labels: Tensor, batch_size: int) -> Iterable[Any]:
    """Batches of images and labels in their order; the last one may be short."""
    return DataLoader(TensorDataset(images, labels), batch_size)


def sgd(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on all parameters of a model."""
    return torch.optim.SGD(model.parameters(), lr=learning_rate)


def shake(net: nn.Module, seed: int, gain: float) -> None:
    """Draw weights anew, so that nothing depends on how somebody starts them; parameters of other layers move a little.

    Args:
        net: changed in place.
        seed: of the weights.
        gain: standard deviation of weights times the square root of how many numbers they sum.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            for parameter in module.parameters(recurse=False):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                if not isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                    parameter.add_(0.1 * noise)
                elif parameter.dim() < 2:
                    parameter.copy_(0.1 * noise)
                else:
                    parameter.copy_(gain * noise / parameter[0].numel() ** 0.5)


def reached(net: nn.Module, x: Tensor, position: int | None = None) -> tuple[list[str], list[str]]:
    """Names of the weights that a gradient of what ``net`` makes of ``x`` reaches, and of those it does not.

    Args:
        net: any network; its gradients stay as they are.
        x: a batch.
        position: of the result to differentiate, where there are several.
    """
    result = net(x) if position is None else net(x)[position]
    weights = {name: weight for name, weight in net.named_parameters() if weight.dim() >= 2}
    if not result.requires_grad:
        return [], list(weights)
    noise = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(result, list(weights.values()), noise, allow_unused=True)
    found = {n: g is not None and bool(g.any()) for n, g in zip(weights, gradients, strict=True)}
    return [n for n, hit in found.items() if hit], [n for n, hit in found.items() if not hit]


def steer(model: Any, x: Tensor, wanted: Tensor) -> None:
    """Change the weights a little until the encoder says what is wanted of one image: a few Gauss-Newton steps.

    Args:
        model: its encoder is changed in place.
        x: one image, (1, 3, S, S).
        wanted: its mu and logvar, (1, 2 L).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    for _ in range(8):
        got = torch.cat(list(model.encode(x)), dim=1)[0]
        if not got.requires_grad:
            return  # cut off: it stays as it is
        if bool((got - wanted[0]).abs().max() < 1e-3):
            return
        slopes = [torch.autograd.grad(v, parameters, retain_graph=True, allow_unused=True) for v in got]
        used = [i for i in range(len(parameters)) if any(row[i] is not None for row in slopes)]
        zeros = [torch.zeros_like(p) for p in parameters]
        rows = [[zeros[i] if row[i] is None else row[i] for i in used] for row in slopes]
        flat = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        change = torch.linalg.pinv(flat @ flat.T, rtol=1e-6) @ (wanted[0] - got.detach()) @ flat
        with torch.no_grad():
            for i, part in zip(used, change.split([parameters[i].numel() for i in used]), strict=True):
                parameters[i].add_(part.view_as(parameters[i]))


def near(model: Any, x: Tensor, offsets: Tensor) -> Tensor:
    """Pictures of the codes at offsets (O, L) from the mean of one image, (O, 3, S, S)."""
    with torch.no_grad():
        return model.decode(model.encode(x)[0] + offsets)

"""What a trained model is worth on images it has not seen: a true bound, and how it was earned.

The bound is one for 8-bit images. A pixel of level k is placed uniformly in [k / 256, (k + 1) / 256) and
the decoder's mean is moved to the middle of its level in the same way, so densities translate into code
lengths (see ``bits_per_dim``). σ is the model's own, fitted on training images before.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from vae_ref.bound import kl_divergence, optimal_sigma, reconstruction_log_likelihood
from vae_ref.dogs import Batches, DogSet
from vae_ref.generation import reconstruct
from vae_ref.latents import active_units
from vae_ref.networks import VAE
from vae_ref.tighter import bits_per_dim

BATCH_SIZE = 256
SWAP_DECIBEL = 1.0  # a picture decoded from another image's code must be worse than this


@dataclass(frozen=True)
class SwapProbe:
    """Whether pictures depend on their codes: each image is also decoded from another image's code.

    Attributes:
        own_psnr, swapped_psnr: mean PSNR against the image, from its own and from another image's code, dB.
        passed: the swap costs more than 1 dB. If not, the code is ignored and the model is broken, however
            good its numbers.
    """

    own_psnr: float
    swapped_psnr: float
    passed: bool


@dataclass(frozen=True)
class Evaluation:
    """Means over images; nats per image where nothing else is said.

    Attributes:
        bits_per_dim: upper bound on the bits a pixel value costs; uniform pixels cost 8.
        bits_per_dim_error: its standard error over the images.
        elbo: lower bound on log p of the dequantised image.
        reconstruction: −log p(x|z), so that elbo = −reconstruction − kl.
        kl: the rate, KL(q(z|x) ‖ p(z)).
        sigma: standard deviation of a pixel under the decoder, in units of [0, 1].
        psnr: of reconstructions from mean codes, mean over images, dB.
        active_units: latent dimensions whose mean code varies.
        latent_dim: of how many.
        swap_probe: see there.
        num_images: how many images.
        seed: of the noise.
    """

    bits_per_dim: float
    bits_per_dim_error: float
    elbo: float
    reconstruction: float
    kl: float
    sigma: float
    psnr: float
    active_units: int
    latent_dim: int
    swap_probe: SwapProbe
    num_images: int
    seed: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def dequantise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Place 8-bit levels uniformly in their intervals: (255 x + u) / 256 with u in [0, 1)."""
    return (255 * x + torch.rand(x.shape, generator=generator)) / 256


def to_middle(x_hat: Tensor) -> Tensor:
    """The mean of ``dequantise``: where the decoder's picture lies on the dequantised scale."""
    return (255 * x_hat + 0.5) / 256


@torch.no_grad()
def calibrate(model: VAE, dogs: DogSet, seed: int = 0) -> float:
    """Set ``model.sigma`` to the best value for some training images and return it.

    Args:
        model: a VAE; its ``sigma`` changes.
        dogs: images from the training side.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    squares, count = 0.0, 0
    for x, _ in Batches(dogs, BATCH_SIZE):
        x_hat = model(x, generator)[0]
        sigma = optimal_sigma(dequantise(x, generator), to_middle(x_hat))
        squares, count = squares + sigma.double().item() ** 2 * len(x), count + len(x)
    model.sigma.fill_(math.sqrt(squares / count))
    return model.sigma.item()


@torch.no_grad()
def evaluate_model(model: VAE, dogs: DogSet, seed: int = 0) -> Evaluation:
    """Measure a model on images it was not trained on.

    Args:
        model: a VAE whose ``sigma`` has been fitted on training images.
        dogs: the images, at least 2.
        seed: of the noise in codes and pixels.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Tensor]] = {"reconstruction": [], "kl": [], "own": [], "swapped": [], "mu": []}
    for x, _ in Batches(dogs, BATCH_SIZE):
        x_hat, mu, logvar = model(x, generator)
        log_likelihood = reconstruction_log_likelihood(
            dequantise(x, generator), to_middle(x_hat), model.sigma
        )
        columns["reconstruction"].append(-log_likelihood.double())
        columns["kl"].append(kl_divergence(mu, logvar).double())
        columns["own"].append(psnr(x, reconstruct(model, x)))
        if len(x) > 1:  # a single last image has no neighbour to swap with
            # right after encoding this batch: a model that smuggles x past its code gives itself away
            columns["swapped"].append(psnr(x, model.decode(mu.roll(1, dims=0))))
        columns["mu"].append(mu)
    reconstruction, kl, own, swapped, mu = (torch.cat(column) for column in columns.values())
    elbo = -reconstruction - kl
    bits = bits_per_dim(elbo, dogs.images[0].size)
    return Evaluation(
        bits_per_dim=bits.mean().item(),
        bits_per_dim_error=(bits.std() / math.sqrt(len(bits))).item(),
        elbo=elbo.mean().item(),
        reconstruction=reconstruction.mean().item(),
        kl=kl.mean().item(),
        sigma=model.sigma.item(),
        psnr=own.mean().item(),
        active_units=active_units(mu),
        latent_dim=model.latent_dim,
        swap_probe=SwapProbe(
            own.mean().item(), swapped.mean().item(), bool(own.mean() - swapped.mean() > SWAP_DECIBEL)
        ),
        num_images=len(elbo),
        seed=seed,
    )


def psnr(x: Tensor, x_hat: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, 10 log₁₀(1 / mean squared error), dB, (B,)."""
    error = (x - x_hat).square().flatten(1).mean(dim=1)
    return -10 * torch.log10(error.clamp(min=1e-10))

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
from tqdm.auto import tqdm

from vae_ref.bound import kl_divergence, log_normal, optimal_sigma, reconstruction_log_likelihood
from vae_ref.dogs import Batches, DogSet
from vae_ref.errors import CourseError
from vae_ref.evaluation.pictures import psnr, ssim
from vae_ref.latents import active_units
from vae_ref.networks import IMAGE_SIZE, VAE, log_prior
from vae_ref.tighter import bits_per_dim, dequantise, to_middle

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
        kl: the rate, KL(q(z|x) ‖ p(z)); see ``rate``.
        kl_bytes: the same in bytes: what a picture's code would take under an ideal coder.
        kl_per_unit: KL of each latent dimension to N(0, 1), largest first; they add up to ``kl`` unless the prior
            was learned, which saves what is left.
        sigma: standard deviation of a pixel under the decoder, in units of [0, 1].
        psnr: of reconstructions from mean codes, mean over images, dB.
        ssim: of the same, structural similarity, 1 for equal pictures.
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
    kl_bytes: float
    kl_per_unit: list[float]
    sigma: float
    psnr: float
    ssim: float
    active_units: int
    latent_dim: int
    swap_probe: SwapProbe
    num_images: int
    seed: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


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


def rate(model: VAE, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(q(z|x) ‖ p(z)) in nats, (B,): in closed form to N(0, I), from one draw to a prior that was learned.

    Args:
        model: says which prior.
        z, mu, logvar: what ``model.draw`` returned, (B, L) each.
    """
    if getattr(model, "learned_prior", None) is None:
        return kl_divergence(mu, logvar)
    return log_normal(z, mu, logvar) - log_prior(model, z)


@torch.no_grad()
def evaluate_model(model: VAE, dogs: DogSet, seed: int = 0) -> Evaluation:
    """Measure a model on images it was not trained on.

    Args:
        model: a VAE whose ``sigma`` has been fitted on training images; it is left in evaluation mode.
        dogs: the images, at least 2.
        seed: of the noise in codes and pixels.

    Raises:
        CourseError: there are fewer than 2 images, or they are no 64×64 pictures in 8-bit colour.
    """
    require_pictures(dogs)
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Tensor]] = {
        name: [] for name in ("reconstruction", "kl", "kl_units", "own", "ssim", "swapped", "mu")
    }
    for x, _ in tqdm(Batches(dogs, BATCH_SIZE), desc="evaluating", unit="batch", leave=False):
        z, mu, logvar = model.draw(x, generator)
        log_likelihood = reconstruction_log_likelihood(
            dequantise(x, generator), to_middle(model.decode(z)), model.sigma
        )
        columns["reconstruction"].append(-log_likelihood.double())
        columns["kl"].append(rate(model, z, mu, logvar).double())
        columns["kl_units"].append(kl_divergence(mu[..., None], logvar[..., None]).double())  # (B, L)
        mean_code, _ = model.encode(x)
        restored = model.decode(mean_code)
        columns["own"].append(psnr(x, restored))
        columns["ssim"].append(ssim(x, restored))
        if len(x) > 1:  # a single last image has no neighbour to swap with
            # right after encoding this batch: a model that smuggles x past its code gives itself away
            columns["swapped"].append(psnr(x, model.decode(mean_code.roll(1, dims=0))))
        columns["mu"].append(mean_code)
    return _summary(model, {name: torch.cat(parts) for name, parts in columns.items()}, dogs, seed)


def _summary(model: VAE, columns: dict[str, Tensor], dogs: DogSet, seed: int) -> Evaluation:
    kl_per_unit = columns["kl_units"].mean(dim=0)  # (L,)
    elbo = -columns["reconstruction"] - columns["kl"]  # (N,)
    bits = bits_per_dim(elbo, dogs.images[0].size)
    own, swapped = columns["own"].mean().item(), columns["swapped"].mean().item()
    kl = columns["kl"].mean().item()
    return Evaluation(
        bits_per_dim=bits.mean().item(),
        bits_per_dim_error=(bits.std() / math.sqrt(len(bits))).item(),
        elbo=elbo.mean().item(),
        reconstruction=columns["reconstruction"].mean().item(),
        kl=kl,
        kl_bytes=kl / (8 * math.log(2)),
        kl_per_unit=kl_per_unit.sort(descending=True)[0].tolist(),
        sigma=model.sigma.item(),
        psnr=own,
        ssim=columns["ssim"].mean().item(),
        active_units=active_units(columns["mu"]),
        latent_dim=model.latent_dim,
        swap_probe=SwapProbe(own, swapped, own - swapped > SWAP_DECIBEL),
        num_images=len(elbo),
        seed=seed,
    )


def require_pictures(dogs: DogSet) -> None:
    """Refuse what cannot be measured.

    Raises:
        CourseError: there are fewer than 2 images, or they are no 64×64 pictures in 8-bit colour.
    """
    shape, kind = dogs.images.shape, dogs.images.dtype
    if len(shape) != 4 or shape[1:] != (3, IMAGE_SIZE, IMAGE_SIZE) or kind != "uint8":
        raise CourseError(
            f"images must be uint8 of shape (N, 3, {IMAGE_SIZE}, {IMAGE_SIZE}), got {kind} of {shape}; "
            "prepare them with load_paper or load_stanford"
        )
    if len(dogs) < 2:
        raise CourseError(f"there are {len(dogs)} images to evaluate on; at least 2 are needed")

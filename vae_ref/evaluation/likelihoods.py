"""The same model under tighter bounds and better likelihoods; nothing here trains anything but the likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_ref.bound import reconstruction_log_likelihood
from vae_ref.dogs import Batches, DogSet
from vae_ref.dogs.dataset import take
from vae_ref.evaluation.core import BATCH_SIZE, rate
from vae_ref.networks import VAE
from vae_ref.tighter import (
    ColourLikelihood,
    Likelihood,
    SharedSigmaLikelihood,
    SpectrumLikelihood,
    WienerFilter,
    bits_per_dim,
    dequantise,
    iwae_bound,
    log_weights,
    mean_picture,
    to_middle,
)

NUM_SAMPLES = 64  # codes for each image in the importance-weighted bound
NUM_IMAGES = 512  # how many images it is measured on
NUM_SCALES = 8  # of images, in the likelihood that knows most


@torch.no_grad()
def calibrated_bits(model: VAE, held_out: DogSet, dogs: DogSet, seed: int = 0) -> dict[str, float]:
    """Bits per dim under likelihoods with structure, fitted after training to what the model leaves over.

    The rate stays what it was. A model trained under such a likelihood may stop using its code, so these numbers
    choose no model.

    Args:
        model: a VAE.
        held_out: training images that it was not trained on; the likelihoods are fitted to these.
        dogs: the images to be measured.
        seed: of the noise in codes and pixels.

    Returns:
        "colour": under a 3×3 covariance of the channels; "spectrum": under whitened colours with a variance for
        each frequency; "filtered": under the spectrum with a mixture of scales, around decoded pictures that passed
        through a ``WienerFilter``.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs = [
        (dequantise(x, generator), to_middle(model(x, generator)[0]))
        for x, _ in Batches(held_out, BATCH_SIZE)
    ]
    believed = WienerFilter().fit(pairs)
    likelihoods: dict[str, Likelihood] = {"colour": ColourLikelihood(), "spectrum": SpectrumLikelihood()}
    for likelihood in likelihoods.values():
        likelihood.fit([x - x_hat for x, x_hat in pairs])
    likelihoods["filtered"] = SpectrumLikelihood(num_scales=NUM_SCALES)
    likelihoods["filtered"].fit([x - believed(x_hat) for x, x_hat in pairs])
    totals = dict.fromkeys(likelihoods, 0.0)
    for x, _ in tqdm(Batches(dogs, BATCH_SIZE), desc="likelihoods", unit="batch", leave=False):
        z, mu, logvar = model.draw(x, generator)
        levels, kl = dequantise(x, generator), rate(model, z, mu, logvar)
        plain = to_middle(model.decode(z))
        for name, likelihood in likelihoods.items():
            mean = believed(plain) if name == "filtered" else plain
            elbo = likelihood.log_prob(levels, mean) - kl  # (B,)
            totals[name] += bits_per_dim(elbo, x[0].numel()).double().sum().item()
    return {name: total / len(dogs) for name, total in totals.items()}


@torch.no_grad()
def latent_free_bits(fitted_on: DogSet, dogs: DogSet, seed: int = 0) -> dict[str, float]:
    """Bits per dim without any code: the likelihoods of ``calibrated_bits`` around the mean picture.

    What a model does not beat here it does not owe to its code.

    Args:
        fitted_on: training images.
        dogs: the images to be measured.
        seed: of the noise in pixels.

    Returns:
        "sigma": one σ for all pixels; "colour"; "spectrum"; "scales": the spectrum with a mixture of scales.
    """
    generator = torch.Generator().manual_seed(seed)
    mean = mean_picture(to_middle(x) for x, _ in Batches(fitted_on, BATCH_SIZE))
    residuals = _Residuals(fitted_on, mean, seed)
    likelihoods: dict[str, Likelihood] = {
        "sigma": SharedSigmaLikelihood(),
        "colour": ColourLikelihood(),
        "spectrum": SpectrumLikelihood(),
        "scales": SpectrumLikelihood(num_scales=NUM_SCALES),
    }
    for likelihood in tqdm(likelihoods.values(), desc="likelihoods without a code", leave=False):
        likelihood.fit(residuals)
    totals = dict.fromkeys(likelihoods, 0.0)
    for x, _ in Batches(dogs, BATCH_SIZE):
        levels = dequantise(x, generator)
        for name, likelihood in likelihoods.items():
            bits = bits_per_dim(likelihood.log_prob(levels, mean.expand_as(levels)), x[0].numel())
            totals[name] += bits.double().sum().item()
    return {name: total / len(dogs) for name, total in totals.items()}


@dataclass(frozen=True)
class _Residuals:
    """Distances of dequantised pictures from one picture, the same at each pass; they need not fit into memory."""

    dogs: DogSet
    mean: Tensor
    seed: int

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        for x, _ in Batches(self.dogs, BATCH_SIZE):
            yield dequantise(x, generator) - self.mean


@torch.no_grad()
def importance_weighted(model: VAE, dogs: DogSet, seed: int = 0) -> dict[str, float]:
    """The importance-weighted bound with 64 codes an image, on at most 512 images spread over the set.

    Args:
        model: a VAE whose ``sigma`` has been fitted on training images.
        dogs: the images.
        seed: of the noise in codes and pixels.

    Returns:
        "bound", nats per image, of the dequantised images as the ELBO is; "elbo", the mean of the same log
        weights, so the gap between the two is what the weighting gains; "bits_per_dim" of the bound;
        "num_samples" and "num_images".
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.linspace(0, len(dogs) - 1, min(NUM_IMAGES, len(dogs))).long()
    bounds, elbos = [], []
    for part in tqdm(rows.split(64), desc="importance weights", unit="batch", leave=False):
        x, _ = take(dogs, part)
        likelihood = partial(_dequantised_log_likelihood, dequantise(x, generator), model.sigma)
        weights = log_weights(model, x, NUM_SAMPLES, generator, likelihood)  # (K, B)
        bounds.append(iwae_bound(weights.double()))
        elbos.append(weights.double().mean(dim=0))
    bound = torch.cat(bounds)
    return {
        "bound": bound.mean().item(),
        "elbo": torch.cat(elbos).mean().item(),
        "bits_per_dim": bits_per_dim(bound, dogs.images[0].size).mean().item(),
        "num_samples": NUM_SAMPLES,
        "num_images": len(rows),
    }


def _dequantised_log_likelihood(levels: Tensor, sigma: Tensor, x_hat: Tensor) -> Tensor:
    return reconstruction_log_likelihood(levels, to_middle(x_hat), sigma)

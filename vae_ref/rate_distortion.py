"""A model as a lossy codec: the bytes its code is worth, and the picture that comes out.

The bytes are ideal code lengths, not files: KL(q(z|x) ‖ p(z)) / (8 ln 2). That is what relative entropy coding needs
to send one sample of the posterior to somebody who knows the prior, up to about log₂(KL in bits) + 5 bits: no more than
about two bytes for codes of up to 300 bytes. What arrives is the sample, so the honest picture is the one decoded from
a sample. The mean of the posterior decodes to a better one, but at no finite length: it is reported beside it.

Sources: Li & El Gamal, Strong Functional Representation Lemma (2018); Flamich, Havasi & Hernández-Lobato, Compressing
Images by Encoding Their Latent Representations with Relative Entropy Coding (2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from vae_ref.codecs import RatePoint
from vae_ref.dogs import Batches, DogSet
from vae_ref.dogs.dataset import subset
from vae_ref.evaluation import psnr
from vae_ref.evaluation.core import rate
from vae_ref.generation import reconstruct
from vae_ref.networks import VAE

NUM_PICTURES = 500


@dataclass(frozen=True)
class ModelPoint:
    """A model on the rate–distortion plane.

    Attributes:
        sampled: pictures decoded from a sample of each posterior, whose ideal code length is the rate.
        psnr_of_mean_code: mean PSNR of pictures decoded from posterior means, dB; no code of this rate sends them.
    """

    sampled: RatePoint
    psnr_of_mean_code: float


def comparison_set(dogs: DogSet) -> DogSet:
    """The pictures on which models and codecs are compared: up to 500, spread over the set."""
    return subset(dogs, torch.linspace(0, len(dogs) - 1, min(NUM_PICTURES, len(dogs))).long())


@torch.no_grad()
def measure_model(model: VAE, dogs: DogSet, name: str, setting: str, seed: int = 0) -> ModelPoint:
    """Place a model on the rate–distortion plane.

    Args:
        model: a VAE.
        dogs: the pictures.
        name: of the curve that the point belongs to.
        setting: what distinguishes the point on it.
        seed: of the noise in the codes.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    rates, sampled, exact = [], [], []
    for x, _ in Batches(dogs, 100):
        z, mu, logvar = model.draw(x, generator)
        rates.append(rate(model, z, mu, logvar))
        sampled.append(psnr(x, model.decode(z)))
        exact.append(psnr(x, reconstruct(model, x)))
    decibel = torch.cat(sampled).double()
    error = torch.pow(10, -decibel / 10).mean().item()  # back from each picture's PSNR to its squared error
    point = RatePoint(
        name=name,
        setting=setting,
        bytes=torch.cat(rates).double().mean().item() / (8 * math.log(2)),
        psnr=decibel.mean().item(),
        psnr_of_mean_error=-10 * math.log10(error),
    )
    return ModelPoint(point, torch.cat(exact).double().mean().item())
